"""An agenda item and the end of its basis meet, whichever comes last and however they are applied."""

from collections.abc import AsyncIterator, Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from operate.stack import Stack
from services.meetings.domain import meeting, sitting
from shared.calendar import TOKYO
from shared.contracts import Event
from shared.contracts.intake import (
    ConsentNarrowed,
    ConsentRecorded,
    ConsentWithdrawn,
    PersonFlagged,
)
from shared.contracts.meetings import (
    AgendaItemAdded,
    AgendaItemRemoved,
    MeetingConvened,
    MemberLeft,
    MemberNamed,
)
from shared.contracts.referral import (
    AgencyRegistered,
    ContractEnded,
    DeskClosed,
    DeskRegistered,
    ProgrammeContracted,
    ProgrammeRegistered,
)
from shared.follow import Record
from tests.integration._kit import context
from tests.integration._service import Running, service_on


@pytest.fixture
async def meetings(servers: Stack, templates: None) -> AsyncIterator[Running]:
    async with service_on(servers, "meetings") as running:
        yield running


class Agenda:
    """Cases on the agenda of one planned meeting, all on one consent."""

    def __init__(self, meetings: Running) -> None:
        self.meetings, self.journal = meetings, meetings.rt.journal
        self.meeting, self.consent, self.case, self.hana = (uuid4() for _ in range(4))

    async def convene(self) -> None:
        convened = MeetingConvened(
            meeting=self.meeting, host="city", bodies=("juso",), local_name="kasaneru",
            invited=("clinic",), planned_on=date(2026, 4, 1),
        )  # fmt: skip
        stream, key = f"meeting/{self.meeting}", str(self.meeting)
        await self.journal.handle(
            meeting.DECIDER, stream, key, meeting.Convene(convened), context()
        )

    async def put(self, case: UUID | None = None) -> None:
        case = case or self.case
        added = AgendaItemAdded(
            meeting=self.meeting, case=case, body="juso", subjects=(self.hana,),
            invited=("clinic",), bases=(self.consent,), planned_at=datetime.now(UTC),
        )  # fmt: skip
        stream = f"sitting/{self.meeting}/{case}"
        command = sitting.AddItem(added, "planned")
        await self.journal.handle(sitting.DECIDER, stream, str(case), command, context())

    async def withdrawn(self) -> Record:
        return await self.meetings.record(ConsentWithdrawn(consent=self.consent, case=self.case))

    async def recorded(self, **terms: Any) -> Record:
        said = ConsentRecorded(
            consent=self.consent, case=self.case, person=self.hana, status="granted",
            classes=("contact",), purposes=("coordination",), medium="paper", text_version="1",
            **{"holders": ("clinic",), "begins": datetime.now(UTC), **terms},
        )  # fmt: skip
        return await self.meetings.record(said)

    async def narrowed(self, *excluded: str) -> Record:
        less = ConsentNarrowed(consent=self.consent, case=self.case, excluded=excluded)
        return await self.meetings.record(less)

    async def flagged(self, *flags: str) -> Record:
        return await self.meetings.record(
            PersonFlagged(case=self.case, person=self.hana, flags=flags)
        )

    async def on_it(self) -> int:
        """How many items stand on the agenda."""
        added = await self.meetings.written(AgendaItemAdded)
        removed = await self.meetings.written(AgendaItemRemoved)
        return len(added) - len(removed)


@pytest.fixture
async def agenda(meetings: Running) -> Agenda:
    """With one item that is applied."""
    made = Agenda(meetings)
    await made.convene()
    await made.put()
    await meetings.apply(await meetings.own())
    return made


@pytest.mark.parametrize("held", [False, True])
async def test_who_is_invited_sees_an_item_only_while_a_consent_covers_him(
    agenda: Agenda, held: bool
) -> None:
    """L6: a meeting is no basis, before it or after it."""
    registered: dict[str, Any] = {"kind": "x", "controller": "x", "purposes": ("coordination",)}
    await agenda.meetings.tell(AgencyRegistered(agency="clinic", name="clinic", **registered))
    path = f"/v1/meetings/{agenda.meeting}"

    async def shown(agency: str) -> list[tuple[str, str, list[str]]]:
        async with agenda.meetings.client(agency, "coordinator") as client:
            items = (await client.get(path)).json()["agenda"]
        return [(item["case"], item["status"], item["subjects"]) for item in items]

    whole = str(agenda.case), "added", [str(agenda.hana)]
    assert await shown("clinic") == [], "nothing is known of a consent yet"
    begins = agenda.meetings.rt.clock.now() - timedelta(days=1)
    await agenda.meetings.apply([await agenda.recorded(begins=begins)])
    if held:
        day = agenda.meetings.rt.clock.now().astimezone(TOKYO).date()
        async with agenda.meetings.client("city", "coordinator") as client:
            done = await client.post(
                f"{path}/holding", json={"held_on": str(day), "attended": ["clinic"]}
            )
        assert done.status_code == 200, done.text
    assert await shown("clinic") == [whole]
    await agenda.meetings.apply([await agenda.withdrawn()])
    assert await shown("clinic") == []
    assert await shown("city") == [(whole[0], "added" if held else "removed", whole[2])]


async def test_an_item_leaves_when_its_basis_ends(agenda: Agenda) -> None:
    await agenda.meetings.apply([await agenda.withdrawn()])
    assert await agenda.on_it() == 0


async def test_an_item_that_comes_after_the_end_of_its_basis_leaves_too(agenda: Agenda) -> None:
    await agenda.meetings.apply([await agenda.withdrawn()])
    await agenda.put()
    await agenda.meetings.apply(await agenda.meetings.own())
    assert await agenda.on_it() == 0


async def test_it_leaves_when_an_invited_agency_is_excluded_and_not_when_another_is(
    agenda: Agenda,
) -> None:
    await agenda.meetings.apply([await agenda.recorded(), await agenda.narrowed("shop")])
    assert await agenda.on_it() == 1
    await agenda.meetings.apply([await agenda.narrowed("clinic")])
    assert await agenda.on_it() == 0
    await agenda.put()  # decided before the narrowing was heard of
    await agenda.meetings.apply(await agenda.meetings.own())
    assert await agenda.on_it() == 0


@pytest.mark.parametrize("last", ["the consent", "the flag", "the item"])
async def test_it_leaves_when_the_person_has_died_whatever_comes_last(
    meetings: Running, last: str
) -> None:
    agenda = Agenda(meetings)
    await agenda.convene()
    consent, flag = await agenda.recorded(), await agenda.flagged("died")
    await meetings.apply({"the consent": [flag], "the flag": [consent]}.get(last, [flag, consent]))
    await agenda.put()
    await meetings.apply(await meetings.own())
    await meetings.apply([consent, flag])
    assert await agenda.on_it() == 0


async def test_an_abuse_flag_takes_off_what_a_proxy_consented_to(agenda: Agenda) -> None:
    await agenda.meetings.apply([await agenda.flagged("abuse")])
    assert await agenda.on_it() == 1
    await agenda.meetings.apply([await agenda.recorded(proxy="curator")])
    assert await agenda.on_it() == 0


async def test_an_error_about_a_death_is_lifted_and_the_case_comes_back(agenda: Agenda) -> None:
    told = [await agenda.recorded(), await agenda.flagged("died")]
    await agenda.meetings.apply(told)
    assert await agenda.on_it() == 0
    await agenda.meetings.apply([await agenda.flagged()])
    await agenda.put()
    await agenda.meetings.apply(await agenda.meetings.own())
    assert await agenda.on_it() == 1


@pytest.mark.parametrize("first", ["the death", "the item"])
async def test_an_item_and_a_death_applied_at_once_find_each_other(
    agenda: Agenda, first: str
) -> None:
    other = Agenda(agenda.meetings)
    await other.convene()
    await agenda.meetings.apply(await agenda.meetings.own())
    await agenda.meetings.apply([await other.recorded()])
    await other.put()
    item, death = (await agenda.meetings.own())[-1:], [await other.flagged("died")]
    both = (death, item) if first == "the death" else (item, death)
    await agenda.meetings.apply_at_once(*both)
    assert await agenda.on_it() == 1


@pytest.mark.parametrize("first", ["the end", "the item"])
async def test_an_item_and_the_end_of_its_basis_applied_at_once_find_each_other(
    agenda: Agenda, first: str
) -> None:
    await agenda.put(uuid4())
    item, end = (await agenda.meetings.own())[-1:], [await agenda.withdrawn()]
    both = (end, item) if first == "the end" else (item, end)
    await agenda.meetings.apply_at_once(*both)
    assert await agenda.on_it() == 0


DAY = timedelta(days=1)
CLINIC: dict[str, Any] = {
    "agency": "clinic",
    "name": "clinic",
    "kind": "x",
    "controller": "private",
}
PROGRAMME: dict[str, Any] = {"programme": "visits", "contract": UUID(int=7)}


def known(now: datetime) -> list[tuple[Event, timedelta]]:
    """The clinic is in the group `juso`, has a desk of its own and runs the desk of a programme."""
    runs: dict[str, Any] = {"agency": "clinic", "begins": now - 9 * DAY, "ends": now + 99 * DAY}
    return [
        (AgencyRegistered(**CLINIC, purposes=("coordination",)), 9 * DAY),
        (DeskRegistered(desk="own-desk", name="desk", agency="clinic"), 9 * DAY),
        (ProgrammeRegistered(programme="visits", name="visits"), 9 * DAY),
        (ProgrammeContracted(**PROGRAMME, **runs), 9 * DAY),
        (DeskRegistered(desk="visits-desk", name="desk", programme="visits"), 9 * DAY),
        (MemberNamed(body="juso", member="sato", agency="clinic"), 9 * DAY),
    ]


LOST: dict[str, tuple[dict[str, Any], Callable[[Agenda, datetime], Event]]] = {
    "narrowed by its desk": (
        {"holders": ("own-desk",)},
        lambda a, _: ConsentNarrowed(consent=a.consent, case=a.case, excluded=("own-desk",)),
    ),
    "narrowed by the desk of its programme": (
        {"holders": ("visits-desk",)},
        lambda a, _: ConsentNarrowed(consent=a.consent, case=a.case, excluded=("visits-desk",)),
    ),
    "its last member leaves the group": (
        {"holders": (), "group": "juso"},
        lambda *_: MemberLeft(body="juso", member="sato"),
    ),
    "its desk closes": ({"holders": ("own-desk",)}, lambda *_: DeskClosed(desk="own-desk")),
    "the contract ends": (
        {"holders": ("visits-desk",)},
        lambda _, now: ContractEnded(**PROGRAMME, ends=now - DAY),
    ),
    "its purposes change": ({}, lambda *_: AgencyRegistered(**CLINIC, purposes=("application",))),
}


@pytest.mark.parametrize("last", ["the loss", "the item", "what was known before"])
@pytest.mark.parametrize("loss", LOST)
async def test_it_leaves_when_an_invited_agency_is_covered_no_more_whatever_comes_last(
    meetings: Running, loss: str, last: str
) -> None:
    agenda, now = Agenda(meetings), meetings.rt.clock.now()
    terms, lose = LOST[loss]
    before = [await meetings.record(event, at=now - ago) for event, ago in known(now)]
    consent = await agenda.recorded(**{"begins": now - 5 * DAY, **terms})
    lost = [await meetings.record(lose(agenda, now), at=now - DAY)]
    await agenda.convene()
    await agenda.put()
    item = await meetings.own()
    if last == "the loss":
        in_turn = [item, [*before, consent], lost]
    elif last == "the item":
        in_turn = [[*before, consent], lost, item]
    else:
        in_turn = [item, [consent], [*before, *lost]]
    for records in in_turn[:-1]:
        await meetings.apply(records)
    assert await agenda.on_it() == 1
    await meetings.apply(in_turn[-1])
    assert await agenda.on_it() == 0


async def test_it_stays_while_another_member_of_the_agency_sits_in_the_group(
    meetings: Running,
) -> None:
    agenda, now = Agenda(meetings), meetings.rt.clock.now()
    for event, ago in known(now):
        await meetings.apply([await meetings.record(event, at=now - ago)])
    second = MemberNamed(body="juso", member="ito", agency="clinic")
    await meetings.apply([await meetings.record(second, at=now - 6 * DAY)])
    await meetings.apply([await agenda.recorded(holders=(), group="juso", begins=now - 5 * DAY)])
    await agenda.convene()
    await agenda.put()
    await meetings.apply(await meetings.own())
    for subject, left in (("sato", 1), ("ito", 0)):
        gone = MemberLeft(body="juso", member=subject)
        await meetings.apply([await meetings.record(gone, at=now - DAY)])
        assert await agenda.on_it() == left


@pytest.mark.parametrize("first", ["the loss", "the item"])
async def test_an_item_and_the_last_member_leaving_applied_at_once_find_each_other(
    meetings: Running, first: str
) -> None:
    agenda, now = Agenda(meetings), meetings.rt.clock.now()
    for event, ago in known(now):
        await meetings.apply([await meetings.record(event, at=now - ago)])
    await meetings.apply([await agenda.recorded(holders=(), group="juso", begins=now - 5 * DAY)])
    await agenda.convene()
    await agenda.put()
    gone = MemberLeft(body="juso", member="sato")
    item, loss = await meetings.own(), [await meetings.record(gone, at=now - DAY)]
    both = (loss, item) if first == "the loss" else (item, loss)
    await meetings.apply_at_once(*both)
    assert await agenda.on_it() == 0
