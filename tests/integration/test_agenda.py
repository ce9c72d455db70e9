"""An agenda item and the end of its basis meet, whichever comes last and however they are applied."""

from collections.abc import AsyncIterator
from datetime import UTC, date, datetime
from uuid import uuid4

import pytest

from operate.stack import Stack
from services.meetings.domain import meeting, sitting
from shared.contracts.intake import ConsentWithdrawn
from shared.contracts.meetings import AgendaItemAdded, AgendaItemRemoved, MeetingConvened
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
        self.meeting, self.consent = uuid4(), uuid4()

    async def convene(self) -> None:
        convened = MeetingConvened(
            meeting=self.meeting, host="city", bodies=("juso",), local_name="kasaneru",
            invited=(), planned_on=date(2026, 4, 1),
        )  # fmt: skip
        stream, key = f"meeting/{self.meeting}", str(self.meeting)
        await self.journal.handle(
            meeting.DECIDER, stream, key, meeting.Convene(convened), context()
        )

    async def put(self) -> None:
        case = uuid4()
        added = AgendaItemAdded(
            meeting=self.meeting, case=case, body="juso", subjects=(uuid4(),), invited=(),
            bases=(self.consent,), planned_at=datetime.now(UTC),
        )  # fmt: skip
        stream = f"sitting/{self.meeting}/{case}"
        command = sitting.AddItem(added, "planned")
        await self.journal.handle(sitting.DECIDER, stream, str(case), command, context())

    async def withdrawn(self) -> Record:
        return await self.meetings.record(ConsentWithdrawn(consent=self.consent, case=uuid4()))

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


async def test_an_item_leaves_when_its_basis_ends(agenda: Agenda) -> None:
    await agenda.meetings.apply([await agenda.withdrawn()])
    assert await agenda.on_it() == 0


async def test_an_item_that_comes_after_the_end_of_its_basis_leaves_too(agenda: Agenda) -> None:
    await agenda.meetings.apply([await agenda.withdrawn()])
    await agenda.put()
    await agenda.meetings.apply(await agenda.meetings.own())
    assert await agenda.on_it() == 0


@pytest.mark.parametrize("first", ["the end", "the item"])
async def test_an_item_and_the_end_of_its_basis_applied_at_once_find_each_other(
    agenda: Agenda, first: str
) -> None:
    await agenda.put()
    item, end = (await agenda.meetings.own())[-1:], [await agenda.withdrawn()]
    both = (end, item) if first == "the end" else (item, end)
    await agenda.meetings.apply_at_once(*both)
    assert await agenda.on_it() == 0
