"""The office of a body, the agencies of its secretariat, keeps its pool and convenes it (L5a)."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from operate.stack import Stack
from shared.contracts.referral import AgencyRegistered
from tests.integration._service import Running, service_on

BODY = "shien-106-6"
YEAR = {"fiscal_year": 2026}
MEETING = {"local_name": "shien", "planned_on": "2999-04-01", "invited": ["care"]}


class Body:
    """The city appointed its clerk to the office; the care centre's doctor is a member."""

    def __init__(self, running: Running) -> None:
        self.running = running

    async def open(self) -> None:
        for code in ("city", "care", "clinic"):
            await self.running.tell(
                AgencyRegistered(
                    agency=code, name=code, kind="x", controller="city", purposes=("x",)
                )
            )
        assert await self.name("clerk", "city", ("city", "registrar", "operator"), True) == 200
        assert await self.name("doctor", "care", ("city", "host", "coordinator")) == 200

    async def call(self, method: str, path: str, by: tuple[str, str, str], body: Any) -> int:
        agency, subject, role = by
        async with self.running.client(agency, role, subject=subject) as client:
            answer = await client.request(method, path, json=body)
        return int(answer.status_code)

    async def name(
        self, subject: str, agency: str, by: tuple[str, str, str], office: bool = False
    ) -> int:
        path = f"/v1/bodies/{BODY}/members/{subject}"
        return await self.call("PUT", path, by, {"agency": agency, "secretariat": office})

    async def of_member(self, subject: str, act: str, by: tuple[str, str, str]) -> int:
        path = f"/v1/bodies/{BODY}/members/{subject}/{act}"
        return await self.call("POST", path, by, YEAR if act == "pledge" else {})

    async def convene(self, by: tuple[str, str, str], *bodies: str) -> int:
        return await self.call("POST", "/v1/meetings", by, {**MEETING, "bodies": bodies})


@pytest.fixture
async def body(servers: Stack, templates: None) -> AsyncIterator[Body]:
    async with service_on(servers, "meetings") as running:
        made = Body(running)
        await made.open()
        yield made


@pytest.mark.parametrize("role", ["coordinator", "supervisor"])
async def test_no_other_agency_seats_itself_in_it_or_ends_or_pledges_for_its_members(
    body: Body, role: str
) -> None:
    stranger = ("clinic", "stranger", role)
    assert await body.name("stranger", "clinic", stranger, office=True) == 403
    assert await body.name("stranger", "clinic", stranger) == 403
    assert await body.of_member("doctor", "pledge", stranger) == 403
    assert await body.of_member("doctor", "leaving", stranger) == 403
    assert await body.of_member("nobody", "leaving", stranger) == 404
    assert await body.convene(stranger, BODY) == 403
    assert await body.convene(stranger, "nonsense") == 422


async def test_who_keeps_the_directory_appoints_its_office_but_never_himself(body: Body) -> None:
    registrar = ("city", "registrar", "operator")
    assert await body.name("registrar", "city", registrar, office=True) == 403
    assert await body.of_member("doctor", "pledge", registrar) == 403
    host = ("clinic", "host", "supervisor")
    assert await body.convene(host, BODY) == 403
    assert await body.name("nurse", "clinic", registrar, office=True) == 200
    assert await body.convene(host, BODY) == 201
    assert await body.convene(host, BODY, "juso") == 403, "the office of one is not that of another"
    assert await body.of_member("nurse", "leaving", registrar) == 200
    assert await body.convene(host, BODY) == 403


async def test_the_office_and_the_member_himself_pledge_and_leave(body: Body) -> None:
    himself, host = ("care", "doctor", "agency_worker"), ("city", "host", "coordinator")
    assert await body.of_member("clerk", "leaving", himself) == 403
    assert [await body.of_member("doctor", "pledge", by) for by in (himself, host)] == [200, 200]
    assert await body.of_member("doctor", "leaving", himself) == 200
    assert await body.name("doctor", "care", host) == 200
    assert await body.of_member("doctor", "leaving", host) == 200
