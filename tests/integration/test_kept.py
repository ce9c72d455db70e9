"""What is kept of a batch: the same whether its events came alone or together, and as they were sent."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID, uuid4

import pytest
from pydantic_core import from_json, to_json

from shared.broker import BETWEEN
from shared.contracts import Envelope
from shared.db import REFUSED, Connection
from shared.kept import FEW, KEPT, keep, line
from shared.sealing import envelope_of
from tests.integration._kit import Kit, context, stream_of, worry

TEXTS = (
    '逆斜線 \\ と \\n と "引用"',
    "𠮷田 葛󠄀城",
    "一行目\n二行目\r\t",
    "\u2028 \x7f \\.",
    "\\N",
    "\x1f",
    "",
)


async def everything(db: Connection) -> list[Any]:
    return list(await db.fetch("select * from kept order by stream"))


async def kept_by(db: Connection, parts: Sequence[Sequence[bytes]]) -> list[Any]:
    await db.execute("truncate kept")
    for part in parts:
        await keep(db, part)
    return await everything(db)


def events() -> list[tuple[Envelope, dict[str, Any]]]:
    """More than FEW, with and without what may be missing."""
    found = []
    for n in range(FEW + 5):
        text, id = TEXTS[n % len(TEXTS)], uuid4()
        at = context().at
        rest = ("consent/1\\2", uuid4(), "00-trace-01") if n % 2 else (None, None, None)
        envelope = Envelope(
            id, f"{stream_of(id)}\\{n}", n + 1, f"鍵\\{n}", worry(id, "").TYPE, at, at, "tanaka",
            "city-fukushi", UUID(int=n), *rest,
        )  # fmt: skip
        found.append((envelope, {"case": str(id), "text": text, "more": [text, None, {"n": n}]}))
    return found


async def test_many_are_kept_as_each_alone_is_and_as_they_were_sent(spine: Kit) -> None:
    sent = events()
    lines = [line(*one) for one in sent]
    laid_out = b"\t ".join([b"", to_json(sent[0][1]), b""])  # JSON may hold blanks
    lines[0] = BETWEEN.join((*lines[0].split(BETWEEN)[:-1], laid_out))
    async with spine.pool.acquire() as db, db.transaction():
        await db.execute("create schema a; set local search_path to a, public")
        await db.execute(KEPT)
        alone = await kept_by(db, [[one] for one in lines])
        together = await kept_by(db, [lines])
        assert alone == together
        kept = {row["id"]: (envelope_of(row), row["data"]) for row in together}
        assert kept == {envelope.id: (envelope, from_json(to_json(w))) for envelope, w in sent}


async def test_one_that_is_there_already_changes_nothing_alone_and_has_a_batch_looked_through(
    spine: Kit,
) -> None:
    lines = [line(*one) for one in events()]
    async with spine.pool.acquire() as db, db.transaction():
        await db.execute("create schema a; set local search_path to a, public")
        await db.execute(KEPT)
        await keep(db, lines[:1])
        before = await everything(db)
        await keep(db, lines[:1])
        assert await everything(db) == before
        with pytest.raises(REFUSED):
            async with db.transaction():
                await keep(db, lines)
        assert await everything(db) == before
