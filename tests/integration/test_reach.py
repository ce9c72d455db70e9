"""Metrics beside Faust: what Faust passes over, lets lie or never heard of is brought in all the same."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from itertools import count
from types import SimpleNamespace
from typing import Any
from uuid import uuid4

import pytest

from operate.stack import Stack
from services.metrics import catch_up, stream
from services.metrics.catch_up import Reach
from shared.follow import Record
from tests.integration._kit import Kit, stream_of, until
from tests.integration._place import drop_topic, make_topic


@asynccontextmanager
async def reaching(spine: Kit) -> AsyncIterator[Reach]:
    rt: Any = SimpleNamespace(applier=await spine.applier(), kafka=spine.kafka, pool=spine.pool)
    reach = Reach(rt)
    async with reach.caught_up():
        yield reach


async def published(spine: Kit, *versions: int) -> tuple[str, list[Record]]:
    case = uuid4()
    await spine.publish([await spine.message(case, n, str(n)) for n in versions])
    return stream_of(case), [r for r in await spine.on_topic() if r.key == str(case).encode()]


async def test_what_faust_passed_over_is_read_first(spine: Kit) -> None:
    async with reaching(spine) as reach:
        name, records = await published(spine, 1, 2, 3, 4)
        await reach.apply(records[3:])
        assert await spine.applied() == {name: [1, 2, 3, 4]}
        assert await reach.settled()
    assert not await spine.parked()


async def test_what_faust_brings_again_is_applied_once(spine: Kit) -> None:
    async with reaching(spine) as reach:
        name, records = await published(spine, 1, 2, 3)
        await reach.apply(records)
        await reach.apply(records[1:])
        assert await spine.applied() == {name: [1, 2, 3]}


async def test_what_faust_lets_lie_is_brought_in(
    spine: Kit, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(catch_up, "LOOK_SECONDS", 0.1)
    async with reaching(spine) as reach:
        watching = asyncio.create_task(reach.watch())
        name, _ = await published(spine, 1, 2, 3)
        await spine.reached({name: [1, 2, 3]})
        watching.cancel()


async def test_a_topic_made_anew_is_read_from_its_start(spine: Kit, servers: Stack) -> None:
    async with reaching(spine):
        pass
    old, _ = await published(spine, 1, 2, 3)
    async with reaching(spine):
        assert await spine.applied() == {old: [1, 2, 3]}
    await asyncio.to_thread(drop_topic, servers, spine.topic)
    await asyncio.to_thread(make_topic, servers, spine.topic)
    cases = [uuid4() for _ in range(12)]  # it has grown past the place in the old one
    await spine.publish([await spine.message(c, n, str(n)) for c in cases for n in (1, 2)])
    async with reaching(spine):
        assert await spine.applied() == {old: [1, 2, 3], **{stream_of(c): [1, 2] for c in cases}}


class Gathers:
    """Somebody waits for nothing until `hurried`."""

    def __init__(self) -> None:
        self.got: list[int] = []
        self.gathering, self.hurried = asyncio.Event(), asyncio.Event()

    async def gather(self) -> None:
        self.gathering.set()
        await self.hurried.wait()

    async def apply(self, records: Sequence[Record]) -> None:
        self.got += [record.offset for record in records]


async def test_faust_too_leaves_the_broker_alone_while_nobody_waits(spine: Kit) -> None:
    here, case, versions = Gathers(), uuid4(), count(1)

    async def tell() -> int:
        version = next(versions)
        await spine.publish([await spine.message(case, version, str(version))])
        return version

    async def gathers() -> bool:
        await tell()
        return here.gathering.is_set()

    async def has_all() -> bool:
        return here.got == list(range(told))

    faust = asyncio.create_task(stream.live(stream.app(spine.kafka), (spine.topic,), here))
    try:
        await until(gathers)
        told = await tell()
        assert told - 1 not in here.got
        here.hurried.set()
        await until(has_all)
    finally:
        faust.cancel()
        await asyncio.gather(faust, return_exceptions=True)
