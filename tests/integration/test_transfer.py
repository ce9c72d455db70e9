"""April: one worker's cases pass to successors in one act, which is done or not, whatever is killed."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest_asyncio
from uuid_utils.compat import uuid7

from operate.stack import Stack
from services.intake.domain import deadlines, transfer
from shared.clock import SimulatedClock
from shared.contracts.intake import (
    StaffAssigned,
    StaffRelieved,
    TransferAccepted,
    TransferEffected,
    TransferProposed,
)
from shared.journal import Addition, Journal
from shared.staff import today
from tests.integration._kit import Kit, context, timers_of
from tests.integration._service import service_on
from tests.integration.test_assignment import LINE, Office

CASES = 300


@pytest_asyncio.fixture
async def office(servers: Stack, templates: None) -> AsyncIterator[Office]:
    async with service_on(servers, "intake") as running:
        yield Office(running)


async def propose(office: Office, *handovers: tuple[str, str], **more: Any) -> Any:
    listed = [
        {"case": path.rsplit("/", 1)[1], "successor": who, "text": f"{who}さんへ。𠮷野の兄に注意"}
        for path, who in handovers
    ]
    day = today(office.running.rt) + timedelta(30)
    body = {"effective_on": str(day), "handovers": listed, **more}
    return await office.call("POST", "/v1/transfers", **body)


async def at_its_day(office: Office) -> None:
    rt = office.running.rt
    assert isinstance(rt.clock, SimulatedClock)
    await rt.clock.move(rt.pool, rt.clock.now() + timedelta(31))
    while await rt.timers.fire_one():
        pass


async def test_all_cases_pass_on_their_day_when_all_have_accepted(office: Office) -> None:
    first, second = await office.open(), await office.open()
    await office.post(f"{first}/records", **LINE)
    await office.post(f"{first}/coordinator", role="supervisor", coordinator="tanaka")
    made = await propose(office, (first, "sato"), (second, "abe"))
    assert made.status_code == 201, made.text
    path = made.headers["location"]
    for who in ("tanaka", "sato", "abe"):
        assert [line["id"] for line in await office.get("/v1/transfers", who)] == [
            made.json()["id"]
        ]
    assert await office.get("/v1/transfers", "mori") == []
    assert (await office.call("GET", path, "mori")).status_code == 403
    assert (await office.call("GET", path, agency="shakyo")).status_code == 404

    await office.post(f"{path}/acceptance", "sato")
    assert (await office.get(path))["status"] == "proposed"
    await office.post(f"{path}/acceptance", "abe")
    assert (await office.get(path))["status"] == "agreed"
    assert await office.mine("sato") == []
    await at_its_day(office)
    assert (await office.get(path))["status"] == "effected"
    assert await office.mine("sato") == await office.mine("sato", "next-actions") == [first]
    assert (await office.mine("abe"), await office.mine("tanaka")) == ([second], [])
    assert (await office.get(first))["coordinator"] == "sato"
    assert await office.get("/v1/transfers") == []


async def test_the_page_for_paper_has_each_case_that_is_there_for_its_reader(
    office: Office,
) -> None:
    first, second = await office.open(), await office.open()
    await office.post(f"{first}/records", **LINE)
    path = (await propose(office, (first, "sato"), (second, "abe"))).headers["location"]
    page = (await office.call("GET", f"{path}/print")).text
    assert all(
        text in page
        for text in ("𠮷田 葛󠄀花", "satoさんへ。𠮷野の兄に注意", "abeさんへ", "電話する")
    )
    hers = (await office.call("GET", f"{path}/print?successor=abe")).text
    assert "abeさんへ" in hers
    assert "satoさんへ" not in hers
    await office.post(f"{first}/blocks", staff="abe", reason="neighbour")
    hers = (await office.call("GET", f"{path}/print", "abe")).text
    assert "abeさんへ" in hers
    assert "satoさんへ" not in hers
    assert len((await office.get(path, "abe"))["cases"]) == 1


async def test_what_would_lose_a_case_is_refused(office: Office) -> None:
    first, second = await office.open(), await office.open()
    foreign = await office.open("mori")
    await office.post(f"{second}/blocks", staff="abe", reason="relative")
    wrong = (
        [(first, "sato")],
        [(first, "sato"), (first, "sato")],
        [(first, "sato"), (second, "tanaka")],
        [(first, "sato"), (second, "abe")],
        [(first, "sato"), (second, "sato"), (foreign, "sato")],
    )
    for handovers in wrong:
        assert (await propose(office, *handovers)).status_code == 422
    assert (await propose(office, (foreign, "sato"), staff="mori")).status_code == 403
    assert await office.running.written(TransferProposed) == []
    partly = await propose(office, (first, "sato"), partly=True)
    path = partly.headers["location"]
    await office.post(f"{path}/decline", "sato", note="手が足りない")
    refused = await office.call("POST", f"{path}/acceptance", "sato")
    assert (refused.status_code, refused.json()["reason"]) == (409, "transfer-is-declined")
    assert await office.mine("tanaka") == [first, second]


async def test_who_accepts_late_has_them_at_once(office: Office) -> None:
    path = await office.open()
    made = await propose(office, (path, "sato"), effective_on="2026-01-01")
    await office.post(f"{made.headers['location']}/acceptance", "sato")
    await at_its_day(office)
    await office.get(path)
    assert await office.mine("sato") == [path]


async def test_300_cases_pass_as_one_act_or_not_at_all(spine: Kit) -> None:
    """Killed when all is written but not committed, and again after the commit."""
    id, journal = uuid7(), Journal(spine.pool, spine.codec, lambda: None, deadlines.plan)
    cases = tuple(uuid7() for _ in range(CASES))
    now = context()

    def to(case: UUID, *events: Any) -> Addition:
        return Addition(f"assignment/city/{case}", str(case), 0, events, now)

    of = [to(c, StaffAssigned(case=c, agency="city", staff="tanaka")) for c in cases]
    proposed = TransferProposed(
        transfer=id,
        agency="city",
        staff="tanaka",
        cases=cases,
        successors=("sato",) * CASES,
        effective_at=datetime.now(UTC),
    )
    await journal.append_all(spine.pool, of)
    stream = f"transfer/{id}"
    await journal.append(spine.pool, stream, str(id), 0, [proposed], now)  # type: ignore[arg-type]
    accepted = TransferAccepted(transfer=id, successor="sato")
    await journal.handle(transfer.DECIDER, stream, str(id), accepted, now)

    async def passed() -> tuple[int, int, int]:
        counts = await spine.pool.fetchrow(
            """select count(*) filter (where type = $1), count(*) filter (where type = $2),
                      count(*) filter (where type = $3 and version > 1) from journal""",
            TransferEffected.TYPE,
            StaffRelieved.TYPE,
            StaffAssigned.TYPE,
        )
        assert counts is not None
        return tuple(counts)

    await spine.falls("timers_of_intake", "timers.fired")
    assert await passed() == (0, 0, 0)
    await spine.falls("timers_of_intake", "timers.committed")
    assert await passed() == (1, CASES, CASES)

    assert not await timers_of(spine, deadlines.plan, deadlines.fire).fire_one()
    last = await journal.load(f"assignment/city/{cases[-1]}")
    assert [type(e.event) for e in last.events][1:] == [StaffAssigned, StaffRelieved]
