"""Two households that differ only in what an agency may not see: by no way can it tell which is which."""

import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple
from uuid import UUID, uuid4

import httpx

from agency.sealed import HEARTBEAT
from shared.broker import TopicPartition, consumer
from shared.contracts import Event
from shared.contracts.intake import (
    CaseOpened,
    CasesMerged,
    ConsentRecorded,
    ConsentWithdrawn,
    ItemProtected,
    MergeUndone,
    PersonDescribed,
    PersonJoined,
    ReporterRecorded,
    SituationRecorded,
    UrgencyJudged,
    UrgentAsserted,
)
from shared.contracts.meetings import MaterialSubmitted, MatterSubmitted
from tests.integration.test_views import (
    KNEE,
    PENSION,
    Subscriber,
    Town,
    deliver,
    subscribers,
    town,
)

__all__ = ["subscribers", "town"]

OWN = ("ce_id", "ce_time")
"""Headers that no two records share; times are compared apart."""
APART = timedelta(seconds=1)
VOLATILE = ("date", "traceparent", "tsunagu-request")


class Twin:
    def __init__(self, town: Town) -> None:
        self.town, self.case, self.hana, self.ken = town, uuid4(), uuid4(), uuid4()
        terms = {"case": self.case, "person": self.hana}
        self.given = town.consent(town.care).model_copy(update=terms)

    def opened(self) -> list[Event]:
        return [
            CaseOpened(case=self.case, household=uuid4(), lead="city", route="family_visit"),
            *(
                PersonJoined(case=self.case, person=p, relation="other")
                for p in (self.hana, self.ken)
            ),
            SituationRecorded(case=self.case, person=self.hana, health=KNEE),
            self.given,
        ]

    def consent(self, holder: str, **terms: Any) -> ConsentRecorded:
        return self.town.consent(holder).model_copy(update={"case": self.case, **terms})


def debt(of: Twin) -> list[Event]:
    return [SituationRecorded(case=of.case, person=of.hana, money=PENSION)]


def refusal(of: Twin) -> list[Event]:
    """Example 2: no document shows that he was asked."""
    return [of.consent(of.town.care, person=of.ken, status="refused")]


def another_agency(of: Twin) -> list[Event]:
    given = of.consent(of.town.clinic, person=of.hana, classes=("money",))
    return [given, *debt(of), ConsentWithdrawn(consent=given.consent, case=of.case)]


def judgement(of: Twin) -> list[Event]:
    return [
        UrgencyJudged(case=of.case, urgency="high"),
        ReporterRecorded(case=of.case, route="agency"),
    ]


def urgent(of: Twin) -> list[Event]:
    now = of.town.rt.clock.now()
    asserted = UrgentAsserted(
        basis=uuid4(), case=of.case, danger="life", reason="x", informed="sato",
        persons=(of.ken,), holders=(of.town.clinic,), classes=("contact",),
        begins=now, until=now + timedelta(days=9), review_by=now + timedelta(days=3),
    )  # fmt: skip
    return [asserted]


def matter(of: Twin) -> list[Event]:
    """Example 3: no document changes by a byte."""
    about: dict[str, Any] = {"matter": uuid4(), "case": of.case}
    return [
        MatterSubmitted(**about, body="shien-106-6", subjects=(of.ken,)),
        MaterialSubmitted(**about, person=of.ken, true_class="money", text=PENSION),
    ]


def marked(of: Twin) -> list[Event]:
    """Consented, and marked *not to* the agency; an address nobody told it, protected."""
    fact = SituationRecorded(case=of.case, person=of.hana, health="秘密", not_to=(of.town.care,))
    address = PersonDescribed(case=of.case, person=of.hana, address="奈良県生駒市")
    return [fact, address, ItemProtected(case=of.case, person=of.hana, item="address", named=())]


def merge(of: Twin) -> list[Event]:
    """With a case of which it holds nothing; undone."""
    other, merge = uuid4(), uuid4()
    return [
        CaseOpened(case=other, household=uuid4(), lead="city", route="agency"),
        PersonJoined(case=other, person=other, relation="self"),
        SituationRecorded(case=other, person=other, health="腰の痛み"),
        CasesMerged(merge=merge, merged=other, into=of.case, same=((other, of.hana),)),
        MergeUndone(merge=merge, reason="別の方"),
    ]


Secret = Callable[[Twin], list[Event]]
SECRETS: tuple[Secret, ...] = (
    debt, refusal, another_agency, judgement, urgent, matter, marked, merge,
)  # fmt: skip


class Seen(NamedTuple):
    """All that one handle was to an agency: its records, answers to what it asked at each step, and when
    each record was made and reached the broker.
    """

    records: list[Any]
    answers: list[Any]
    times: list[tuple[datetime, datetime]]


class Agency:
    """What it observes of a handle, its names of things replaced by the order in which they came up."""

    def __init__(self, of: Subscriber, client: httpx.AsyncClient) -> None:
        self.of, self.client, self.answers = of, client, dict[str, list[Any]]()

    async def handles(self) -> list[str]:
        page = (await self.client.get("/v1/views", params={"limit": 200})).json()
        return [line["handle"] for line in page["items"]]

    async def ask(self, handle: str) -> None:
        seen = self.answers.setdefault(handle, [])
        for path in ("", "/sealed"):
            answer = await self.client.get(f"/v1/views/{handle}{path}")
            headers = {n: v for n, v in answer.headers.items() if n not in VOLATILE}
            seen.append(anonymous((answer.status_code, len(answer.content), headers, answer.text)))
        for path in ("/v1/views", "/v1/feed", "/v1/retractions"):
            answer = await self.client.get(path, params={"limit": 100})
            lines = answer.json().get("items", []) if answer.status_code == 200 else []
            own = [line for line in lines if line["handle"] == handle]
            seen.append(anonymous((answer.status_code, own)))

    async def seen(self) -> dict[str, Seen]:
        found = {handle: Seen([], answers, []) for handle, answers in self.answers.items()}
        for record in await records_at(self.of):
            if record.key == HEARTBEAT:
                continue
            key = (record.key or b"").decode()
            made = datetime.fromisoformat(dict(record.headers)["ce_time"].decode())
            found[key].times.append((made, datetime.fromtimestamp(record.timestamp / 1000, UTC)))
            headers = [(n, v) for n, v in record.headers if n not in OWN]
            size = len(record.value) if record.value is not None else None
            found[key].records.append(anonymous((size, headers)))
        return found


async def records_at(of: Subscriber) -> list[Any]:
    """As the broker has them, with its own time."""
    place = TopicPartition(f"view.{of.code}", 0)
    reader = consumer(of.town.rt.kafka, None)
    await reader.start()
    try:
        reader.assign([place])
        await reader.seek_to_beginning()
        end, found = (await reader.end_offsets([place]))[place], list[Any]()
        while await reader.position(place) < end:
            found += (await reader.getmany(place, timeout_ms=100)).get(place, [])
        return found
    finally:
        await reader.stop()


def anonymous(seen: Any) -> str:
    """Ids are random; what counts is which are the same."""
    names: dict[str, str] = {}

    def name(id: re.Match[str]) -> str:
        return names.setdefault(id.group(), f"id-{len(names):08}")

    return re.sub(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", name, str(seen))


async def test_by_no_way_can_an_agency_tell_which_of_two_households_has_a_secret(
    town: Town, subscribers: tuple[Subscriber, Subscriber]
) -> None:
    """L14, L16: records, headers, sizes, versions, times; lists, documents, the feed, retractions and
    refusals.
    """
    pairs = [(Twin(town), Twin(town), secret) for secret in SECRETS]
    twins = [twin for one, other, _ in pairs for twin in (one, other)]
    async with town.views.client(town.care, "agency_worker", "system") as client:
        care = Agency(subscribers[0], client)
        for step in steps(pairs, twins):
            await town.views.tell(*step)
            await town.judged()
            await deliver(town)
            for handle in await care.handles():
                await care.ask(handle)
            await town.move(0.5)
        seen = await care.seen()
    assert len(seen) == len(twins)
    of = {UUID(handle): one for handle, one in seen.items()}
    rows = await town.rt.pool.fetch(
        "select case_id, handle from delivery where agency = $1", town.care
    )
    handle_of = {row["case_id"]: row["handle"] for row in rows}
    for one, other, secret in pairs:
        mine, its = of[handle_of[one.case]], of[handle_of[other.case]]
        assert len(mine.records) >= 3, "there was nothing to see"
        assert mine.records == its.records, secret.__name__
        assert mine.answers == its.answers, secret.__name__
        for at, other_at in zip(mine.times, its.times, strict=True):
            apart = [abs(one - two) for one, two in zip(at, other_at, strict=True)]
            assert max(apart) < APART, secret.__name__


def steps(pairs: list[tuple[Twin, Twin, Secret]], twins: list[Twin]) -> Iterator[list[Event]]:
    yield [event for twin in twins for event in twin.opened()]
    yield [event for _, other, secret in pairs for event in secret(other)]
    yield [SituationRecorded(case=t.case, person=t.hana, health="腰の痛み") for t in twins]
    yield [ConsentWithdrawn(consent=t.given.consent, case=t.case) for t in twins]
