"""Data keys, wrapped by master keys, in a database of their own; cached for a short real time."""

import os
import re
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial

import asyncpg
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from shared.contracts import ERASED, SHUT, Unreadable
from shared.db import Pool
from shared.kill import point
from shared.together import Together

CACHE_SECONDS = 45.0
"""Below the promised 60 s, so that a destroyed key is forgotten in time everywhere."""
CACHE_KEYS = 100_000
"""At the most; beyond that the oldest go, as many as came."""
KEY_ID = re.compile(r"(codes|text|person)/[0-9A-Fa-f-]{32,36}")

TABLES = ("codes_key", "data_key")
"""Visited in this order, and each in that of its ids, so that writers who race for new keys wait for each
other, and never in a ring.
"""
KEYS = "select id, wrapped from {table} where id = any(${ids}::text[])"
MAKE = """
made_{table} as (
     insert into {table} (id, wrapped) select * from unnest(${ids}::text[], ${wrapped}::bytea[])
     on conflict (id) do nothing returning id, wrapped)"""
MADE = "select * from made_{table}"
TWINS = {"codes": "text", "text": "codes"}
"""Who needs the one will need the other: both are made with one commit, and read with one trip."""
DESTROY = """
insert into data_key (id, destroyed_at) select u, now() from unnest($1::text[]) u order by u
on conflict (id) do update set wrapped = null, destroyed_at = now() where data_key.wrapped is not null
returning id"""
"""Also a key that a restored keyring does not know yet: it is never made again."""


class KeyMissing(Exception):
    """No such key: it was never made here, or the keyring was set back. Lasting trouble."""


Keys = dict[str, AESGCM | Unreadable]


class Keyring:
    """`master` None: this service may open codes only, everything else stays SHUT."""

    def __init__(self, pool: Pool, codes: bytes, master: bytes | None) -> None:
        self._pool = pool
        self._wrap = {"codes_key": AESGCM(codes)}
        if master is not None:
            self._wrap["data_key"] = AESGCM(master)
        self._cache: OrderedDict[str, tuple[float, AESGCM | Unreadable]] = OrderedDict()
        self._tables = [table for table in TABLES if table in self._wrap]
        self._known, self._new = _statements(self._tables)
        self._reads = Together(partial(self._read, False))
        self._makes = Together(partial(self._read, True))

    async def fetch(self, ids: Iterable[str], *, make: bool = False) -> Keys:
        """The key of each id. Raises KeyMissing, or asyncpg's and OS errors when out of reach.

        `make` creates what is missing and is committed before it returns, so that no event
        can refer to a key that a crash took away.
        """
        found: Keys = {}
        missing: list[str] = []
        key_of = self.at_hand()
        for key_id in set(ids):
            if (key := key_of(key_id)) is not None:
                found[key_id] = key
            elif KEY_ID.fullmatch(key_id):
                missing.append(key_id)
            else:
                raise KeyMissing("wrong shape of an id")
        if missing:
            found |= await (self._makes if make else self._reads)(missing)
        return found

    def at_hand(self) -> Callable[[str], AESGCM | Unreadable | None]:
        """Keys by their ids, as far as they are cached at this moment or stay SHUT; None: to be fetched."""
        now, cache, wrap = time.monotonic(), self._cache, self._wrap

        def key_of(key_id: str) -> AESGCM | Unreadable | None:
            kept = cache.get(key_id)
            if kept and kept[0] > now:
                return kept[1]
            return None if _table(key_id) in wrap else SHUT

        return key_of

    async def ping(self) -> None:
        """Raises asyncpg's and OS errors when the keyring is out of reach."""
        await self._pool.fetchval("select 1")

    async def destroy(self, *key_ids: str) -> int:
        """Crypto-erase person and text keys; how many were not erased until now. Codes keys stay."""
        wanted = sorted({key_id for key_id in key_ids if not key_id.startswith("codes/")})
        for key_id in wanted:
            self._cache.pop(key_id, None)
        return len(await self._pool.fetch(DESTROY, wanted))

    async def _read(self, make: bool, asked: Sequence[Sequence[str]]) -> Sequence[Keys | Exception]:
        """What each asked for, with one visit."""
        now = time.monotonic()
        wanted = {key_id for ids in asked for key_id in ids}
        wanted |= {twin for key_id in wanted if (twin := _twin(key_id))}
        rows: list[asyncpg.Record] = []
        if make:
            places = self._by_table(wanted)
            wrapped = [[self._wrapped(key_id) for key_id in ids] for ids in places]
            rows = await self._pool.fetch(self._new, *places, *wrapped)
            point("keyring.made")
        if left := wanted - {row["id"] for row in rows}:
            rows += await self._pool.fetch(self._known, *self._by_table(left))
            point("keyring.read_back")
        keys = {row["id"]: self._unwrapped(row) for row in rows}
        for key_id, key in keys.items():
            if not isinstance(key, KeyMissing):
                self._cache[key_id] = now + CACHE_SECONDS, key
                self._cache.move_to_end(key_id)
        while len(self._cache) > CACHE_KEYS:
            self._cache.popitem(last=False)
        return [_of(keys, ids) for ids in asked]

    def _by_table(self, ids: Iterable[str]) -> list[list[str]]:
        return [sorted(id for id in ids if _table(id) == table) for table in self._tables]

    def _wrapped(self, key_id: str) -> bytes:
        nonce = os.urandom(12)
        return nonce + self._wrap[_table(key_id)].encrypt(nonce, os.urandom(32), key_id.encode())

    def _unwrapped(self, row: asyncpg.Record) -> AESGCM | Unreadable | KeyMissing:
        if row["wrapped"] is None:
            return ERASED
        nonce, sealed = row["wrapped"][:12], row["wrapped"][12:]
        try:
            wrap = self._wrap[_table(row["id"])]
            return AESGCM(wrap.decrypt(nonce, sealed, row["id"].encode()))
        except InvalidTag:
            return KeyMissing("a key does not open with this master key")


def _of(
    keys: Mapping[str, AESGCM | Unreadable | KeyMissing], ids: Sequence[str]
) -> Keys | KeyMissing:
    found: Keys = {}
    for key_id in ids:
        key = keys.get(key_id, KeyMissing("a key is not in the keyring"))
        if isinstance(key, KeyMissing):
            return key
        found[key_id] = key
    return found


def _table(key_id: str) -> str:
    return "codes_key" if key_id.startswith("codes/") else "data_key"


def _twin(key_id: str) -> str | None:
    kind, _, of = key_id.partition("/")
    return f"{TWINS[kind]}/{of}" if kind in TWINS else None


def _statements(tables: Sequence[str]) -> tuple[str, str]:
    """The keys that are there; and the same after what was missing is made, but for those that somebody
    makes just now. Parameters: the ids of each table, then what is kept of new ones.
    """
    places = [
        {"table": table, "ids": n, "wrapped": n + len(tables)} for n, table in enumerate(tables, 1)
    ]
    known, made = (
        " union all ".join(part.format(**place) for place in places) for part in (KEYS, MADE)
    )
    make = ", ".join(MAKE.format(**place) for place in places)
    return known, f"with {make} {made} union all {known}"
