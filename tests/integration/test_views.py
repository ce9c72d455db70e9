"""Views: what reaches an agency, from when to when; and that in doubt nothing does."""

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from copy import copy
from datetime import UTC, datetime, timedelta
from typing import Any, Literal
from uuid import UUID, uuid4

import pytest
from joserfc.jwk import KeySet, OKPKey

from agency.sealed import Poison, opened
from agency.sealed import Record as Sealed
from operate.stack import Stack
from services.views import UNDELIVERED
from services.views import judge as judging
from services.views.delivery import document_of
from services.views.domain import disclosure
from services.views.heard import HEARD_SECONDS
from services.views.judge import Judge
from services.views.made import Made
from shared import views
from shared.broker import TopicPartition
from shared.contracts import Event
from shared.contracts.intake import (
    CaseDisposed,
    CaseOpened,
    ConsentRecorded,
    ConsentWithdrawn,
    PersonJoined,
    SituationRecorded,
    StaffBlocked,
    StaffUnblocked,
)
from shared.contracts.referral import AgencyRegistered
from shared.contracts.views import DocumentChanged, ReadingRecorded, SubscriptionRegistered
from shared.db import Connection
from shared.follow import Overtaken
from shared.journal import Context
from shared.kept import FEW
from tests.integration._kit import records_on, running, until
from tests.integration._service import IDS, Running, service_on

KNEE, PENSION = "膝の痛み", "年金のみ"
EVERYTHING = ("intake", "meetings", "referral")
GRADES: list[Literal["delivered", "placed", "opened"]] = ["delivered", "placed", "opened"]


class Town:
    """One household with two agencies that may come to hold something of it."""

    def __init__(self, views: Running) -> None:
        self.views, self.rt = views, views.rt
        mark = uuid4().hex[:8]
        self.care, self.clinic = f"care-{mark}", f"clinic-{mark}"
        self.case, self.hana = uuid4(), uuid4()
        self.judge: Judge = self.rt.state["judge"]

    async def open(self) -> None:
        for code in (self.care, self.clinic):
            await self.views.tell(
                AgencyRegistered(
                    agency=code, name=code, kind="x", controller="private", purposes=("care",)
                )
            )
        await self.views.tell(
            CaseOpened(case=self.case, household=uuid4(), lead="city", route="family_visit"),
            PersonJoined(case=self.case, person=self.hana, relation="self"),
            self.fact(health=KNEE),
        )
        await self.judged()

    def fact(self, **values: str) -> SituationRecorded:
        return SituationRecorded(case=self.case, person=self.hana, **values)

    def consent(self, holder: str, **terms: Any) -> ConsentRecorded:
        terms = {"classes": ("health_disability",), "begins": self.rt.clock.now(), **terms}
        return ConsentRecorded(
            consent=uuid4(), case=self.case, person=self.hana, status="granted",
            purposes=("care",), medium="paper", holders=(holder,), text_version="1", **terms,
        )  # fmt: skip

    def withdrawn(self, consent: ConsentRecorded) -> ConsentWithdrawn:
        return ConsentWithdrawn(consent=consent.consent, case=self.case)

    def hear(self, ago: float = 0, **offsets: Any) -> None:
        """The relays of the services that carry bases say that they are drained; `offsets` are
        those of intake.
        """
        at = datetime.now(UTC) - timedelta(seconds=ago)
        for name in EVERYTHING:
            beat = {
                "service": name,
                "time": at.isoformat(),
                "offsets": offsets if name == "intake" else {},
            }
            self.judge.heard.hear(json.dumps(beat).encode())

    async def judged(self) -> None:
        """Nothing more is to be judged as far as is heard now."""
        self.hear()
        await until(self.judge.settled)

    async def folded(self, *events: Event) -> None:
        """They are in the view, and nobody has judged them yet."""
        self.rt.applier.live = False
        await self.views.tell(*events)
        self.rt.applier.live = True

    async def documents(self, agency: str) -> list[DocumentChanged]:
        found = await self.views.written(DocumentChanged)
        return [event for event in found if event.agency == agency]

    async def fields(self, agency: str) -> set[str]:
        """What the newest recorded document names."""
        found = await self.documents(agency)
        return {ref.field for ref in found[-1].items} if found else set()

    async def delivery(self, column: str, agency: str) -> Any:
        return await self.rt.pool.fetchval(
            f"select {column} from delivery where agency = $1", agency
        )

    async def move(self, days: float) -> None:
        await self.rt.clock.move(self.rt.pool, self.rt.clock.now() + timedelta(days=days))  # type: ignore[attr-defined]


@pytest.fixture
async def town(servers: Stack, templates: None) -> AsyncIterator[Town]:
    async with service_on(servers, "views") as views:
        made = Town(views)
        await made.open()
        yield made


# When nothing may be disclosed.


async def test_catching_up_discloses_nothing_and_then_what_holds_now(town: Town) -> None:
    ended = town.consent(town.care)
    town.rt.applier.live = False
    town.hear()
    await town.views.tell(ended, town.consent(town.clinic))
    await town.views.tell(town.fact(health="腰の痛み"))
    await town.views.tell(town.withdrawn(ended))
    assert not await town.documents(town.care)
    assert not await town.documents(town.clinic)
    town.rt.applier.live = True
    await town.judged()
    assert not await town.documents(town.care)
    (document,) = await town.documents(town.clinic)
    assert (document.document, [ref.field for ref in document.items]) == (1, ["health"])


async def test_what_comes_in_a_large_batch_is_judged_by_all_of_it(town: Town) -> None:
    """More than go with the statement that takes them."""
    given = town.consent(town.care, classes=("health_disability", "money"))
    town.hear()
    await town.views.tell(*[town.fact(money=PENSION) for _ in range(FEW)], given)
    await town.judged()
    assert await town.fields(town.care) == {"health", "money"}


async def gap(town: Town) -> None:
    """A consent of the case arrives without its first version, and is parked."""
    await town.views.apply([await town.views.record(town.consent("other"), skip=1)])


DOUBTS: dict[str, dict[str, Any]] = {
    "silent": {"ago": HEARD_SECONDS + 1},
    "ahead of us": {"0": [IDS["intake"], 10**6]},
    "on another topic": {"0": ["another id", 1]},
}


@pytest.mark.parametrize("doubt", [*DOUBTS, "a consent is parked"])
async def test_a_document_does_not_grow_while_a_basis_may_have_ended(
    town: Town, doubt: str
) -> None:
    if doubt in DOUBTS:
        town.hear(**DOUBTS[doubt])
    else:
        town.hear()
        await gap(town)
    await town.views.tell(town.consent(town.care))
    assert not await town.documents(town.care)
    if doubt in DOUBTS:
        await town.judged()
        assert await town.fields(town.care) == {"health"}


async def test_an_agency_that_acknowledges_in_between_does_not_end_the_settling(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    await town.views.tell(town.consent(town.care, until=town.rt.clock.now() + timedelta(days=1)))
    await town.judged()
    raced = then_acknowledged(town, monkeypatch, 1)
    await town.move(2)
    monkeypatch.setattr(town.judge, "_due", raced)
    assert not await town.judge.settled()
    await town.judged()
    assert await town.fields(town.care) == set()


async def test_what_has_ended_is_taken_back_at_once_however_often_the_agency_acknowledges_in_between(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Once while the batch is taken, once while it is taken again, once while the loop judges the case."""
    consent = town.consent(town.care)
    await town.views.tell(consent)
    await town.judged()
    monkeypatch.setattr(judging, "CAREFUL_SECONDS", 600)
    withdrawn = [await town.views.record(town.withdrawn(consent))]
    async with running(town.judge):
        monkeypatch.setattr(town.judge, "_due", then_acknowledged(town, monkeypatch, 3))
        with pytest.raises(Overtaken):
            await town.views.apply(withdrawn)
        await town.views.apply(withdrawn)
        await until(lambda: nothing_of(town, town.care))


async def nothing_of(town: Town, agency: str) -> bool:
    return not await town.fields(agency)


def then_acknowledged(
    town: Town, monkeypatch: pytest.MonkeyPatch, times: int
) -> Callable[..., Awaitable[Any]]:
    """What is judged next is looked up, and so often the agency acknowledges before it is judged."""
    look, left = town.judge._due, [*range(times)]

    async def due(*args: Any) -> Any:
        seen = await look(*args)
        if seen is None or not left:
            return seen
        left.pop()
        if not left:
            monkeypatch.setattr(town.judge, "_due", look)
        stream, at = f"disclosure/{town.care}/{town.case}", town.rt.clock.now()
        context = Context(actor="care", agency=town.care, at=at, occurred_at=at)
        receipt = disclosure.Acknowledge(1, GRADES[len(left)])
        await town.rt.journal.handle(disclosure.DECIDER, stream, str(town.case), receipt, context)
        return seen

    return due


async def test_what_has_ended_is_taken_back_though_nobody_is_heard(town: Town) -> None:
    consent = town.consent(town.care)
    await town.views.tell(consent)
    await town.judged()
    assert await town.fields(town.care) == {"health"}
    town.hear(ago=HEARD_SECONDS + 1)
    await town.views.tell(town.fact(money=PENSION), town.consent(town.care, classes=("money",)))
    await town.views.tell(town.withdrawn(consent))  # while something else waits to be shown
    *_, last = await town.documents(town.care)
    assert (last.items, last.cause) == ((), "content_ended")


async def test_what_has_ended_is_taken_back_however_many_cases_wait(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(judging, "BATCH", 1)
    consent, later = (
        town.consent(town.care),
        town.consent(town.clinic, until=town.rt.clock.now() + timedelta(days=1)),
    )
    await town.views.tell(consent, later)
    await town.judged()
    first = copy(town)
    first.case, first.hana = UUID(int=1), uuid4()
    await town.views.tell(
        CaseOpened(case=first.case, household=uuid4(), lead="city", route="family_visit"),
        PersonJoined(case=first.case, person=first.hana, relation="self"),
        first.fact(health=KNEE),
    )
    await town.judged()
    town.hear(ago=HEARD_SECONDS + 1)
    await town.views.tell(first.consent(town.care))
    await town.views.tell(town.withdrawn(consent))
    *_, last = await town.documents(town.care)
    assert (last.case, last.items) == (town.case, ())
    await town.move(2)
    await town.judge._once()
    assert await town.fields(town.clinic) == set()
    assert await town.rt.reads.fetchval("select dirty from cases where id = $1", first.case)


# Order and time.


async def test_a_consent_given_anew_is_a_new_version_after_the_retraction(town: Town) -> None:
    first, second = town.consent(town.care), town.consent(town.care)
    for event in (first, town.withdrawn(first), second):
        await town.views.tell(event)
        await town.judged()
    found = await town.documents(town.care)
    assert [(d.document, bool(d.items), d.cause) for d in found] == [
        (1, True, "content_changed"),
        (2, False, "content_ended"),
        (3, True, "content_changed"),
    ]


async def test_a_consent_begins_and_ends_at_its_moments_though_no_event_comes(town: Town) -> None:
    now = town.rt.clock.now()
    consent = town.consent(town.care, begins=now + timedelta(days=1), until=now + timedelta(days=2))
    await town.views.tell(consent)
    await town.judged()
    assert not await town.documents(town.care)
    await town.move(1.5)
    await town.judged()
    assert await town.fields(town.care) == {"health"}
    await town.move(1)
    await town.judged()
    assert [bool(d.items) for d in await town.documents(town.care)] == [True, False]


@pytest.mark.parametrize("dirty", [False, True], ids=["judged before", "still to be judged"])
async def test_two_halves_that_are_applied_at_once_are_judged_together(
    town: Town, dirty: bool
) -> None:
    """A fact and the consent that covers it, each in its own transaction."""
    if dirty:
        await town.rt.pool.execute("update view_1.cases set dirty = true")
    fact, consent = town.fact(money=PENSION), town.consent(town.care, classes=("money",))
    town.hear()
    await town.views.apply_at_once(
        [await town.views.record(fact)], [await town.views.record(consent)]
    )
    await town.judged()
    assert await town.fields(town.care) == {"money"}


# Delivery.


class Subscriber:
    """An agency's own system."""

    def __init__(self, town: Town, code: str) -> None:
        self.town, self.code = town, code
        self.key = OKPKey.generate_key("X25519")

    async def subscribe(self) -> None:
        public = {str(n): str(v) for n, v in self.key.as_dict(private=False).items()}
        await self.town.views.tell(SubscriptionRegistered(agency=self.code, public_key=public))

    async def read(self, key: OKPKey | None = None) -> list[tuple[int, int, list[Any]]]:
        """Version, edition and values of each record of its topic, opened with its own key."""
        return [
            (version, edition, [item["value"] for item in body["items"]])
            for version, edition, body in await self.bodies(key)
        ]

    async def bodies(self, key: OKPKey | None = None) -> list[tuple[int, int, dict[str, Any]]]:
        found = []
        for r in await records_on(self.town.rt.kafka, f"view.{self.code}"):
            headers = tuple((name, value or b"") for name, value in r.headers)
            sealed = Sealed(r.offset, r.key, r.value, headers)
            if not sealed.heartbeat:
                change = opened(sealed, KeySet([key or self.key]))
                found.append((change.version, change.edition, json.loads(change.body or "{}")))
        return found


@pytest.fixture
async def subscribers(town: Town, servers: Stack) -> tuple[Subscriber, Subscriber]:
    servers.agencies([town.care, town.clinic])
    made = Subscriber(town, town.care), Subscriber(town, town.clinic)
    for one in made:
        await one.subscribe()
    return made


async def sent(town: Town, to: Subscriber) -> None:
    """Something is on its topic, whatever is to follow."""

    async def there() -> bool:
        return bool(await to.read())

    await relayed(town, there)


async def relayed(town: Town, there: Callable[[], Awaitable[bool]]) -> None:
    """Documents are sent until it is so, while all services are heard."""

    async def heard() -> bool:
        town.hear()
        return await there()

    (documents,) = (relay for relay in town.rt.relays if relay.name == "documents")
    async with running(documents):
        await until(heard)


async def first_and_alike(of: Subscriber) -> tuple[int, int, list[Any]]:
    """The first record; it may be there again, as a later edition that says the same."""
    first, *again = await of.read()
    assert all((version, values) == (first[0], first[2]) for version, _, values in again)
    return first


async def deliver(town: Town) -> None:
    async def delivered() -> bool:
        return not await town.rt.pool.fetchval(UNDELIVERED)

    await relayed(town, delivered)


async def test_each_agency_gets_its_own_documents_sealed_to_itself(
    town: Town, subscribers: tuple[Subscriber, Subscriber]
) -> None:
    care, clinic = subscribers
    await town.views.tell(town.fact(money=PENSION))
    await town.views.tell(town.consent(town.care), town.consent(town.clinic, classes=("money",)))
    await town.judged()
    await deliver(town)
    assert await care.read() == [(1, 1, [KNEE])]
    assert await clinic.read() == [(1, 1, [PENSION])]
    with pytest.raises(Poison):
        await care.read(clinic.key)


async def test_what_ended_before_it_was_sent_is_not_sent(
    town: Town, subscribers: tuple[Subscriber, Subscriber]
) -> None:
    care, _ = subscribers
    until_ = town.rt.clock.now() + timedelta(days=1)
    await town.views.tell(town.consent(town.care, until=until_))
    await town.judged()
    await town.move(2)  # nobody has judged since
    assert await town.fields(town.care) == {"health"}
    shown, _ = await document_of(town.rt, town.care, town.case)
    assert shown["items"] == []
    await sent(town, care)
    assert await first_and_alike(care) == (1, 1, [])


async def test_what_ended_is_not_sent_though_it_was_made_a_moment_ago(
    town: Town, subscribers: tuple[Subscriber, Subscriber]
) -> None:
    care, _ = subscribers
    consent = town.consent(town.care)
    await town.views.tell(consent)
    await town.judged()
    await town.folded(town.withdrawn(consent))
    await sent(town, care)
    assert await first_and_alike(care) == (1, 1, [])


async def test_what_was_undone_before_anybody_judged_it_does_not_stay_in_what_was_sent_meanwhile(
    town: Town, subscribers: tuple[Subscriber, Subscriber]
) -> None:
    """Found by chaos: the record was right, nothing new was to be recorded, and the copy stayed wrong."""
    care, _ = subscribers
    await town.views.tell(town.consent(town.care))
    await town.judged()
    more = town.consent(town.care, classes=("money",))
    await town.folded(more)
    await sent(town, care)
    await town.views.tell(town.withdrawn(more))
    await town.judged()
    assert [one.document for one in await town.documents(town.care)] == [1]
    await deliver(town)
    told = [body["persons"][0]["classes"]["money"] for _, _, body in await care.bodies()]
    assert told[0] == "covered"
    assert told[-1] == "not_covered"


async def test_a_document_that_was_recorded_and_not_sent_when_the_database_was_set_back_is_sent(
    town: Town, subscribers: tuple[Subscriber, Subscriber]
) -> None:
    care, _ = subscribers
    await town.views.tell(town.consent(town.care))
    await town.judged()
    await deliver(town)
    yesterday = await town.rt.pool.fetch("select * from delivery")
    await town.views.tell(town.fact(health="腰の痛み"))
    await town.judged()
    async with town.rt.pool.acquire() as db, db.transaction():
        await db.execute("delete from delivery")
        await db.copy_records_to_table("delivery", records=yesterday)
    town.judge.made = Made()  # of a process that has just started
    await town.views.apply(await town.views.own())  # the journal has been taken back
    await deliver(town)
    assert [version for version, _, _ in await care.read()] == [1, 2]
    await town.views.apply(await town.views.own())
    assert not await town.rt.pool.fetchval(UNDELIVERED)


@asynccontextmanager
async def view_of(town: Town) -> AsyncIterator[Connection]:
    async with town.rt.pool.acquire() as db, db.transaction():
        await views.enter(db)
        yield db


async def test_a_view_that_was_set_back_sends_no_part_of_a_document_under_its_number(
    town: Town, subscribers: tuple[Subscriber, Subscriber]
) -> None:
    care, _ = subscribers
    await town.views.tell(town.consent(town.care))
    await town.judged()
    path = f"/v1/views/{await town.delivery('handle', town.care)}"
    (outbox,) = town.rt.service.outboxes(town.rt).values()
    async with view_of(town) as db:
        await db.execute("create table whole as table kept")
        await db.execute("truncate kept")
    town.rt.applier.live = False
    async with town.rt.pool.acquire() as db:
        assert await outbox.pending(db) == []
    async with town.views.client(town.care, "agency_worker") as client:
        assert (await client.get(path)).json()["type"].endswith("recovering")
    async with view_of(town) as db:
        await db.execute("insert into kept table whole")
    await deliver(town)
    assert await care.read() == [(1, 1, [KNEE])]


async def test_a_new_key_gets_the_present_documents_again(
    town: Town, subscribers: tuple[Subscriber, Subscriber]
) -> None:
    care, _ = subscribers
    await town.views.tell(town.consent(town.care))
    await town.judged()
    await deliver(town)
    old, care.key = care.key, OKPKey.generate_key("X25519")
    await care.subscribe()
    await deliver(town)
    first, second = await records_of(town, care)
    assert opened(first, KeySet([old])).rank < opened(second, KeySet([care.key])).rank


async def records_of(town: Town, of: Subscriber) -> list[Sealed]:
    found = await records_on(town.rt.kafka, f"view.{of.code}")
    made = [
        Sealed(r.offset, r.key, r.value, tuple((n, v or b"") for n, v in r.headers)) for r in found
    ]
    return [record for record in made if not record.heartbeat]


async def test_what_the_broker_has_lost_counts_as_unsent(
    town: Town, subscribers: tuple[Subscriber, Subscriber]
) -> None:
    await town.views.tell(town.consent(town.care))
    await town.judged()
    await deliver(town)
    topic, place = f"view.{town.care}", TopicPartition(f"view.{town.care}", 0)
    outbox = town.rt.service.outboxes(town.rt)["documents"]
    topic_id = await town.delivery("topic_id", town.care)
    async with town.rt.pool.acquire() as db:
        for ids, ends, sent in (
            ({topic: topic_id}, {place: 100}, True),
            ({topic: topic_id}, {place: 0}, False),
            ({topic: "made anew"}, {place: 100}, False),
        ):
            await db.execute("update delivery set sent_document = document")
            await outbox.reconcile(db, ids, ends)
            assert await db.fetchval(UNDELIVERED) == (not sent)


# Reading.


async def test_a_reading_is_on_record_and_a_refused_one_shows_nothing(town: Town) -> None:
    await town.views.tell(town.consent(town.care))
    await town.judged()
    path = f"/v1/views/{await town.delivery('handle', town.care)}"
    for agency, role, status in (
        (town.clinic, "agency_worker", 404),
        (town.clinic, "planner", 404),
        (town.care, "planner", 403),
    ):
        async with town.views.client(agency, role) as client:
            answer = await client.get(path)
        assert answer.status_code == status
        assert KNEE not in answer.text
    assert not await town.views.written(ReadingRecorded)
    async with town.views.client(town.care, "agency_worker", subject="suzuki") as client:
        shown = (await client.get(path)).json()
    assert [item["value"] for item in shown["items"]] == [KNEE]
    (reading,) = await town.views.written(ReadingRecorded)
    assert (reading.agency, [ref.field for ref in reading.items]) == (town.care, ["health"])
    actors = await town.rt.pool.fetch(
        "select actor from journal where type = $1", ReadingRecorded.TYPE
    )
    assert [row["actor"] for row in actors] == ["suzuki"]


async def test_for_who_is_blocked_from_a_case_its_document_is_nowhere(town: Town) -> None:
    await town.views.tell(town.consent(town.care))
    await town.judged()
    path = f"/v1/views/{await town.delivery('handle', town.care)}"
    his = {"case": town.case, "agency": town.care, "staff": "suzuki"}

    async def seen(subject: str) -> tuple[int, int, int]:
        async with town.views.client(town.care, "supervisor", subject=subject) as client:
            listed = [(await client.get(way)).json()["items"] for way in ("/v1/views", "/v1/feed")]
            return (await client.get(path)).status_code, *map(len, listed)

    assert await seen("suzuki") == (200, 1, 1)
    await town.views.tell(StaffBlocked(**his, reason="kin"))
    assert await seen("suzuki") == (404, 0, 0)
    assert await seen("abe") == (200, 1, 1)
    await town.views.tell(StaffUnblocked(**his))
    assert await seen("suzuki") == (200, 1, 1)


async def test_what_was_disposed_of_leaves_every_document_and_is_taken_back(town: Town) -> None:
    await town.views.tell(town.consent(town.care))
    await town.judged()
    assert await town.fields(town.care) == {"health"}
    await town.views.tell(CaseDisposed(case=town.case, approval=uuid4()))
    await town.judged()
    last = (await town.documents(town.care))[-1]
    assert (last.items, last.document) == ((), 2)
