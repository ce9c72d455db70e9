"""A city of invented households in intake's journal, as the service itself would have written them.

They are sealed and appended by the journal; the running service sends and folds them as all else.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from random import Random
from uuid import UUID, uuid4

from operate.bench.people import Invented, invented
from shared.contracts.intake import (
    CaseOpened,
    CaseScreened,
    ContactRecorded,
    NoticeReceived,
    PersonJoined,
    StaffAssigned,
)
from shared.journal import Addition, Context
from shared.runtime import Runtime

LARGE = "city-fukushi"
DESKS = tuple(f"desk-{n:02}" for n in range(1, 23))
SHARE_OF_LARGE = 0.6
STAFF = 20
"""At each desk; the first of them is who is asked for."""
TOGETHER = 200
SIZES = ((1, 2, 3, 4), (20, 32, 28, 20))
WATCHED, WAITING = 0.06, 0.02
"""Shares of cases that are screened as not yet consented, and of notices that nobody has taken."""
FOLDED = """
select (select coalesce(sum(version), 0) from inbox where view like 'intake-%')
     = (select count(*) from journal)"""


@dataclass
class Town:
    """What was written. `kana`: all that anybody in it is called."""

    persons: int = 0
    cases: int = 0
    events: int = 0
    kana: set[str] = field(default_factory=set)


def members(random: Random) -> list[Invented]:
    """One household: they share the family name and the address."""
    first = invented(random)
    size = random.choices(*SIZES)[0]
    others = [invented(random) for _ in range(size - 1)]
    return [first, *(replace(one, family=first.family, address=first.address) for one in others)]


async def fill(
    rt: Runtime, persons: int, special: Sequence[tuple[str, UUID, Invented]] = ()
) -> Town:
    """`special`: persons of their own case, with the desk that leads it, besides the others."""
    random, town = Random(1), Town()
    batch: list[Addition] = []

    async def write() -> None:
        await rt.journal.append_all(rt.pool, batch)
        town.events += sum(len(addition.events) for addition in batch)
        batch.clear()

    for lead, case, one in special:
        batch += household(rt, random, town, lead, case, [one])
    while town.persons < persons:
        lead = LARGE if random.random() < SHARE_OF_LARGE else random.choice(DESKS)
        batch += household(rt, random, town, lead, uuid4(), members(random))
        if len(batch) > TOGETHER:
            await write()
    if batch:
        await write()
    return town


def household(
    rt: Runtime, random: Random, town: Town, lead: str, case: UUID, people: list[Invented]
) -> list[Addition]:
    now = rt.clock.now()
    staff = f"staff-{random.randrange(STAFF):02}"
    context = Context(staff, lead, now, now)
    opened = CaseOpened(case=case, household=uuid4(), lead=lead, route="family_visit")
    told: list[object] = [opened]
    for n, one in enumerate(people):
        person = uuid4()
        joined = PersonJoined(case=case, person=person, relation="other" if n else "self")
        told += [joined, one.described(case, person)]
        town.kana.add(one.kana)
    town.persons += len(people)
    town.cases += 1
    key, found = str(case), []
    if random.random() < WATCHED:
        told.append(CaseScreened(case=case, outcome="not_yet_consented"))
        for method in random.choices(("visit", "absent", "phone"), k=random.randrange(4)):
            line = ContactRecorded(
                record=uuid4(), case=case, method=method, kind="outreach", text="玄関先で話した。",
                next_action="再訪問", next_on=now.date(),
            )  # fmt: skip
            found.append(Addition(f"record/{line.record}", key, 0, [line], context))
    if random.random() < WAITING:
        notice = NoticeReceived(notice=uuid4(), to=lead, kind="memo", text="新聞がたまっている")
        found.append(Addition(f"notice/{notice.notice}", str(notice.notice), 0, [notice], context))
    assigned = StaffAssigned(case=case, agency=lead, staff=staff)
    return [
        Addition(f"case/{case}", key, 0, told, context),  # type: ignore[arg-type]
        Addition(f"assignment/{lead}/{case}", key, 0, [assigned], context),
        *found,
    ]


async def folded(rt: Runtime) -> None:
    """Wait until the running service has folded all that it has written."""
    while not await rt.pool.fetchval(FOLDED, timeout=300):  # noqa: ASYNC110
        await asyncio.sleep(1)
