"""Data keys, wrapped by master keys, in a database of their own; cached for a short real time."""

import os
import time
from collections.abc import Iterable

import asyncpg
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from shared.contracts import ERASED, SHUT, Unreadable
from shared.db import Pool
from shared.kill import point

CACHE_SECONDS = 45.0
"""Below the promised 60 s, so that a destroyed key is forgotten in time everywhere."""
CACHE_KEYS = 100_000

KEYS = "select id, wrapped from {table} where id = any($1::text[])"
NEW_KEYS = """
insert into {table} (id, wrapped) select * from unnest($1::text[], $2::bytea[])
on conflict (id) do nothing"""
DESTROY = """
update data_key set wrapped = null, destroyed_at = now() where id = $1 and wrapped is not null
returning id"""


class KeyMissing(Exception):
    """No such key: it was never made here, or the keyring was set back. Lasting trouble."""


class Keyring:
    """`master` None: this service may open codes only, everything else stays SHUT."""

    def __init__(self, pool: Pool, codes: bytes, master: bytes | None) -> None:
        self._pool = pool
        self._wrap = {"codes_key": AESGCM(codes)}
        if master is not None:
            self._wrap["data_key"] = AESGCM(master)
        self._cache: dict[str, tuple[float, AESGCM | Unreadable]] = {}

    async def fetch(
        self, ids: Iterable[str], *, make: bool = False
    ) -> dict[str, AESGCM | Unreadable]:
        """The key of each id. Raises KeyMissing, or asyncpg's and OS errors when out of reach.

        `make` creates what is missing and is committed before it returns, so that no event
        can refer to a key that a crash took away.
        """
        found: dict[str, AESGCM | Unreadable] = {}
        missing: dict[str, list[str]] = {}
        now = time.monotonic()
        for key_id in set(ids):
            kept = self._cache.get(key_id)
            table = "codes_key" if key_id.startswith("codes/") else "data_key"
            if kept and kept[0] > now:
                found[key_id] = kept[1]
            elif table not in self._wrap:
                found[key_id] = SHUT
            else:
                missing.setdefault(table, []).append(key_id)
        for table, wanted in missing.items():
            found |= await self._read(table, wanted, make, now)
        return found

    async def ping(self) -> None:
        """Raises asyncpg's and OS errors when the keyring is out of reach."""
        await self._pool.fetchval("select 1")

    async def destroy(self, key_id: str) -> bool:
        """Crypto-erase one person or text key; True if it existed until now."""
        self._cache.pop(key_id, None)
        return await self._pool.fetchval(DESTROY, key_id) is not None

    async def _read(
        self, table: str, wanted: list[str], make: bool, now: float
    ) -> dict[str, AESGCM | Unreadable]:
        rows = await self._pool.fetch(KEYS.format(table=table), wanted)
        absent = sorted(set(wanted) - {row["id"] for row in rows})
        if absent and not make:
            raise KeyMissing(f"{len(absent)} keys are not in the keyring")
        if absent:
            wrapped = [self._wrapped(table, key_id) for key_id in absent]
            await self._pool.execute(NEW_KEYS.format(table=table), absent, wrapped)
            point("keyring.made")
            rows += await self._pool.fetch(KEYS.format(table=table), absent)
            point("keyring.read_back")
        if len(self._cache) > CACHE_KEYS:
            self._cache = {k: v for k, v in self._cache.items() if v[0] > now}
        keys = {row["id"]: self._unwrapped(table, row) for row in rows}
        self._cache |= {k: (now + CACHE_SECONDS, v) for k, v in keys.items()}
        return keys

    def _wrapped(self, table: str, key_id: str) -> bytes:
        nonce = os.urandom(12)
        return nonce + self._wrap[table].encrypt(nonce, os.urandom(32), key_id.encode())

    def _unwrapped(self, table: str, row: asyncpg.Record) -> AESGCM | Unreadable:
        if row["wrapped"] is None:
            return ERASED
        nonce, sealed = row["wrapped"][:12], row["wrapped"][12:]
        try:
            return AESGCM(self._wrap[table].decrypt(nonce, sealed, row["id"].encode()))
        except InvalidTag:
            raise KeyMissing("a key does not open with this master key") from None
