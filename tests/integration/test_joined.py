"""Merged cases, judged as one: facts joined, consents only as confirmed, undone as if it had never been."""

import random
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import pytest

from operate.stack import Stack
from services.views.domain.disclose import disclose
from services.views.domain.document import Handles, content, digest
from services.views.domain.facts import facts
from services.views.domain.grant import Bases
from shared import views
from shared.contracts import Envelope, Event, Recorded
from shared.contracts.intake import (
    CaseOpened,
    CasesMerged,
    ConsentConfirmed,
    ConsentRecorded,
    MergeEvent,
    MergeUndone,
    PersonDescribed,
    PersonJoined,
    SituationRecorded,
)
from tests.integration._service import Running, service_on
from tests.integration.test_views import Town

FIXED = datetime(2026, 4, 1, tzinfo=UTC)
REMEMBERED = {"merges", "kept"}
"""`merges` holds the merge itself; the ids of `kept` are new each time."""


class Two(Town):
    """A second case, of a person who is Hana too."""

    def __init__(self, views: Running) -> None:
        super().__init__(views)
        self.other, self.twin = uuid4(), uuid4()
        self.merge = CasesMerged(
            merge=uuid4(), merged=self.other, into=self.case, same=((self.twin, self.hana),)
        )

    async def open(self) -> None:
        await super().open()
        await self.views.tell(
            CaseOpened(case=self.other, household=uuid4(), lead="shakyo", route="agency"),
            PersonJoined(case=self.other, person=self.twin, relation="self"),
            self.there(health="腰の痛み"),
            agency="shakyo",
        )
        await self.judged()

    def there(self, **values: str) -> SituationRecorded:
        return SituationRecorded(case=self.other, person=self.twin, **values)

    def given_there(self, holder: str, **terms: Any) -> ConsentRecorded:
        consent = self.consent(holder, **terms)
        return consent.model_copy(update={"case": self.other, "person": self.twin})

    async def tell(self, *events: Event) -> None:
        await self.views.tell(*events)
        await self.judged()

    async def shown(self, agency: str, case: UUID) -> set[str]:
        found = [d for d in await self.documents(agency) if d.case == case]
        return {ref.field for ref in found[-1].items} if found else set()

    async def account(self, *roles: str) -> Any:
        client = self.views.client("city", *roles)
        return await client.get(f"/v1/merges/{self.merge.merge}")


@pytest.fixture
async def two(servers: Stack, templates: None) -> AsyncIterator[Two]:
    async with service_on(servers, "views") as running:
        made = Two(running)
        await made.open()
        yield made


async def test_a_consent_reaches_the_other_case_once_it_is_confirmed_and_no_longer(
    two: Two,
) -> None:
    there = two.given_there(two.care, classes=("health_disability", "money"))
    await two.tell(there, two.fact(money="年金のみ"))
    assert await two.shown(two.care, two.other) == {"health"}
    await two.tell(two.merge)
    assert await two.shown(two.care, two.case) == set()
    await two.tell(ConsentConfirmed(merge=two.merge.merge, consent=there.consent))
    assert await two.shown(two.care, two.case) == {"health", "money"}
    assert (await two.account("privacy_officer")).json()["incident"] is False
    await two.tell(MergeUndone(merge=two.merge.merge, reason="別の方"))
    last = (await two.documents(two.care))[-1]
    assert (last.case, last.items, last.cause) == (two.case, (), "content_ended")
    assert await two.shown(two.care, two.other) == {"health"}
    assert sum(d.case == two.other for d in await two.documents(two.care)) == 1


async def test_what_was_disclosed_through_a_merge_is_an_incident_to_look_at(two: Two) -> None:
    here, there = two.consent(two.care), two.given_there(two.clinic, classes=("money",))
    await two.tell(here, there, two.fact(money="年金のみ"))
    await two.tell(two.merge)
    for consent in (here, there):
        await two.tell(ConsentConfirmed(merge=two.merge.merge, consent=consent.consent))
    await two.tell(MergeUndone(merge=two.merge.merge, reason="別の方"))
    for role in ("supervisor", "matcher", "system"):
        assert (await two.account(role)).status_code == 403
    account = (await two.account("privacy_officer")).json()
    assert (account["undone"], account["incident"]) == (True, True)
    grown = {one["agency"]: one for one in account["grown"]}
    for agency in (two.care, two.clinic):
        one = grown[agency]
        assert (one["case"], one["crossing"], one["shown_now"]) == (str(two.case), 1, False)
    assert "年金" not in str(account)
    client = two.views.client("city", "privacy_officer")
    assert (await client.get(f"/v1/merges/{uuid4()}")).status_code == 404


async def test_a_document_does_not_grow_by_a_merge_that_may_be_undone(two: Two) -> None:
    """An event of the merge is parked: whatever it says, nothing new flows until it is known."""
    await two.tell(two.consent(two.care), two.merge)
    undone = MergeUndone(merge=two.merge.merge, reason="別の方")
    two.hear()
    await two.views.apply([await two.views.record(undone, skip=1)])
    await two.views.tell(two.fact(health="腰の痛み"))
    assert len(await two.documents(two.care)) == 1


def moves(two: Two, chance: random.Random) -> Sequence[Event]:
    """A history of two cases, the merge somewhere in it, confirmed or not, and undone at the end."""
    story: list[Event] = []
    given: list[ConsentRecorded] = []
    for _ in range(chance.randint(4, 10)):
        where = chance.choice((two.fact, two.there))
        agency = chance.choice((two.care, two.clinic))
        match chance.randint(0, 3):
            case 0:
                story.append(
                    where(**{chance.choice(("health", "money", "work")): str(chance.random())})
                )
            case 1 | 2:
                consent = chance.choice((two.consent, two.given_there))(
                    agency, classes=chance.choice((("money",), ("health_disability", "money")))
                )
                given.append(consent)
                story.append(consent)
            case 3 if given:
                ended = two.withdrawn(chance.choice(given))
                (home,) = {c.case for c in given if c.consent == ended.consent}
                story.append(ended.model_copy(update={"case": home}))
    at = chance.randint(0, len(story))
    later = [e.consent for e in story[:at] if isinstance(e, ConsentRecorded)]
    confirmed = [
        ConsentConfirmed(merge=two.merge.merge, consent=id) for id in later if chance.random() < 0.7
    ]
    undone = MergeUndone(merge=two.merge.merge, reason="別の方")
    return [*story[:at], two.merge, *confirmed, *story[at:], undone]


async def test_each_document_is_as_if_the_merge_had_never_been(two: Two) -> None:
    """Random histories: what was recorded last is what a judge says who never heard of the merge."""
    for seed in range(6):
        story = Two(two.views)
        await story.open()
        for event in moves(story, random.Random(seed)):
            await story.tell(event)
        judge, now = story.judge, story.rt.clock.now()
        known = await judge.world(story.rt.reads)
        for case, told in (await judge.load(story.rt.reads, [story.case, story.other])).items():
            for agency in (story.care, story.clinic, "city", "shakyo"):
                never = disclose(facts(told.own), Bases.of(told.own), known, agency, now)
                key = story.rt.keys.index_key
                documents = [d for d in await story.documents(agency) if d.case == case]
                if documents or never.items:
                    assert documents[-1].digest == digest(key, content(Handles(key, agency), never))


async def test_each_row_is_as_if_the_merge_had_never_been(two: Two) -> None:
    for seed in range(3):
        story = Two(two.views)
        opened = [
            CaseOpened(case=case, household=uuid4(), lead="city", route="agency")
            for case in (story.case, story.other)
        ]
        events = [*opened, *moves(story, random.Random(seed))]
        assert await rows(two.views, events) == await rows(two.views, without_merge(events))


async def test_each_row_of_intake_too(servers: Stack, templates: None) -> None:
    one, two = uuid4(), uuid4()
    merge = CasesMerged(merge=uuid4(), merged=one, into=two)
    events: list[Event] = [merge]
    for case, agency in ((one, "city"), (two, "shakyo")):
        events.insert(0, CaseOpened(case=case, household=uuid4(), lead=agency, route="agency"))
        events.append(PersonJoined(case=case, person=case, relation="self"))
        events.append(PersonDescribed(case=case, person=case, kana="ヨシダ ハナ", birth="1944"))
    events.append(MergeUndone(merge=merge.merge, reason="別の方"))
    async with service_on(servers, "intake") as intake:
        assert await rows(intake, events) == await rows(intake, without_merge(events))


def without_merge(events: Sequence[Event]) -> list[Event]:
    return [event for event in events if not isinstance(event, MergeEvent)]


async def rows(running: Running, events: Sequence[Event]) -> dict[str, list[Any]]:
    """What the fold of these events puts into each table, in a number that is given up again."""
    rt, view = running.rt, running.rt.applier.view
    versions: Counter[str] = Counter()
    told: list[Recorded] = []
    for event in events:
        stream = f"{event.STREAM}/{getattr(event, event.STREAM)}"
        versions[stream] += 1
        id = uuid4()
        key = str(getattr(event, "case", stream))
        envelope = Envelope(
            id, stream, versions[stream], key, event.TYPE, FIXED, FIXED, "tanaka", "city", id
        )
        told.append(Recorded(event, envelope, {}))
    found: dict[str, list[Any]] = {}
    async with rt.pool.acquire() as db:
        work = db.transaction()
        await work.start()
        number = await views.build(db, view)
        await views.work_on(db, number)
        await view.fold(db, told)
        for row in await db.fetch(views.TABLES, f"view_{number}"):
            if (name := row["tablename"]) not in REMEMBERED:
                lines = await db.fetch(f"select to_jsonb(t)::text as line from {name} t order by 1")
                found[name] = [line["line"] for line in lines]
        await work.rollback()
    assert any(found.values())
    return found
