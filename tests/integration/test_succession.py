"""What somebody recorded at a programme's desk passes on the day its contract does (L2), by itself."""

from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest

from operate.stack import Stack
from shared.contracts.meetings import MemberNamed
from shared.contracts.referral import (
    ContractEnded,
    DeskMemberNamed,
    DeskRegistered,
    ProgrammeContracted,
    ProgrammeRegistered,
)
from tests.integration._service import service_on
from tests.integration.test_views import Town

DAYS = timedelta(days=1)


class Visits(Town):
    """The care centre runs the visits until a moment, the clinic from then on; whoever types sits at the
    programme's desk.
    """

    contract: ProgrammeContracted

    @property
    def passes_at(self) -> datetime:
        return self.contract.ends

    async def register(self, **terms: Any) -> None:
        for event in self.directory(**terms):
            await self.views.tell(event)

    def directory(self, gap: timedelta = timedelta(0)) -> list[Any]:
        """Only begun, so that what comes is in time."""
        now, mark = self.rt.clock.now(), self.care
        programme, desk = f"visits-of-{mark}", f"desk-of-{mark}"
        about: dict[str, Any] = {"programme": programme, "contract": uuid4()}
        self.contract = ProgrammeContracted(
            **about, agency=self.care, begins=now - 9 * DAYS, ends=now + DAYS
        )
        later = {**about, "contract": uuid4(), "begins": now + DAYS + gap, "ends": now + 99 * DAYS}
        self.desk = desk
        return [
            ProgrammeRegistered(programme=programme, name="訪問"),
            self.contract,
            ProgrammeContracted(**later, agency=self.clinic),
            DeskRegistered(desk=desk, name="訪問窓口", programme=programme),
            DeskMemberNamed(desk=desk, agency=self.care, member="tanaka"),
        ]

    async def visit(self) -> None:
        await self.views.tell(self.fact(work="訪問の記録"), agency=self.care)
        await self.judged()

    async def held(self) -> tuple[bool, bool]:
        """By the former, by the successor."""
        return "work" in await self.fields(self.care), "work" in await self.fields(self.clinic)


@pytest.fixture
async def visits(servers: Stack, templates: None) -> AsyncIterator[Visits]:
    async with service_on(servers, "views") as views:
        made = Visits(views)
        await made.open()
        yield made


async def test_the_records_pass_at_the_moment_though_no_event_comes(visits: Visits) -> None:
    await visits.register()
    await visits.visit()
    assert await visits.held() == (True, False)
    await visits.rt.clock.move(visits.rt.pool, visits.passes_at - timedelta(seconds=1))  # type: ignore[attr-defined]
    await visits.judged()
    assert await visits.held() == (True, False)
    await visits.move(1)
    await visits.judged()
    assert await visits.held() == (False, True)
    former = (await visits.documents(visits.care))[-1]
    assert former.cause == "content_ended"
    assert {ref.field for ref in former.withdrawn} >= {"work"}
    (first,) = await visits.documents(visits.clinic)
    assert {b.programme for ref in first.items for b in ref.bases} == {visits.contract.programme}


async def test_what_the_directory_learns_later_counts_for_what_was_recorded_before(
    visits: Visits,
) -> None:
    """L19: facts, desks and contracts come in any order."""
    directory = visits.directory()
    seated = visits.rt.clock.now()
    await visits.move(0.1)
    await visits.visit()
    assert await visits.held() == (True, False)
    for event in reversed(directory[:3]):
        await visits.views.tell(event, at=seated)
    for event in directory[3:]:
        await visits.views.tell(event, at=seated)
    await visits.judged()
    assert await visits.held() == (True, False)
    early = ContractEnded(
        programme=visits.contract.programme, contract=visits.contract.contract,
        ends=visits.rt.clock.now(),
    )  # fmt: skip
    await visits.views.tell(early)
    await visits.judged()
    assert await visits.held() == (True, False), "recorded when the contract had ended: its own"


async def test_in_a_gap_between_two_contracts_nobody_holds_them(visits: Visits) -> None:
    await visits.register(gap=DAYS)
    await visits.visit()
    await visits.move(1)
    await visits.judged()
    assert await visits.held() == (False, False)
    await visits.move(1)
    await visits.judged()
    assert await visits.held() == (False, True)


async def test_a_consent_that_named_the_desk_goes_on_with_the_successor(visits: Visits) -> None:
    await visits.register()
    await visits.views.tell(visits.consent(visits.desk))
    await visits.judged()
    assert "health" in await visits.fields(visits.care)
    assert "health" not in await visits.fields(visits.clinic)
    await visits.move(1)
    await visits.judged()
    assert "health" not in await visits.fields(visits.care)
    assert "health" in await visits.fields(visits.clinic)


async def test_nothing_grows_while_an_event_of_a_programme_is_parked(visits: Visits) -> None:
    """It might end a contract, nobody knows whose; shrinking does not wait."""
    await visits.register()
    await visits.visit()
    early = ContractEnded(
        programme=visits.contract.programme, contract=visits.contract.contract,
        ends=visits.rt.clock.now(),
    )  # fmt: skip
    await visits.views.apply([await visits.views.record(early, skip=1)])
    await visits.views.tell(visits.consent(visits.clinic))
    visits.hear()
    await visits.move(1)
    await visits.judge.settled()
    assert await visits.held() == (False, False)
    assert "health" not in await visits.fields(visits.clinic)


async def test_a_group_loses_an_agency_with_the_seat_of_its_member_though_no_event_comes(
    visits: Visits,
) -> None:
    """L3: whichever of the naming, the consent and the directory is known last."""
    now = visits.rt.clock.now()
    named = MemberNamed(
        body="juso", member="tanaka", agency=visits.care, desk=f"desk-of-{visits.care}"
    )
    consent = visits.consent(visits.clinic, group="juso", begins=now + timedelta(seconds=5))
    await visits.views.tell(named, at=now)
    await visits.views.tell(consent, at=now)
    await visits.move(0.1)
    await visits.judged()
    assert "health" not in await visits.fields(visits.care), "he sits nowhere yet"
    for event in visits.directory():
        await visits.views.tell(event, at=now)
    await visits.judged()
    assert "health" in await visits.fields(visits.care)
    await visits.move(1)
    await visits.judged()
    assert "health" not in await visits.fields(visits.care)
    assert "health" in await visits.fields(visits.clinic), "it was named itself"
