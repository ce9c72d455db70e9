"""What is written in the same moment as the approval of a disposal is not missed: who approves is alone."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
import pytest_asyncio

from operate.stack import Stack
from services.intake import disposal
from shared.contracts import Event
from shared.contracts.intake import (
    CaseDisposed,
    CaseReopened,
    CasesMerged,
    HoldPlaced,
    NoticeTaken,
    PersonJoined,
    RightsRequested,
)
from shared.contracts.referral import AgencyRegistered
from shared.journal import Context
from shared.runtime import Runtime
from tests.integration._kit import until
from tests.integration._service import WAITS, service_on
from tests.integration.test_disposal import Office


class Moment(Office):
    """Cases whose time has run out, and a writer who has not committed yet when somebody approves."""

    async def run_out(self, *people: UUID) -> UUID:
        case = await self.case(*people)
        await self.close(case)
        return case

    async def beside(self, case: UUID, stream: str, key: object, event: Event) -> Any:
        """The answer to an approval that was asked for before this event was committed."""
        rt, now = self.rt, self.rt.clock.now()
        past = await rt.journal.load(stream)
        context = Context(actor="kato", agency="city", at=now, occurred_at=now)
        async with rt.pool.acquire() as db, db.transaction():
            await rt.journal.append(db, stream, str(key), past.version, [event], context)
            approval = asyncio.create_task(
                self.abe.post(f"/v1/cases/{case}/disposal/approval", json={})
            )

            async def waits_or_is_done() -> bool:
                return approval.done() or bool(await rt.pool.fetchval(WAITS))

            await until(waits_or_is_done)
        return await approval

    async def notice(self) -> UUID:
        body = {"kind": "memo", "text": "新聞がたまっている"}
        made = await self.sato.post("/v1/notices", json=body)
        assert made.status_code == 201, made.text
        return UUID(made.json()["id"])


@pytest_asyncio.fixture
async def office(servers: Stack, templates: None) -> AsyncIterator[Moment]:
    async with service_on(servers, "intake") as running:
        about: dict[str, Any] = {"kind": "window", "controller": "city", "purposes": ()}
        await running.tell(AgencyRegistered(agency="city", name="福祉課", **about))
        yield Moment(running)


async def test_what_holds_a_disposal_up_is_seen_though_it_is_written_in_the_same_moment(
    office: Moment,
) -> None:
    """A hold on a case that stands with it, its reopening, a merge with an open one, a request (0044)."""
    open_case = await office.case(uuid4())
    hana = [uuid4() for _ in range(4)]
    one = [await office.run_out(person) for person in hana]
    other = [await office.run_out(uuid4()) for _ in range(2)]
    for mine, its in zip(one, other, strict=False):
        await office.merge(mine, its)
    await office.later()
    today = office.rt.clock.now().date()
    merge, request = uuid4(), uuid4()
    writers: list[tuple[str, object, Event]] = [
        (f"case/{other[0]}", other[0], HoldPlaced(case=other[0], reason="訴訟")),
        (f"case/{other[1]}", other[1], CaseReopened(case=other[1])),
        (f"merge/{merge}", merge, CasesMerged(merge=merge, merged=one[2], into=open_case)),
        (f"rights/{request}", request, RightsRequested(
            request=request, to="city", kind="disclosure", people=(hana[3],), identified_by="licence",
            received_on=today, due_on=today + timedelta(days=30),
        )),
    ]  # fmt: skip
    reasons = []
    for case, writer in zip(one, writers, strict=True):
        await office.do(case, "disposal")
        reasons.append((await office.beside(case, *writer)).json()["reason"])
    assert reasons == ["retention-has-not-run-out"] * 3 + ["a-request-waits"]
    assert all(True in opens for opens in (await office.readable()).values())


async def test_who_joins_another_case_in_the_same_moment_keeps_his_key(office: Moment) -> None:
    hana, other = uuid4(), await office.case(uuid4())
    case = await office.run_out(hana)
    await office.later()
    await office.do(case, "disposal")
    joined = PersonJoined(case=other, person=hana, relation="self")
    answer = await office.beside(case, f"case/{other}", other, joined)
    assert answer.status_code == 200, answer.text
    after = await office.readable()
    assert (after[f"person/{hana}"], after[f"text/{case}"]) == ({True}, {False})


async def test_the_key_of_a_notice_that_was_taken_in_the_same_moment_goes_too(
    office: Moment,
) -> None:
    case, notice = await office.run_out(uuid4()), await office.notice()
    await office.later()
    await office.do(case, "disposal")
    taken = NoticeTaken(notice=notice, into=case)
    answer = await office.beside(case, f"notice/{notice}", notice, taken)
    assert answer.status_code == 200, answer.text
    assert (await office.readable())[f"text/{notice}"] == {False}


async def test_nothing_is_taken_or_merged_into_a_case_that_is_disposed_of(office: Moment) -> None:
    """Its keys are gone already: what came to it later would never be destroyed."""
    cases = [await office.run_out(uuid4()) for _ in range(2)]
    other, notices = await office.case(uuid4()), [await office.notice() for _ in cases]
    await office.later()
    for case in cases:
        await office.do(case, "disposal")

    async def take(n: int) -> Any:
        path = f"/v1/notices/{notices[n]}/taking"
        return await office.sato.post(path, json={"case": str(cases[n])})

    approved, taken = await asyncio.gather(
        office.abe.post(f"/v1/cases/{cases[0]}/disposal/approval", json={}), take(0)
    )
    assert (approved.status_code, taken.status_code in (200, 409)) == (200, True)
    await office.do(cases[1], "disposal/approval", by="abe")
    refused = await take(1)
    assert (refused.status_code, refused.json()["reason"]) == (409, "case-is-disposed")
    keys = await office.readable()
    assert keys[f"text/{notices[0]}"] == {taken.status_code == 409}
    assert keys[f"text/{notices[1]}"] == {True}
    for pair in ((cases[1], other), (other, cases[1])):
        body = dict(zip(("merged", "into"), map(str, pair), strict=True))
        merged = await office.sato.post("/v1/merges", json=body)
        assert (merged.status_code, merged.json()["reason"]) == (409, "case-is-disposed")


async def test_two_who_approve_at_once_leave_no_key_behind(office: Moment) -> None:
    """He was in both cases: the later of the two approvals takes his key along."""
    hana = uuid4()
    both = [await office.run_out(hana) for _ in range(2)]
    await office.later()
    for case in both:
        await office.do(case, "disposal")
    answers = await asyncio.gather(
        *(office.abe.post(f"/v1/cases/{case}/disposal/approval", json={}) for case in both)
    )
    assert [answer.status_code for answer in answers] == [200, 200]
    assert (await office.readable())[f"person/{hana}"] == {False}


async def test_who_approves_is_answered_though_another_process_says_first_that_it_is_done(
    office: Moment, monkeypatch: pytest.MonkeyPatch
) -> None:
    case = await office.run_out(uuid4())
    await office.later()
    await office.do(case, "disposal")
    carry_out = disposal.carry_out

    async def beside(rt: Runtime) -> None:
        past, now = await rt.journal.load(f"case/{case}"), rt.clock.now()
        done = CaseDisposed(case=case, approval=past.events[-1].envelope.id)
        context = Context(actor="disposal", agency="city", at=now, occurred_at=now)
        async with rt.pool.acquire() as db, db.transaction():
            stream = f"case/{case}"
            await rt.journal.append(db, stream, str(case), past.version, [done], context)
            task = asyncio.create_task(carry_out(rt))

            async def waits_or_is_done() -> bool:
                return task.done() or bool(await rt.pool.fetchval(WAITS))

            await until(waits_or_is_done)
        await task

    monkeypatch.setattr(disposal, "carry_out", beside)
    await office.do(case, "disposal/approval", by="abe")
    assert len(await office.running.written(CaseDisposed)) == 1
