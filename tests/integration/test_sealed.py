"""Sealed facts over HTTP: who opens them, when nobody may, and what of it is on record."""

from collections.abc import Callable
from typing import Any, NamedTuple
from uuid import uuid4

import pytest

from services.views.domain.document import Handles
from services.views.heard import HEARD_SECONDS
from shared.calendar import fiscal_year
from shared.contracts import Event
from shared.contracts.intake import PersonDescribed, SituationRecorded
from shared.contracts.meetings import (
    MaterialSubmitted,
    MatterEnded,
    MatterSubmitted,
    MemberLeft,
    MemberNamed,
    MemberPledged,
    MembersAsked,
    MembersCalled,
)
from shared.contracts.views import ReadingRecorded, ReadingRefused
from tests.integration._service import IDS
from tests.integration.test_views import Town, town

__all__ = ["town"]

BODY, OTHER_BODY, DEBT = "shien-106-6", "shien-9", "借金三百万円𠮷"


class Opening(NamedTuple):
    """What somebody sees: how many cases are listed, the answer for this one, what it holds."""

    listed: int
    status: int
    values: list[Any]


class Matter:
    """One case before the body; the clinic's doctor is called, the office is the city's."""

    def __init__(self, town: Town) -> None:
        self.town, self.id = town, uuid4()
        self.about: dict[str, Any] = {"matter": self.id, "case": town.case}

    def named(self, member: str, agency: str, **more: Any) -> list[Event]:
        year = fiscal_year(self.town.rt.clock.now())
        more = {"body": BODY, **more}
        return [
            MemberNamed(member=member, agency=agency, **more),
            MemberPledged(body=more["body"], member=member, fiscal_year=year),
        ]

    async def submitted(self) -> None:
        await self.town.views.tell(
            *self.named("doctor", self.town.clinic),
            *self.named("office", "city", secretariat=True),
            *self.named("elsewhere", "city", secretariat=True, body=OTHER_BODY),
        )
        await self.town.views.tell(
            MatterSubmitted(**self.about, body=BODY, subjects=(self.town.hana,)),
            MembersCalled(**self.about, members=("doctor",)),
            MaterialSubmitted(**self.about, person=self.town.hana, true_class="money", text=DEBT),
        )
        await self.town.judged()

    def handle(self, agency: str) -> str:

        return Handles(self.town.rt.keys.index_key, agency).of("case", self.town.case)

    async def seen(self, member: str, agency: str = "") -> Opening:
        agency = agency or ("city" if member in ("office", "elsewhere") else self.town.clinic)
        async with self.town.views.client(agency, "agency_worker", subject=member) as client:
            listed = await client.get("/v1/sealed")
            answer = await client.get(f"/v1/views/{self.handle(agency)}/sealed")
        said = answer.json()
        values = [i["value"] for i in said.get("items", ()) if i["field"] == "text"]
        return Opening(len(listed.json()), answer.status_code, values)


@pytest.fixture
async def matter(town: Town) -> Matter:
    made = Matter(town)
    await made.submitted()
    return made


OPEN, NOTHING = Opening(1, 200, [DEBT]), Opening(0, 404, [])


async def test_the_office_of_the_body_holds_the_file_without_being_called(matter: Matter) -> None:
    """L5a, and of no other body; once pledged, until the matter ends."""
    assert await matter.seen("doctor") == await matter.seen("office") == OPEN
    assert await matter.seen("elsewhere") == NOTHING
    town = matter.town
    await town.views.tell(*matter.named("clerk", "city", secretariat=True)[:1])
    assert await matter.seen("clerk", "city") == NOTHING, "not pledged"
    await town.views.tell(MatterEnded(**matter.about))
    assert await matter.seen("doctor") == await matter.seen("office") == NOTHING


async def test_every_opening_and_every_refusal_is_on_record(matter: Matter) -> None:
    """L21: with who, and what rested on which matter; a stranger's leaves nothing of the case."""
    town = matter.town
    await matter.seen("doctor")
    await matter.seen("stranger")
    (opened,) = await town.views.written(ReadingRecorded)
    assert {(ref.field, ref.bases[0].kind, ref.bases[0].id) for ref in opened.items} == {
        (field, "matter", str(matter.id)) for field in ("text", "true_class")
    }
    assert (opened.agency, opened.case, opened.document) == (town.clinic, town.case, None)
    assert not await town.views.written(ReadingRefused)
    await town.views.tell(MemberLeft(body=BODY, member="doctor"))
    assert await matter.seen("doctor") == NOTHING
    (refused,) = await town.views.written(ReadingRefused)
    assert (refused.agency, refused.case) == (town.clinic, town.case)
    written = await town.rt.pool.fetch(
        "select actor, type from journal where actor <> 'views' order by seq"
    )
    assert [tuple(row) for row in written] == [
        ("doctor", ReadingRecorded.TYPE), ("doctor", ReadingRefused.TYPE),
    ]  # fmt: skip


def parked(event: Callable[[Matter], Event]) -> Callable[[Matter], Any]:
    async def happens(matter: Matter) -> None:
        """It arrives without the version before it."""
        views = matter.town.views
        await views.apply([await views.record(event(matter), skip=1)])

    return happens


def silent(**beat: Any) -> Callable[[Matter], Any]:
    async def happens(matter: Matter) -> None:
        matter.town.hear(**beat)

    return happens


DOUBTS = {
    "the meetings are not heard": (silent(ago=HEARD_SECONDS + 1), 0),
    "something told is not applied": (silent(**{"0": [IDS["intake"], 10**6]}), 0),
    "the end of a matter is parked": (parked(lambda m: MatterEnded(**m.about)), 0),
    "who left the pool is parked": (parked(lambda m: MemberLeft(body=BODY, member="doctor")), 0),
    "another case's is parked": (
        parked(lambda m: MatterEnded(matter=uuid4(), case=uuid4())), 1
    ),
}  # fmt: skip


@pytest.mark.parametrize("doubt", DOUBTS)
async def test_nothing_is_opened_while_its_basis_may_have_ended_unheard(
    matter: Matter, doubt: str
) -> None:
    happens, opens = DOUBTS[doubt]
    town = matter.town
    await happens(matter)
    later = SituationRecorded(
        case=town.case, person=town.hana, money="その後の借金", source="meeting", matter=matter.id
    )
    await town.views.tell(later)
    async with town.views.client(town.clinic, "agency_worker", subject="doctor") as client:
        listed = await client.get("/v1/sealed")
        answer = await client.get(f"/v1/views/{matter.handle(town.clinic)}/sealed")
    expected = 200 if opens else 503
    assert (listed.status_code, answer.status_code) == (expected, expected), answer.text
    assert (DEBT in answer.text, "その後の借金" in answer.text) == (bool(opens), bool(opens))
    assert len(await town.views.written(ReadingRecorded)) == opens
    assert await matter.seen("stranger") == NOTHING


async def test_who_opened_something_sealed_gets_the_document_that_a_consent_gives_later(
    matter: Matter,
) -> None:
    town = matter.town
    assert await matter.seen("doctor") == OPEN
    await town.views.tell(town.consent(town.clinic))
    await town.judged()
    assert await town.fields(town.clinic) == {"health"}


async def test_who_is_asked_sees_the_configured_minimum_only_once_pledged(matter: Matter) -> None:
    """L5b"""
    town = matter.town
    known = PersonDescribed(case=town.case, person=town.hana, name="花", address="生駒市")
    await town.views.tell(known, MembersAsked(**matter.about, members=("bank",)))
    assert await matter.seen("bank", town.care) == NOTHING
    await town.views.tell(*matter.named("bank", town.care))
    async with town.views.client(town.care, "agency_worker", subject="bank") as client:
        answer = await client.get(f"/v1/views/{matter.handle(town.care)}/sealed")
    assert {item["field"] for item in answer.json()["items"]} == {"name"}
