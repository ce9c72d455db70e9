"""The list of destroyed keys: shown to be kept beside the backups, and applied after a restore."""

from __future__ import annotations

import json
from pathlib import Path

from operate.install import Refused
from operate.repair import place
from operate.stack import Stack
from shared import erasure
from shared.erasure import Erasure


async def listed(stack: Stack) -> list[Erasure]:
    async with place.database(stack, "intake") as db:
        return await erasure.listed(db)


async def apply(stack: Stack, kept: Path | None) -> dict[str, int]:
    """Destroys again what the journal's list and a kept one name; both may know what the other lost."""
    told = read(kept) if kept else []
    async with place.runtime(stack, "intake") as rt:
        master = rt.keys.keyring_master_key
        assert master is not None
        erasures = list(dict.fromkeys([*told, *await erasure.listed(rt.pool)]))
        try:
            destroyed = await erasure.apply(rt.keyring, master, erasures)
        except erasure.Forged as forged:
            raise Refused(
                f"the line of {forged} is not signed by this system; nothing was destroyed"
            ) from None
    return {"cases": len(erasures), "destroyed": destroyed}


def read(path: Path) -> list[Erasure]:
    """A list as `./tsunagu erasures list --json` printed it."""
    try:
        document = json.loads(path.read_text("utf-8"))
        return [
            Erasure(one["case"], tuple(one["keys"]), one["signature"])
            for one in document["erasures"]
        ]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise Refused(f"'{path}' is no list of erasures ({type(error).__name__})") from error
