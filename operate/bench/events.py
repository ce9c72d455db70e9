"""Events as intake writes them: a worry in the person's words, on one of a few hundred cases."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from uuid_utils.compat import uuid7

from shared.contracts import Envelope
from shared.contracts.intake import WorriesRecorded
from shared.journal import Context, Journal
from shared.runtime import Runtime

CASES = 500
CHUNK = 1_000
TEXT = "家賃を二か月ためてしまい、どこに相談すればよいのか分からない。" * 2

NEWEST = "select coalesce(max(seq), 0) from journal"

Sealed = tuple[Sequence[Envelope], Sequence[dict[str, Any]]]


def worry(case: UUID) -> WorriesRecorded:
    return WorriesRecorded(case=case, concerns=("money", "housing"), text=TEXT)


def context() -> Context:
    at = datetime.now(UTC)
    return Context("bench", "city-fukushi", at, at)


def envelope(case: UUID, version: int) -> Envelope:
    at = datetime.now(UTC)
    return Envelope(
        id=uuid7(), stream=f"case/{case}", version=version, key=str(case),
        type=WorriesRecorded.TYPE, at=at, occurred_at=at, actor="bench", agency="city-fukushi",
        correlation=uuid7(),
    )  # fmt: skip


async def sealed(rt: Runtime, count: int) -> list[Sealed]:
    """So many events in chunks, dealt out to the cases in turn, each case's in order."""
    cases = [uuid7() for _ in range(CASES)]
    chunks: list[Sealed] = []
    for start in range(0, count, CHUNK):
        marks = [
            envelope(cases[n % CASES], n // CASES + 1)
            for n in range(start, min(start + CHUNK, count))
        ]
        wires = await rt.codec.seal([(worry(UUID(mark.key)), mark) for mark in marks])
        chunks.append((marks, wires))
    return chunks


async def written(rt: Runtime, chunks: Sequence[Sealed]) -> None:
    """Committed, and not on any topic."""
    for envelopes, wires in chunks:
        async with rt.pool.acquire() as db:
            await Journal.insert(db, envelopes, wires)
