"""The limit of the live fold: the same Faust, and nothing but an upsert of what it brings."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Sequence

from operate.bench.follower import upsert
from operate.bench.place import BARE
from services.metrics import stream
from shared.db import Pool, pool
from shared.follow import Record
from shared.settings import Kafka


class Upserts:
    def __init__(self, db: Pool) -> None:
        self._db = db

    async def gather(self) -> None:
        return None

    async def apply(self, records: Sequence[Record]) -> None:
        await upsert(self._db, records)


async def main() -> None:
    kafka = Kafka.model_validate_json(os.environ["KAFKA"])
    async with pool(os.environ["DATABASE_URL"]) as db:
        await stream.live(stream.app(kafka), (BARE,), Upserts(db))


if __name__ == "__main__":
    asyncio.run(main())
