"""What was promised at a sitting is in the list of whoever works the case today, transferred or deputised."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from httpx import Response

from operate.stack import Stack
from shared.clock import SimulatedClock
from shared.contracts.intake import CaseDisposed, CaseOpened, ConsentRecorded, PersonJoined
from shared.contracts.meetings import TaskAgreed, TaskDone, TaskOverdue
from shared.contracts.referral import AgencyRegistered
from shared.staff import today
from tests.integration._service import Running, appoint, service_on
from tests.integration.test_assignment import HANA, Office
from tests.integration.test_transfer import at_its_day, propose

WORDS = "𠮷田さんの受診に同行する"


class Table:
    """A sitting of today that the city hosts, to which care and a clinic come, and one case at it."""

    def __init__(self, running: Running, case: UUID | None = None) -> None:
        self.running, self.case, self.meeting, self._seen = running, case or uuid4(), "", 0

    async def lay(self, told: bool = True) -> None:
        about: dict[str, Any] = {"kind": "window", "controller": "city", "purposes": ("care",)}
        for code in ("city", "care", "clinic"):
            await self.running.tell(AgencyRegistered(agency=code, name=code, **about))
        if told:
            await self.running.tell(
                CaseOpened(case=self.case, household=uuid4(), lead="city", route="agency"),
                PersonJoined(case=self.case, person=HANA, relation="self"),
            )
        await self.running.tell(
            ConsentRecorded(
                consent=uuid4(), case=self.case, person=HANA, status="granted", medium="paper",
                purposes=("care",), holders=("care", "city", "clinic"), classes=("contact",),
                text_version="1", begins=datetime(2020, 1, 1, tzinfo=UTC),
            )
        )  # fmt: skip
        await appoint(self.running, "juso")
        self.meeting = await self.convene()

    async def convene(self, in_days: int = 0, bodies: tuple[str, ...] = ("juso",)) -> str:
        day = today(self.running.rt) + timedelta(in_days)
        made = await self.call(
            "/v1/meetings", "tanaka", bodies=bodies, local_name="kasaneru", planned_on=str(day),
            invited=["care", "clinic"],
        )  # fmt: skip
        path = made.headers["location"]
        item = {"case": str(self.case), "body": bodies[0], "subjects": [HANA]}
        await self.call(f"{path}/agenda", "tanaka", **item)
        return str(path)

    async def hold(self, *attended: str) -> None:
        day = str(today(self.running.rt))
        await self.call(f"{self.meeting}/holding", "tanaka", held_on=day, attended=attended)

    async def ask(self, path: str, who: str, agency: str = "city", **body: Any) -> Response:
        """By a supervisor of the city, a worker of others; what it wrote is applied."""
        role = body.pop("role", "supervisor" if agency == "city" else "agency_worker")
        async with self.running.client(agency, role, subject=who) as client:
            answer = await client.post(path, json=body)
        own = await self.running.own()
        await self.running.apply(own[self._seen :])
        self._seen = len(own)
        return answer

    async def call(self, path: str, who: str, agency: str = "city", **body: Any) -> Response:
        answer = await self.ask(path, who, agency, **body)
        assert answer.status_code in (200, 201), answer.text
        return answer

    def task(self, owner: str = "city", in_days: int = 30, **more: Any) -> dict[str, Any]:
        day = str(today(self.running.rt) + timedelta(in_days))
        return {"case": str(self.case), "text": WORDS, "owner": owner, "due": day, **more}

    async def agree(self, owner: str = "city", in_days: int = 30, **more: Any) -> str:
        made = await self.call(
            f"{self.meeting}/tasks", "tanaka", **self.task(owner, in_days, **more)
        )
        return str(made.headers["location"])

    async def get(self, path: str, who: str = "tanaka", agency: str = "city") -> Any:
        role = "supervisor" if agency == "city" else "agency_worker"
        async with self.running.client(agency, role, subject=who) as client:
            answer = await client.get(path)
        return answer.json() if answer.status_code == 200 else answer.status_code

    async def listed(self, who: str, agency: str = "city", query: str = "") -> list[str]:
        page = await self.get(f"/v1/tasks?{query}", who, agency)
        return [f"/v1/tasks/{line['id']}" for line in page["items"]]

    async def mine(self, who: str, agency: str = "city") -> list[str]:
        return await self.listed(who, agency, "mine=true")

    async def time_passes(self, days: int) -> None:
        rt = self.running.rt
        assert isinstance(rt.clock, SimulatedClock)
        await rt.clock.move(rt.pool, rt.clock.now() + timedelta(days))
        while await rt.timers.fire_one():
            pass
        own = await self.running.own()
        await self.running.apply(own[self._seen :])
        self._seen = len(own)


@pytest.fixture
async def table(servers: Stack, templates: None) -> AsyncIterator[Table]:
    async with service_on(servers, "meetings") as running:
        made = Table(running)
        await made.lay()
        yield made


async def test_it_is_with_who_is_to_do_it_and_its_words_with_who_wrote_them(table: Table) -> None:
    while_sitting = await table.agree("clinic", 60, subjects=[HANA])
    await table.hold("care")
    own, theirs = await table.agree(staff="sato"), await table.agree("care", 10, staff="mori")
    assert await table.listed("tanaka") == [own]
    assert await table.listed("mori", "care") == [theirs]
    assert await table.listed("ono", "clinic") == [while_sitting]
    shown, known = await table.get(own), await table.get(theirs, "mori", "care")
    assert (shown["text"], shown["persons"], shown["staff"]) == (WORDS, ["sato"], "sato")
    assert (known["text"], known["persons"], known["case"]) == (None, ["mori"], str(table.case))
    of_meeting = await table.get(f"{table.meeting}/tasks")
    assert [line["text"] for line in of_meeting] == [WORDS] * 3
    assert [line["persons"] for line in of_meeting] == [None, ["sato"], None]
    assert len(await table.get(f"{table.meeting}/tasks", "mori", "care")) == 1

    assert (await table.ask(f"{theirs}/taking", "tanaka")).status_code == 403
    assert (await table.ask(f"{theirs}/taking", "ono", "care", staff="abe")).status_code == 403
    await table.call(f"{theirs}/taking", "ono", "care")
    assert (await table.mine("mori", "care"), await table.mine("ono", "care")) == ([], [theirs])
    await table.call(f"{theirs}/completion", "mori", "care", note="同行した")
    assert await table.listed("mori", "care") == []
    for who, agency, note in (("tanaka", "city", None), ("mori", "care", "同行した")):
        file = await table.get(theirs, who, agency)
        assert (file["status"], file["changes"][-1]["note"]) == ("done", note)
    (agreed, *_) = await table.running.written(TaskAgreed)
    assert agreed.text == WORDS


async def test_answers_come_in_the_order_that_tells_least(table: Table) -> None:
    path, tasks = await table.agree("care"), f"{table.meeting}/tasks"
    early = await table.convene(in_days=7)
    nobody = {"due": "many"}
    yesterday, tomorrow = table.task(in_days=-1), table.task()
    wrong: list[tuple[str, str, str, dict[str, Any], int]] = [
        ("mori", "police", tasks, nobody, 404),
        ("mori", "care", tasks, nobody, 403),
        ("tanaka", "city", tasks, nobody, 422),
        ("tanaka", "city", tasks, yesterday, 422),
        ("tanaka", "city", tasks, {**tomorrow, "owner": "police"}, 422),
        ("tanaka", "city", tasks, {**tomorrow, "subjects": [str(uuid4())]}, 422),
        ("tanaka", "city", tasks, {**tomorrow, "case": str(uuid4())}, 409),
        ("tanaka", "city", f"{early}/tasks", tomorrow, 409),
        ("mori", "police", f"{path}/completion", {"x": 1}, 404),
        ("mori", "clinic", f"{path}/completion", {}, 404),
        ("mori", "care", f"/v1/tasks/{uuid4()}/completion", {}, 404),
        ("mori", "care", f"{path}/dropping", {"x": 1}, 403),
        ("mori", "care", f"{path}/due", {}, 403),
        ("tanaka", "city", f"{path}/due", {"due": yesterday["due"], "reason": "x"}, 422),
        ("tanaka", "city", f"{path}/dropping", {"reason": "unheard-of"}, 422),
    ]
    before = len(await table.running.own())
    for who, agency, at, body, status in wrong:
        assert (await table.ask(at, who, agency, **body)).status_code == status, (at, body)
    assert (await table.ask(f"{path}/completion", "x", "care", role="planner")).status_code == 403
    assert len(await table.running.own()) == before
    late = {**yesterday, "occurred_at": f"{yesterday['due']}T12:00:00+09:00"}
    refused = await table.ask(tasks, "tanaka", **late)  # it had not begun then
    assert (refused.status_code, refused.json()["reason"]) == (409, "meeting-is-planned")
    await table.call(f"{early}/cancellation", "tanaka")
    gone = await table.ask(f"{early}/tasks", "tanaka", **tomorrow)
    assert (gone.status_code, gone.json()["reason"]) == (409, "meeting-is-cancelled")
    await table.call(f"{path}/dropping", "tanaka", reason="declined", note="本人の希望")
    again = await table.ask(f"{path}/completion", "mori", "care")
    assert (again.status_code, again.json()["allowed"]) == (409, ["correction", "reopening"])
    await table.call(f"{path}/reopening", "tanaka", reason="別の人だった")
    assert await table.listed("mori", "care") == [path]
    changes = (await table.get(path))["changes"]
    assert [one["type"] for one in changes] == ["agreed", "dropped", "reopened"]
    assert [one["due"] for one in changes] == [tomorrow["due"], None, tomorrow["due"]]


async def test_it_is_overdue_when_its_day_is_over_and_no_more_with_another(table: Table) -> None:
    first, second, third = [await table.agree(in_days=n) for n in (1, 2, 3)]
    await table.call(f"{third}/completion", "tanaka")
    await table.time_passes(1)
    assert await table.listed("tanaka", query="overdue=true") == []
    await table.time_passes(1)
    assert await table.listed("tanaka", query="overdue=true") == [first]
    await table.time_passes(5)
    assert await table.listed("tanaka", query="overdue=true") == [first, second]
    day = table.task(in_days=-3)["due"]
    table.meeting = await table.convene(in_days=-3)
    typed_late = await table.agree(in_days=-2, occurred_at=f"{day}T12:00:00+09:00")
    await table.time_passes(0)
    assert (await table.get(typed_late))["overdue"] is True
    await table.call(f"{typed_late}/completion", "tanaka")
    new = {"due": table.task()["due"], "reason": "予約が取れない"}
    await table.call(f"{first}/due", "tanaka", **new)
    assert await table.listed("tanaka", query="overdue=true") == [second]
    assert await table.listed("tanaka") == [second, first]
    assert [e.task for e in await table.running.written(TaskOverdue)] == [
        UUID(path.rsplit("/", 1)[1]) for path in (first, second, typed_late)
    ]


async def test_pages_of_the_list_have_each_task_once(table: Table) -> None:
    made = [await table.agree(in_days=n // 2) for n in range(5)]
    found: list[str] = []
    after = ""
    while True:
        page = await table.get(f"/v1/tasks?limit=2{after}")
        found += [f"/v1/tasks/{line['id']}" for line in page["items"]]
        if not page["next"]:
            break
        after = f"&after={page['next']}"
    assert sorted(found) == sorted(made)
    assert [line["due"] for line in page["items"]][-1] == table.task(in_days=2)["due"]
    for wrong in ("x", "2026-01-01.x", "0000-00-00.", "%00"):
        assert await table.get(f"/v1/tasks?after={wrong}") == 422


async def test_nothing_is_listed_of_a_case_that_was_disposed_of(table: Table) -> None:
    path = await table.agree()
    await table.running.tell(CaseDisposed(case=table.case, approval=uuid4()))
    assert (await table.listed("tanaka"), await table.get(f"{table.meeting}/tasks")) == ([], [])
    assert await table.agree() != path
    assert await table.listed("tanaka") == []


async def test_a_correction_gives_it_to_who_should_have_had_it(table: Table) -> None:
    path = await table.agree("care")
    right = table.task("clinic", 20, reason="機関の誤り", text="訪問する")
    del right["case"]
    await table.call(f"{path}/correction", "tanaka", **right)
    assert await table.listed("mori", "care") == []
    assert await table.listed("ono", "clinic") == [path]
    assert (await table.get(path, "mori", "care"), (await table.get(path))["text"]) == (
        404, "訪問する",
    )  # fmt: skip


async def test_of_a_statutory_item_nobody_reads_the_words_here(table: Table) -> None:
    matter = await table.call(
        "/v1/matters", "tanaka", case=str(table.case), body="shien-9", subjects=[HANA]
    )
    await appoint(table.running, "shien-9")
    table.meeting = await table.convene(bodies=("shien-9",))
    assert (await table.get(matter.headers["location"]))["status"] == "live"
    tasks, given = f"{table.meeting}/tasks", table.task("care")
    assert (await table.ask(tasks, "tanaka", **given)).status_code == 422  # was not called
    path = await table.agree()
    assert (await table.get(path))["text"] is None
    assert (await table.running.written(TaskAgreed))[-1].matter is not None

    async with table.running.client("city", "supervisor") as client:
        named = await client.put("/v1/bodies/shien-9/members/mori", json={"agency": "care"})
    assert named.status_code == 200, named.text
    await table.call(f"{matter.headers['location']}/members", "tanaka", members=["mori"])
    theirs = (await table.call(tasks, "tanaka", **given)).headers["location"]
    known = await table.get(theirs, "mori", "care")
    assert (known["case"], known["text"]) == (str(table.case), None)
    assert await table.listed("mori", "care") == [theirs]
    assert (await table.listed("ono", "care"), await table.get(theirs, "ono", "care")) == ([], 404)
    assert await table.get(f"{table.meeting}/tasks", "ono", "care") == []


async def test_it_passes_on_with_the_case_in_the_act_that_transfers_it(
    servers: Stack, templates: None
) -> None:
    """Through intake's own events; with deputies, blocks, and the desk when nobody is left."""
    async with (
        service_on(servers, "intake") as intake,
        service_on(servers, "meetings", keys_of=intake.place) as meetings,
    ):
        office = Office(intake)
        case = await office.open()
        table = Table(meetings, UUID(case.rsplit("/", 1)[1]))

        async def hear() -> None:
            await meetings.apply([r._replace(partition=1) for r in await intake.own()])

        await hear()
        await table.lay(told=False)
        path = await table.agree(staff="mori")
        assert await table.mine("tanaka") == [path]
        assert await table.mine("mori") == []

        made = await propose(office, (case, "sato"))
        await office.post(f"{made.headers['location']}/acceptance", "sato")
        await hear()
        assert (await table.mine("tanaka"), await table.mine("sato")) == ([path], [])
        await at_its_day(office)
        await hear()
        assert (await table.mine("tanaka"), await table.mine("sato")) == ([], [path])
        assert (await table.get(path))["persons"] == ["sato"]

        day = today(meetings.rt)
        period = {"begins": str(day), "until": str(day)}
        await office.post("/v1/deputyships", "sato", deputy="abe", **period)
        await hear()
        assert await table.mine("abe") == await table.mine("sato") == [path]
        await table.time_passes(1)
        assert await table.mine("abe") == []

        await office.post(f"{case}/blocks", staff="sato", reason="relative")
        await hear()
        assert (await table.listed("sato"), await table.get(path, "sato")) == ([], 404)
        assert await table.mine("mori") == [path]
        await office.post(f"{case}/blocks", staff="mori", reason="relative")
        await hear()
        assert (await table.get(path))["persons"] == []
        assert await table.listed("tanaka") == [path]
        assert (await table.ask(f"{path}/completion", "sato")).status_code == 404
        assert await meetings.written(TaskDone) == []
