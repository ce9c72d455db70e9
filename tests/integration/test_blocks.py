"""A member of staff for whom a case is not there (L23) meets a stranger's answers in every service."""

from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import pytest
from httpx import AsyncClient

from operate.stack import Stack
from shared.contracts.intake import (
    CaseOpened,
    ConsentRecorded,
    PersonJoined,
    StaffBlocked,
    StaffUnblocked,
)
from shared.contracts.referral import AgencyRegistered
from tests.integration._service import Running, appoint, service_on

HANA = uuid4()


class Place:
    """A case that the city leads, with a consent for the care office."""

    def __init__(self, running: Running) -> None:
        self.running, self.case, self._seen = running, uuid4(), 0

    async def open(self) -> None:
        about: dict[str, Any] = {"kind": "window", "controller": "city", "purposes": ("care",)}
        for code in ("city", "care"):
            await self.running.tell(AgencyRegistered(agency=code, name=code, **about))
        given = ConsentRecorded(
            consent=uuid4(), case=self.case, person=HANA, status="granted", purposes=("care",),
            medium="paper", holders=("care", "city"), classes=("contact",), text_version="1",
            begins=datetime(2020, 1, 1, tzinfo=UTC),
        )  # fmt: skip
        await self.running.tell(
            CaseOpened(case=self.case, household=uuid4(), lead="city", route="agency"),
            PersonJoined(case=self.case, person=HANA, relation="self"),
            given,
        )

    async def block(self, off: bool = False) -> None:
        his: dict[str, Any] = {"case": self.case, "agency": "city", "staff": "sato"}
        event = StaffUnblocked(**his) if off else StaffBlocked(**his, reason="kin")
        await self.running.tell(event)

    async def write(self, path: str, **body: Any) -> str:
        async with self.of("tanaka") as client:
            answer = await client.post(path, json=body)
        assert answer.status_code in (200, 201), answer.text
        own = await self.running.own()
        await self.running.apply(own[self._seen :])
        self._seen = len(own)
        return str(answer.headers.get("location", path))

    def of(self, subject: str) -> AsyncClient:
        return self.running.client("city", "supervisor", subject=subject)

    async def sees(self, subject: str, one: str, *lists: str) -> tuple[int, ...]:
        """The status of the one, and how many lines each list has."""
        async with self.of(subject) as client:
            first = await client.get(one)
            found = [(await client.get(path)).json()["items"] for path in lists]
        return (first.status_code, *map(len, found))


@pytest.fixture(params=["referral", "meetings"])
async def place(servers: Stack, templates: None, request: Any) -> Any:
    async with service_on(servers, request.param) as running:
        made = Place(running)
        await made.open()
        yield made


@pytest.mark.parametrize("place", ["referral"], indirect=True)
async def test_its_referrals_are_nowhere(place: Place) -> None:
    asked: dict[str, Any] = {
        "case": str(place.case), "person": str(HANA), "receiver": "care", "classes": ["contact"],
        "need": "訪問を頼みたい",
    }  # fmt: skip
    one = await place.write("/v1/referrals", **asked)
    assert await place.sees("sato", one, "/v1/referrals") == (200, 1)
    await place.block()
    assert await place.sees("sato", one, "/v1/referrals") == (404, 0)
    async with place.of("sato") as client:
        assert (await client.post("/v1/referrals", json=asked)).status_code == 404
    assert await place.sees("abe", one, "/v1/referrals") == (200, 1)
    await place.block(off=True)
    assert await place.sees("sato", one, "/v1/referrals") == (200, 1)


@pytest.mark.parametrize("place", ["meetings"], indirect=True)
async def test_its_matters_and_sittings_are_nowhere(place: Place) -> None:
    case, who = str(place.case), {"subjects": [str(HANA)]}
    put: dict[str, Any] = {"case": case, "body": "shien-9", **who}
    matter = await place.write("/v1/matters", **put)
    await appoint(place.running, "juso")
    meeting = await place.write(
        "/v1/meetings", bodies=["juso"], local_name="kasaneru", planned_on="2999-04-01",
        invited=["care"],
    )  # fmt: skip
    item: dict[str, Any] = {"case": case, "body": "juso", **who}
    await place.write(f"{meeting}/agenda", **item)

    async def agenda(subject: str) -> tuple[int, int]:
        async with place.of(subject) as client:
            shown = (await client.get(meeting)).json()
        return len(shown["agenda"]), shown["version"]

    assert await place.sees("sato", matter, "/v1/matters") == (200, 1)
    assert await agenda("sato") == (1, 2)
    await place.block()
    assert await place.sees("sato", matter, "/v1/matters") == (404, 0)
    assert await agenda("sato") == (0, 1)
    decided = {"case": case, "outcome": "agreed", "text": "継続"}
    material = {"person": str(HANA), "true_class": "contact", "text": "様子"}
    async with place.of("sato") as client:
        for path, body in (
            ("/v1/matters", put),
            (f"{meeting}/agenda", item),
            (f"{meeting}/decisions", decided),
            (f"{matter}/materials", material),
        ):
            assert (await client.post(path, json=body)).status_code == 404, path
        end = await client.post(f"{meeting}/cancellation", json={}, headers={"if-match": '"1"'})
    assert (end.status_code, end.headers["etag"]) == (200, '"2"')
    assert await agenda("abe") == (1, 3)
