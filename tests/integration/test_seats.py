"""Meetings know desks: who belongs to a body for one belongs to it while he sits there (L5, L2)."""

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest

from operate.stack import Stack
from shared.contracts.intake import CaseOpened, LeadAccepted, PersonJoined
from shared.contracts.referral import (
    AgencyRegistered,
    DeskMemberNamed,
    DeskRegistered,
    ProgrammeContracted,
    ProgrammeRegistered,
    ReferralCompleted,
    ReferralDeclined,
    ReferralRequested,
)
from tests.integration._service import Running, appoint, service_on

BODY, DAYS = "shien-106-6", timedelta(days=1)
SEATED = {"agency": "care", "desk": "visits-desk"}


class Body:
    """The care centre runs the visits until tomorrow, the clinic from then on; each has one visitor."""

    def __init__(self, running: Running) -> None:
        self.running, self.rt, self._seen = running, running.rt, 0
        self.case, self.hana = uuid4(), uuid4()

    async def register(self) -> None:
        now, about = self.rt.clock.now(), {"programme": "visits", "agency": "care"}
        terms = {"contract": uuid4(), "begins": now - 9 * DAYS, "ends": now + DAYS}
        later = {"contract": uuid4(), "begins": now + DAYS, "ends": now + 99 * DAYS}
        for code in ("city", "care", "clinic"):
            await self.running.tell(
                AgencyRegistered(
                    agency=code, name=code, kind="x", controller="city", purposes=("consultation",)
                )
            )
        for event in (
            ProgrammeRegistered(programme="visits", name="訪問"),
            ProgrammeContracted(**about, **terms),
            ProgrammeContracted(**{**about, "agency": "clinic"}, **later),
            DeskRegistered(desk="visits-desk", name="窓口", programme="visits"),
            DeskRegistered(desk="hidden", name="避難所", agency="care", shelter=True),
            *(
                DeskMemberNamed(desk=desk, agency=agency, member=f"of-{agency}")
                for desk, agency in (
                    ("visits-desk", "care"), ("visits-desk", "clinic"), ("hidden", "care"),
                )
            ),
        ):  # fmt: skip
            await self.running.tell(event, at=now - 8 * DAYS)
        await appoint(self.running, BODY)

    async def call(
        self, method: str, path: str, who: str = "city", subject: str = "host", **body: Any
    ) -> Any:
        client = self.running.client(who, "coordinator", "agency_worker", subject=subject)
        answer = await client.request(method, path, json=body if method != "GET" else None)
        own = await self.running.own()
        await self.running.apply(own[self._seen :])
        self._seen = len(own)
        return answer

    async def name(self, **terms: str) -> int:
        subject = f"of-{terms['agency']}"
        answer = await self.call("PUT", f"/v1/bodies/{BODY}/members/{subject}", **terms)
        return int(answer.status_code)

    async def pledge(self, agency: str) -> int:
        path = f"/v1/bodies/{BODY}/members/of-{agency}/pledge"
        answer = await self.call("POST", path, agency, f"of-{agency}", fiscal_year=2026)
        return int(answer.status_code)

    async def members(self) -> list[tuple[str, bool]]:
        shown = (await self.call("GET", "/v1/bodies")).json()["items"]
        (body,) = (one for one in shown if one["code"] == BODY)
        return [(one["agency"], one["ahead"]) for one in body["members"] if not one["secretariat"]]

    async def submit(self, who: str, subject: str) -> Any:
        put = {"case": str(self.case), "body": BODY, "subjects": [str(self.hana)]}
        return await self.call("POST", "/v1/matters", who, subject, **put)

    async def pass_on(self) -> None:
        await self.rt.clock.move(self.rt.pool, self.rt.clock.now() + DAYS)  # type: ignore[attr-defined]


@pytest.fixture
async def body(servers: Stack, templates: None) -> AsyncIterator[Body]:
    async with service_on(servers, "meetings") as running:
        made = Body(running)
        await made.register()
        yield made


async def test_pledge_and_standing_end_with_the_seat_and_begin_with_the_next_ones(
    body: Body,
) -> None:
    opened = CaseOpened(case=body.case, household=uuid4(), lead="city", route="family_visit")
    joined = PersonJoined(case=body.case, person=body.hana, relation="self")
    await body.running.tell(opened, joined)
    for terms in (
        {"agency": "clinic", "desk": "nowhere"},
        {"agency": "city", "desk": "visits-desk"},
        {"agency": "care", "desk": "hidden"},
    ):
        assert await body.name(**terms) == 422, terms
    assert [await body.name(**{**SEATED, "agency": a}) for a in ("care", "clinic")] == [200, 200]
    assert [await body.pledge(a) for a in ("care", "clinic")] == [200, 200], "also ahead"
    assert await body.members() == [("care", False), ("clinic", True)]
    path = f"/v1/matters/{(await body.submit('city', 'host')).json()['id']}"
    early = await body.call("POST", f"{path}/members", members=["of-clinic"])
    assert (early.status_code, early.json()["errors"][0]["field"]) == (422, "body.members")
    await body.call("POST", f"{path}/members", members=["of-care"])

    async def stands(agency: str) -> tuple[int, int]:
        shown = await body.call("GET", path, agency, f"of-{agency}")
        listed = (await body.call("GET", "/v1/matters", agency, f"of-{agency}")).json()["items"]
        return shown.status_code, len(listed)

    assert (await stands("care"), await stands("clinic")) == ((200, 1), (404, 0))
    await body.pass_on()
    assert (await stands("care"), await stands("clinic")) == ((404, 0), (404, 0))
    called = (await body.call("GET", path)).json()["members"]
    assert called == [{"subject": "of-care", "agency": None, "pledged": False}]
    assert await body.members() == [("clinic", False)]
    assert (await body.call("POST", f"{path}/members", members=["of-clinic"])).status_code == 200
    assert await stands("clinic") == (200, 1)
    over = await body.call(
        "POST", f"/v1/bodies/{BODY}/members/of-care/pledge", "care", "of-care", fiscal_year=2026
    )
    assert (over.status_code, over.json()["reason"]) == (409, "member-is-absent")
    assert await body.name(**SEATED) == 422, "he will never sit there again"
    assert await body.name(agency="care") == 200
    assert await body.members() == [("care", False), ("clinic", False)]


async def test_a_case_is_there_for_the_desk_that_was_asked_and_for_who_leads_it_by_his_programme(
    body: Body,
) -> None:
    """L2: as in intake and referral, until the programme passes."""
    now = body.rt.clock.now()
    opened = CaseOpened(case=body.case, household=uuid4(), lead="care", route="family_visit")
    joined = PersonJoined(case=body.case, person=body.hana, relation="self")
    seat = DeskMemberNamed(desk="visits-desk", agency="care", member="tanaka")
    await body.running.tell(seat, at=now - 8 * DAYS)
    await body.running.tell(opened, joined, agency="care")
    assert (await body.submit("care", "anyone")).status_code == 201
    assert (await body.submit("clinic", "anyone")).status_code == 404
    await body.pass_on()
    assert (await body.submit("care", "anyone")).status_code == 404
    assert (await body.submit("clinic", "anyone")).status_code == 201
    body.case = uuid4()
    elsewhere = CaseOpened(case=body.case, household=uuid4(), lead="city", route="family_visit")
    asked = ReferralRequested(
        referral=uuid4(), case=body.case, person=body.hana, sender="city", receiver="visits-desk",
        classes=("contact",), need="訪問", bases=(),
    )  # fmt: skip
    joined = PersonJoined(case=body.case, person=body.hana, relation="self")
    await body.running.tell(elsewhere, joined, asked)
    assert (await body.submit("clinic", "anyone")).status_code == 201
    assert (await body.submit("care", "anyone")).status_code == 404


async def test_a_case_is_there_for_who_leads_it_now_and_for_who_is_asked_until_it_has_ended(
    body: Body,
) -> None:
    """As in referral: what was once led or answered gives no way to put it before a body."""

    async def puts(agency: str) -> int:
        return int((await body.submit(agency, "anyone")).status_code)

    opened = CaseOpened(case=body.case, household=uuid4(), lead="city", route="family_visit")
    joined = PersonJoined(case=body.case, person=body.hana, relation="self")
    await body.running.tell(opened, joined)
    submitted = await body.submit("city", "anyone")
    for ended in (ReferralDeclined, ReferralCompleted):
        about = {"referral": uuid4(), "case": body.case, "person": body.hana}
        asked = ReferralRequested(
            **about, sender="city", receiver="clinic", classes=("contact",), need="訪問", bases=()
        )
        await body.running.tell(asked)
        assert await puts("clinic") == 201
        code = {"code": "full"} if ended is ReferralDeclined else {"outcome": "helped"}
        await body.running.tell(ended(**about, **code), agency="clinic")
        assert await puts("clinic") == 404, ended
    assert await puts("city") == 201
    await body.running.tell(LeadAccepted(case=body.case, lead="care"), agency="care")
    assert (await puts("city"), await puts("care")) == (404, 201)
    path = submitted.headers["location"]
    assert (await body.call("GET", path, "city", "anyone")).status_code == 200, "stays (0071)"
    await body.running.tell(LeadAccepted(case=body.case, lead="city"))
    assert (await puts("city"), await puts("care")) == (201, 404)
