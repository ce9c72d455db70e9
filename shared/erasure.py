"""The signed list of destroyed keys: what a restored keyring brings back is destroyed again."""

import hashlib
import hmac
from collections.abc import Iterable, Sequence
from typing import NamedTuple
from uuid import UUID

from shared.contracts.intake import CaselessDisposalApproved, DisposalApproved
from shared.db import Pool
from shared.keyring import Keyring

LISTED = f"""
select coalesce(data ->> 'case', data ->> 'caseless') as of, data from journal
 where type in ('{DisposalApproved.TYPE}', '{CaselessDisposalApproved.TYPE}') order by seq"""


class Erasure(NamedTuple):
    """One line of the list: it can be kept, as text, beside the backups. `case`: its id, or
    that of what ended without one.
    """

    case: str
    keys: tuple[str, ...]
    signature: str


class Forged(Exception):
    """A line that intake has not signed: nothing is destroyed for it."""


def signature(master: bytes, case: UUID, keys: Iterable[str]) -> str:
    lines = "\n".join(("erase", str(case), *sorted(keys)))
    return hmac.digest(master, lines.encode(), hashlib.sha256).hex()


def ours(master: bytes, one: Erasure) -> bool:
    """Has intake signed it?"""
    return hmac.compare_digest(signature(master, UUID(one.case), one.keys), one.signature)


def check(master: bytes, one: Erasure) -> None:
    """Raises Forged."""
    if not ours(master, one):
        raise Forged(one.case)


async def listed(pool: Pool) -> list[Erasure]:
    """The list as intake's journal has it."""
    rows = await pool.fetch(LISTED)
    return [Erasure(r["of"], tuple(r["data"]["keys"]), r["data"]["signature"]) for r in rows]


async def apply(keyring: Keyring, master: bytes, erasures: Sequence[Erasure]) -> int:
    """How many keys could still be opened, and cannot from now on. Raises Forged before any is."""
    for one in erasures:
        check(master, one)
    return await keyring.destroy(*(key for one in erasures for key in one.keys))
