"""Every reading in intake leaves its row before it is answered; without the row there is no answer (L21)."""

from base64 import b64encode
from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID, uuid4

import pytest
import pytest_asyncio
from fastapi.routing import APIRoute, APIRouter

from operate.stack import Stack
from services.intake import SERVICE
from shared.audit import leaves_a_row
from shared.contracts.referral import AgencyRegistered, ReferralRequested
from shared.http import Route
from tests.integration._service import Running, service_on
from tests.unit.test_files import png

HANA, NAME = uuid4(), "𠮷田 葛󠄀花"
ROLES = ("intake_worker", "supervisor", "privacy_officer", "matcher", "coordinator")
FREE = {
    "/v1/circulations",
    "/v1/deputyships",
    "/v1/disposals/due",
    "/v1/lists/{name}",
    "/v1/messages",
    "/v1/reviews",
    "/v1/takeovers",
    "/v1/transfers",
    "/v1/transfers/{id}",
}
"""GETs whose answer tells nothing of a person: each is argued for here."""


@pytest_asyncio.fixture
async def intake(servers: Stack, templates: None) -> AsyncIterator[Running]:
    async with service_on(servers, "intake") as running:
        about: dict[str, Any] = {"kind": "window", "controller": "city", "purposes": ()}
        await running.tell(AgencyRegistered(agency="city", name="福祉課", **about))
        yield running


async def told(running: Running) -> dict[str, str]:
    """One of each thing that can be read, by the name of its place in a path."""
    city = running.client("city", "intake_worker")
    person = {"id": str(HANA), "relation": "self", "name": NAME, "phone": "0743-00-0000"}
    case = (
        await city.post("/v1/cases", json={"route": "person_visit", "people": [person]})
    ).json()["id"]
    line = {
        "method": "visit",
        "subjects": [str(HANA)],
        "text": "玄関先で話す",
        "next_action": {"text": "電話"},
    }
    record = (await city.post(f"/v1/cases/{case}/records", json=line)).json()["id"]
    notice = (await city.post("/v1/notices", json={"kind": "memo", "text": "折り返し"})).json()
    await running.tell(asked_in(case))
    asks = {"to": "shakyo", "topic": "call_back"}
    message = (await city.post(f"/v1/cases/{case}/messages", json=asks)).json()
    file = {"kind": "other", "media_type": "image/png", "content": b64encode(png()).decode()}
    attachment = (await city.post(f"/v1/cases/{case}/attachments", json=file)).json()["id"]
    await running.apply(await running.own())
    handover = {"case": case, "successor": "sato", "text": "玄関先で"}
    passing = {"effective_on": "2027-04-01", "handovers": [handover]}
    transfer = (await city.post("/v1/transfers", json=passing)).json()
    return {
        "{message}": message["id"],
        "{transfer}": transfer["id"],
        "{attachment}": attachment,
        "{id}": case,
        "{record}": record,
        "{notice}": notice["id"],
        "{name}": "person",
    }


def asked_in(case: str) -> ReferralRequested:
    """Gives another agency its standing."""
    return ReferralRequested(
        referral=uuid4(),
        case=UUID(case),
        person=HANA,
        sender="city",
        receiver="shakyo",
        classes=("contact",),
        need="訪問",
        urgency="standard",
        bases=(),
    )


def gets(router: APIRouter = SERVICE.router) -> list[APIRoute]:
    found = []
    for route in router.routes:
        if isinstance(route, APIRoute):
            found += [route] if "GET" in (route.methods or ()) else []
        else:
            found += gets(route.original_router)  # type: ignore[attr-defined]
    return found


def path_of(route: APIRoute, places: dict[str, str]) -> str:
    path = route.path.replace("/lists/{name}", "/lists/data_class")
    path = path.replace("/{kind}/{id}", f"/notice/{places['{notice}']}")
    for own in ("notice", "transfer"):
        path = path.replace(f"/{own}s/{{id}}", f"/{own}s/{places[f'{{{own}}}']}")
    for name, value in places.items():
        path = path.replace(name, value)
    if path == "/v1/cases":
        return f"{path}?q=葛花"
    return f"{path}?person={HANA}" if "/sections/" in path else path


def test_every_get_of_intake_passes_where_rows_are_written() -> None:
    assert SERVICE.audited
    assert len(gets()) > 10
    assert all(isinstance(route, Route) for route in gets())
    assert {route.path for route in gets() if not leaves_a_row(route.endpoint)} == FREE


async def test_every_get_writes_who_what_why_and_when_and_never_a_value(intake: Running) -> None:
    places = await told(intake)
    city = intake.client("city", *ROLES, subject="sato")
    answered: set[str] = set()
    for route in gets():
        before = await intake.rt.pool.fetchval("select count(*) from reading")
        answer = await city.get(path_of(route, places))
        if answer.status_code == 404:  # of a kind that was not made here: nothing is read
            continue
        assert answer.status_code == 200, (route.path, answer.text)
        answered.add(route.path)
        rows = await intake.rt.pool.fetch("select * from reading order by seq offset $1", before)
        assert bool(rows) == (route.path not in FREE), route.path
        for row in rows:
            purpose = "rights" if "rights" in route.path else "inspection"
            assert (row["subject"], row["agency"], row["purpose"]) == ("sato", "city", purpose)
            assert row["path"] == route.path
            assert NAME not in str(dict(row))
            if "cases/{id}" in route.path:
                assert str(row["case_id"]) == places["{id}"]
                assert row["basis"] == "lead"
    assert len(answered) > 20


async def test_the_privacy_officer_of_the_lead_agency_sees_who_has_read(intake: Running) -> None:
    places = await told(intake)
    path = f"/v1/cases/{places['{id}']}"
    reader = intake.client("city", "intake_worker", subject="sato")
    asked = {"tsunagu-purpose": "handover"}
    assert (await reader.get(path, headers=asked)).status_code == 200
    found = await reader.get("/v1/cases", params={"q": NAME})
    assert [hit["id"] for hit in found.json()["items"]] == [places["{id}"]]
    officer = intake.client("city", "privacy_officer", subject="abe")
    rows = (await officer.get(f"{path}/readings")).json()["items"]
    assert [(r["subject"], r["purpose"], r["path"], r["kinds"]) for r in rows] == [
        ("sato", "handover", "/v1/cases/{id}", ["contact", "reporter"]),
        ("sato", "consultation", "/v1/cases", []),
    ]
    assert (await reader.get(f"{path}/readings")).status_code == 403
    other = intake.client("shakyo", "privacy_officer")
    assert (await other.get(f"{path}/readings")).status_code == 404
    (again,) = (await officer.get(f"{path}/readings?after=2")).json()["items"]
    assert (again["subject"], again["purpose"], again["basis"]) == ("abe", "inspection", "lead")
    unknown = await reader.get(path, headers={"tsunagu-purpose": "curiosity"})
    assert (unknown.status_code, NAME in unknown.text) == (422, False)


async def test_without_its_row_nothing_is_answered(intake: Running) -> None:
    places = await told(intake)
    await intake.rt.pool.execute("alter table reading add check (agency <> 'city')")
    city = intake.client("city", *ROLES)
    for route in gets():
        answer = await city.get(path_of(route, places))
        expected = {200} if route.path in FREE else {503, 404}
        assert answer.status_code in expected, route.path
        assert NAME not in answer.text


async def test_a_row_is_never_changed(intake: Running) -> None:
    for statement in ("delete from reading", "update reading set agency = 'x'", "truncate reading"):
        with pytest.raises(Exception, match="never changed"):
            await intake.rt.pool.execute(statement)
