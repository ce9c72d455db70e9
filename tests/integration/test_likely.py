"""Likely duplicates as they are kept: what comparing all with all finds, whenever who was compared."""

from collections import defaultdict
from collections.abc import AsyncIterator
from random import Random
from typing import Any
from uuid import UUID, uuid4

import pytest
import pytest_asyncio

from operate.bench.people import labelled
from operate.stack import Stack
from services.intake import likely
from services.intake.domain import matching
from services.intake.domain.matching import likeness, looked_at, marks, traits
from shared.contracts import Event
from shared.contracts.intake import (
    CaseDisposed,
    CaselessDisposed,
    CaseOpened,
    NoticeReceived,
    NoticeTaken,
    PersonDescribed,
)
from tests.integration._service import Running, service_on

Place = tuple[UUID, UUID]
Pairs = dict[tuple[Place, Place], tuple[float, dict[str, str]]]
KEPT = "select * from likely"


@pytest_asyncio.fixture
async def intake(servers: Stack, templates: None) -> AsyncIterator[Running]:
    async with service_on(servers, "intake") as running:
        yield running


def opened(case: UUID) -> CaseOpened:
    return CaseOpened(case=case, household=uuid4(), lead="city", route="agency")


async def kept(running: Running) -> Pairs:
    return {
        ((r["case_a"], r["person_a"]), (r["case_b"], r["person_b"])): (r["points"], r["levels"])
        for r in await running.rt.reads.fetch(KEPT)
    }


def all_with_all(known: dict[Place, list[PersonDescribed]]) -> Pairs:
    """By the rule alone."""
    looks: dict[Place, dict[str, str]] = {}
    likes: dict[Place, dict[str, set[str]]] = {}
    for place, told in known.items():
        looks[place], likes[place] = {}, {}
        for one in told:
            looks[place] |= marks(one)
            likes[place] |= traits(one)
    found: Pairs = {}
    for a in known:
        for b in known:
            if a < b and a[0] != b[0] and a[1] != b[1] and looked_at(looks[a], looks[b]):
                alike = likeness(likes[a], likes[b])
                if alike.likely:
                    found[a, b] = alike.points, dict(alike.levels)
    return found


async def test_what_is_kept_is_what_comparing_all_with_all_finds(
    intake: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Described anew, taken from a notice, disposed of; compared in pieces, at any moments between."""
    monkeypatch.setattr(likely, "PIECE", 7)
    random = Random(11)
    known: dict[Place, list[PersonDescribed]] = defaultdict(list)
    streams: list[list[Event]] = []
    for pair in labelled(random, 30):
        for person in (pair.one, pair.other):
            case, id = uuid4(), uuid4()
            told = [person.described(case, id)]
            if random.random() < 0.2:  # he is somebody else after all
                told.append(next(iter(labelled(random, 1))).one.described(case, id))
            known[case, id] = told
            streams.append([opened(case), *told])
    first = next(iter(known))
    about = known[first][0]
    notice, taken_into = uuid4(), uuid4()
    received = NoticeReceived(
        notice=notice, to="city", kind="memo", about=about.name, place=about.address, text="心配"
    )
    streams.append([received, NoticeTaken(notice=notice, into=taken_into)])
    words = {"name": about.name, "address": about.address}
    known[taken_into, notice] = [PersonDescribed(case=taken_into, person=notice, **words)]
    gone = next(one for pair in all_with_all(known) for one in pair if notice not in one)
    while streams:
        stream = random.choice(streams)
        await intake.tell(stream.pop(0))
        streams = [left for left in streams if left]
        if random.random() < 0.1:
            await likely.compare(intake.rt)
    await likely.compare(intake.rt)
    found = await kept(intake)
    assert found == all_with_all(known)
    assert len(found) >= 8
    assert any(gone in pair for pair in found)

    await intake.tell(CaseDisposed(case=gone[0], approval=uuid4()))
    await likely.compare(intake.rt)
    del known[gone]
    assert await kept(intake) == all_with_all(known)


async def test_nothing_is_kept_to_compare_by_of_a_notice_that_was_disposed_of(
    intake: Running,
) -> None:
    for turn in (1, -1):
        notice = uuid4()
        received = NoticeReceived(
            notice=notice, to="city", kind="memo", about="𠮷田 葛󠄀花", text="心配"
        )
        gone = CaselessDisposed(caseless=notice, approval=uuid4())
        for event in (received, gone)[::turn]:
            await intake.tell(event)
    assert not await intake.rt.reads.fetch("select from marks")


async def test_another_rule_compares_all_again(
    intake: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    people = [pair.one for pair in labelled(Random(1), 1)] * 2
    for person in people:
        case = uuid4()
        await intake.tell(opened(case), person.described(case, uuid4()))
    await likely.compare(intake.rt)
    assert len(await kept(intake)) == 1
    rule: dict[str, Any] = {**matching._rule(), "threshold": 100.0}
    monkeypatch.setattr(matching, "_rule", lambda: rule)
    await likely.compare(intake.rt)
    assert len(await kept(intake)) == 1  # nobody says yet that the rule is another
    monkeypatch.setattr(likely, "rule_mark", lambda: 1)
    await likely.compare(intake.rt)
    assert await kept(intake) == {}
