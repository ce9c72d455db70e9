"""Un-merge restores every view and figure, bit for bit: histories with merges, all undone at last (L18).

The same histories are told to two services, byte for byte, but that the second never hears of a merge. Then
each row of each table is the same in both (but for the list of merges, of which none holds), and so is what
each agency holds: its documents with content, their items, handles and digests. Not compared: how often a
document changed on the way, and an empty one in place of none.
"""

from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import zip_longest
from typing import Any
from uuid import UUID, uuid4

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from operate.stack import Stack
from services.metrics.timeline import fold
from shared import views
from shared.contracts import Event, Recorded
from shared.contracts.intake import (
    CaseClosed,
    CaseDisposed,
    CaseOpened,
    CasesMerged,
    ConsentConfirmed,
    ConsentRecorded,
    ConsentWithdrawn,
    ContactCorrected,
    ContactRecorded,
    ItemProtected,
    MergeEvent,
    MergeUndone,
    PersonDescribed,
    PersonFlagged,
    PersonJoined,
    ProtectionLifted,
    SituationRecorded,
    UrgentAsserted,
)
from shared.contracts.referral import AgencyRegistered
from shared.contracts.views import DocumentChanged
from shared.follow import Record
from tests.integration._service import Running, service_on
from tests.integration.test_views import Town

DAY = timedelta(days=1)
LEADS = ("city", "shakyo", "center")
HOLDERS = ("care", "clinic")
CLASSES = (("contact",), ("money",), ("health_disability", "money"), ("life_history", "contact"))
KINDS = (
    *("fact", "fact", "described", "line", "corrected", "consent", "consent", "consent", "withdrawn"),
    *("urgent", "protected", "lifted", "flagged", "closed", "disposed"),
    *("merge", "merge", "merge", "confirm", "confirm", "confirm", "undo"),
)  # fmt: skip
Move = tuple[str, int, int]
MOVES = st.tuples(st.sampled_from(KINDS), st.integers(0, 2), st.integers(0, 7))
HISTORIES = st.lists(st.lists(MOVES, min_size=4, max_size=14), min_size=8, max_size=12)


@dataclass
class Story:
    """Three cases with a person each, who may be one; what has been told of them so far."""

    now: datetime
    cases: tuple[UUID, ...] = field(default_factory=lambda: tuple(uuid4() for _ in LEADS))
    people: tuple[UUID, ...] = field(default_factory=lambda: tuple(uuid4() for _ in LEADS))
    consents: list[ConsentRecorded] = field(default_factory=list)
    lines: list[ContactRecorded] = field(default_factory=list)
    merges: list[CasesMerged] = field(default_factory=list)
    gone: set[UUID] = field(default_factory=set)

    def opened(self) -> list[Event]:
        told: list[Event] = []
        for case, person, lead in zip(self.cases, self.people, LEADS, strict=True):
            told.append(CaseOpened(case=case, household=uuid4(), lead=lead, route="agency"))
            told.append(PersonJoined(case=case, person=person, relation="self"))
        return told

    def next(self, move: Move) -> Event | None:
        """What it comes to where things stand; None: nothing."""
        kind, n, m = move
        if kind in ("merge", "confirm", "undo"):
            return getattr(self, kind)(n, m)  # type: ignore[no-any-return]
        case, person = self.cases[n], self.people[n]
        if case in self.gone:
            return None
        one = {"case": case, "person": person}
        match kind:
            case "fact":
                return SituationRecorded(**one, **{("health", "money", "work")[m % 3]: f"第{m}"})
            case "described":
                return PersonDescribed(**one, kana="ヨシダ ハナ", address=f"𩸽町{m}", birth="1944")
            case "line":
                about = {"record": uuid4(), "case": case, "method": "visit", "kind": "support"}
                self.lines.append(ContactRecorded(**about, subjects=(person,), text=f"訪問{m}"))
                return self.lines[-1]
            case "corrected" if self.lines:
                line = self.lines[m % len(self.lines)]
                if line.case in self.gone:
                    return None
                words = line.model_dump() | {"text": f"訂正{m}", "reason": "聞き違い"}
                return ContactCorrected(**words)
            case "consent":
                given = ConsentRecorded(
                    **one, consent=uuid4(), status="granted", classes=CLASSES[m % 4],
                    purposes=("care",), medium="paper", holders=(HOLDERS[m // 4],),
                    begins=self.now, text_version="1",
                )  # fmt: skip
                self.consents.append(given)
                return given
            case "withdrawn" if self.consents:
                consent = self.consents[m % len(self.consents)]
                return ConsentWithdrawn(consent=consent.consent, case=consent.case)
            case "urgent":
                return UrgentAsserted(
                    basis=uuid4(), case=case, persons=(person,), holders=(HOLDERS[m % 2],),
                    classes=CLASSES[m % 4], danger="life", reason="倒れている", informed="sato",
                    begins=self.now, review_by=self.now + DAY, until=self.now + 9 * DAY,
                )  # fmt: skip
            case "protected":
                return ItemProtected(**one, item="address", named=())
            case "lifted":
                return ProtectionLifted(**one, item="address")
            case "flagged":
                return PersonFlagged(**one, flags=("died",) if m % 2 else ())
            case "closed":
                return CaseClosed(case=case, reason="resolved")
            case "disposed" if m > 4:
                self.gone.add(case)
                return CaseDisposed(case=case, approval=uuid4())
        return None

    def merge(self, n: int, m: int) -> Event | None:
        """As intake lets through, and, now and then, in opposite directions at the same moment (0017)."""
        other = (n + 1 + m % 2) % 3
        one, into = self.cases[n], self.cases[other]
        merged = {merge.merged for merge in self.merges}
        if one in merged or (into in merged and m < 6):
            return None
        same = ((self.people[n], self.people[other]),) if m % 4 else ()
        self.merges.append(CasesMerged(merge=uuid4(), merged=one, into=into, same=same))
        return self.merges[-1]

    def confirm(self, n: int, m: int) -> Event | None:
        if not (self.merges and self.consents):
            return None
        merge, consent = self.merges[n % len(self.merges)], self.consents[m % len(self.consents)]
        return ConsentConfirmed(merge=merge.merge, consent=consent.consent)

    def undo(self, n: int, m: int) -> Event | None:
        if not self.merges:
            return None
        merge = self.merges.pop(m % len(self.merges))
        return MergeUndone(merge=merge.merge, reason="別の方")


class Both:
    """Views that hear of merges, views that never do; and intake, to fold in."""

    def __init__(self, hears: Town, never: Town, intake: Running) -> None:
        self.hears, self.never, self.intake = hears, never, intake
        self.crossed = 0

    async def tell(self, events: Iterable[Event]) -> list[Record]:
        records = []
        never = []
        for event in events:
            agency = getattr(event, "lead", "city")
            records.append(await self.hears.views.record(event, agency))
            if not isinstance(event, MergeEvent):
                never.append(records[-1])
        for town, its in ((self.hears, records), (self.never, never)):
            if its:
                await town.views.apply(its)
                await town.judged()
        return records


@pytest.fixture
async def both(servers: Stack, templates: None) -> AsyncIterator[Both]:
    async with (
        service_on(servers, "views") as hears,
        service_on(servers, "views", keys_of=hears.place) as never,
        service_on(servers, "intake", keys_of=hears.place) as intake,
    ):
        now = never.rt.clock.now()
        await hears.rt.clock.move(hears.rt.pool, now)  # type: ignore[attr-defined]
        made = Both(Town(hears), Town(never), intake)
        for code in HOLDERS:
            about: dict[str, Any] = {"kind": "x", "controller": "private", "purposes": ("care",)}
            await made.tell([AgencyRegistered(agency=code, name=code, **about)])
        yield made
        assert made.crossed, "no merge has shown anything to anybody: nothing was tested"


@settings(
    max_examples=3,
    phases=(Phase.generate,),  # a shorter story would take minutes to find
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(histories=HISTORIES)
async def test_each_row_document_and_figure_is_as_if_no_merge_had_ever_been(
    both: Both, histories: list[list[Move]]
) -> None:
    stories = [Story(both.hears.rt.clock.now()) for _ in histories]
    rounds: list[list[Record]] = [await both.tell(e for story in stories for e in story.opened())]
    for moves in zip_longest(*histories):
        told = [story.next(m) for story, m in zip(stories, moves, strict=True) if m]
        rounds.append(await both.tell([event for event in told if event]))
    n = 0
    while left := [story for story in stories if story.merges]:
        n += 1
        told = [story.undo(0, n * len(story.lines) + len(story.consents)) for story in left]
        rounds.append(await both.tell([event for event in told if event]))

    cases = {case for story in stories for case in story.cases}
    rows, without = await stored(both.hears.views, cases), await stored(both.never.views, cases)
    assert rows.keys() == without.keys()
    for table in rows:
        assert rows[table] == without[table], table
    held, ever = await documents(both.hears.views, cases)
    held_without, ever_without = await documents(both.never.views, cases)
    assert held == held_without
    both.crossed += ever - ever_without

    read = both.hears.rt.applier.read
    events = [[one.event for one in await read(records)] for records in rounds]
    never = [[e for e in some if not isinstance(e.event, MergeEvent)] for some in events]
    assert await folded(both.intake, events) == await folded(both.intake, never)
    figures, same = ({}, {})
    for one, other in zip(events, never, strict=True):
        figures, same = fold(figures, one), fold(same, other)
    assert figures == same


async def stored(running: Running, cases: set[UUID]) -> dict[str, list[str]]:
    """Rows of these cases, of each table of the promoted view."""
    number = running.rt.applier.number
    async with running.rt.pool.acquire() as db, db.transaction():
        await views.work_on(db, number)
        return await lines(db, number, cases)


async def folded(running: Running, events: Sequence[Sequence[Recorded]]) -> dict[str, list[str]]:
    """What the fold of these events puts into each table, in a number that is given up again."""
    async with running.rt.pool.acquire() as db:
        work = db.transaction()
        await work.start()
        number = await views.build(db, running.rt.applier.view)
        await views.work_on(db, number)
        for some in events:
            await running.rt.applier.view.fold(db, some)
        found = await lines(db, number)
        await work.rollback()
    return found


async def lines(db: Any, number: int, cases: set[UUID] | None = None) -> dict[str, list[str]]:
    assert not await db.fetchval("select count(*) from merges where not undone")
    found: dict[str, list[str]] = {}
    for row in await db.fetch(views.TABLES, f"view_{number}"):
        if (name := row["tablename"]) != "merges":
            every = await db.fetch(f"select to_jsonb(t)::text as line from {name} t order by 1")
            found[name] = [
                one["line"]
                for one in every
                if cases is None or any(str(case) in one["line"] for case in cases)
            ]
    return found


async def documents(
    running: Running, cases: set[UUID]
) -> tuple[dict[tuple[str, UUID], tuple[object, ...]], int]:
    """What each agency holds of these cases, as last recorded; and how many records there ever were."""
    found = [d for d in await running.written(DocumentChanged) if d.case in cases]
    newest = {(d.agency, d.case): d for d in found}
    handles = {
        (row["agency"], row["case_id"]): (row["handle"], row["ended"], row["refused"])
        for row in await running.rt.pool.fetch("select * from delivery")
    }
    held = {of: (d.digest, frozenset(d.items), handles[of]) for of, d in newest.items() if d.items}
    return held, len(found)
