"""開示・訂正の請求 over the API: all that is held, one answer in time, nothing of others in the file."""

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest_asyncio

from operate.stack import Stack
from services.intake import disposal
from shared.contracts.intake import RightsOverdue
from shared.contracts.referral import AgencyRegistered
from tests.integration._service import Running, service_on

HANA, KEN = str(uuid4()), str(uuid4())
HERS = ("𠮷田 葛󠄀花", "膝の痛み", "眠れない")
NOT_HERS = ("𠮷田 健", "借金がある", "近所の方", "虐待の疑い", "息子が暴れる")
ASKED = {"kind": "disclosure", "people": [HANA], "identified_by": "licence"}


class Office:
    def __init__(self, running: Running) -> None:
        self.running, self.rt = running, running.rt
        self.worker = running.client("city", "intake_worker", "supervisor")
        self.officer = running.client("city", "privacy_officer", subject="abe")
        self.case = ""

    async def post(self, path: str, expect: int = 200, **body: Any) -> Any:
        answer = await self.officer.post(path, json=body)
        assert answer.status_code == expect, answer.text
        return answer

    async def open(self) -> None:
        """Two cases of Hana at two desks of the city, one of them with her son; one of an NPO."""
        for code, controller in (("city", "city"), ("tax", "city"), ("npo", "private")):
            about: dict[str, Any] = {"name": code, "kind": "x", "purposes": ()}
            await self.running.tell(AgencyRegistered(agency=code, controller=controller, **about))
        hana = {"id": HANA, "relation": "self", "name": HERS[0]}
        ken = {"id": KEN, "relation": "child", "name": NOT_HERS[0]}
        made = await self.worker.post(
            "/v1/cases",
            json={
                "route": "family_visit",
                "reporter": "近所の方",
                "people": [hana, ken],
                "situations": [
                    {"person": HANA, "health": "膝の痛み"},
                    {"person": KEN, "money": "借金がある"},
                ],
                "worries": {"concerns": ["care"], "text": "息子が暴れる"},
            },
        )
        self.case = made.json()["id"]
        note = {"person": HANA, "text": "眠れない"}
        line = {"method": "phone", "text": "話を聞く", "subjects": [HANA], "notes": [note]}
        await self.worker.post(f"/v1/cases/{self.case}/records", json=line)
        screening = {"outcome": "multi_agency_request", "note": "虐待の疑い"}
        await self.worker.post(f"/v1/cases/{self.case}/screenings", json=screening)
        for code, text in (("tax", "滞納の相談"), ("npo", "食料の支援")):
            person = {"id": HANA, "relation": "self"}
            told = {
                "route": "agency",
                "people": [person],
                "situations": [{"person": HANA, "money": text}],
            }
            desk = self.running.client(code, "intake_worker")
            assert (await desk.post("/v1/cases", json=told)).status_code == 201
        await self.running.apply(await self.running.own())

    async def items(self, path: str) -> list[Any]:
        return list((await self.officer.get(f"{path}/items")).json())

    async def move(self, days: float) -> None:
        await self.rt.clock.move(self.rt.pool, self.rt.clock.now() + timedelta(days=days))  # type: ignore[attr-defined]


@pytest_asyncio.fixture
async def office(servers: Stack, templates: None) -> AsyncIterator[Office]:
    async with service_on(servers, "intake") as running:
        made = Office(running)
        await made.open()
        yield made


async def test_one_file_holds_what_is_hers_over_all_desks_and_nothing_of_others(
    office: Office,
) -> None:
    path = (await office.post("/v1/rights-requests", 201, **ASKED)).headers["location"]
    (waiting,) = (await office.officer.get("/v1/rights-requests")).json()
    assert (waiting["status"], waiting["days_left"]) == ("open", 30)
    held = await office.items(path)
    values = {str(item["value"]): item for item in held}
    assert {"滞納の相談", *HERS, "近所の方", "虐待の疑い", "息子が暴れる"} <= values.keys()
    assert not {"食料の支援", "𠮷田 健", "借金がある"} & values.keys()
    assert {i["ground"] for v, i in values.items() if v in NOT_HERS} == {
        "third_party",
        "administration",
    }
    reporter, talk = values["近所の方"], values["話を聞く"]
    show = {"outcome": "show"}
    place = {"event": reporter["event"], "field": reporter["field"]}
    await office.post(f"{path}/items", 422, **place, **show)
    await office.post(f"{path}/items", event=talk["event"], field="text", **show)
    health = values["膝の痛み"]
    hidden = {"event": health["event"], "field": health["field"], "outcome": "withhold"}
    await office.post(f"{path}/items", 422, **hidden)
    await office.post(f"{path}/items", ground="life_body", **hidden)
    await office.post(f"{path}/items", 422, event=str(uuid4()), field="text", **show)
    assert (await office.officer.get(f"{path}/file")).status_code == 409
    await office.post(f"{path}/decision", 422, outcome="full")
    await office.post(f"{path}/decision", 422, outcome="refused")
    await office.post(f"{path}/decision", outcome="partly", text="一部開示")
    late = {"method": "phone", "text": "後の話", "notes": [{"person": HANA, "text": "後の話"}]}
    await office.worker.post(f"/v1/cases/{office.case}/records", json=late)
    page = (await office.officer.get(f"{path}/file")).text
    for value in (HERS[0], HERS[2], "滞納の相談", "話を聞く"):
        assert value in page
    for value in (*NOT_HERS, "膝の痛み", "食料の支援", "後の話"):
        assert value not in page
    await office.post(f"{path}/answer", medium="paper")
    answered = (await office.officer.get(path)).json()
    assert (answered["status"], answered["outcome"]) == ("answered", "partly")
    assert (await office.officer.get("/v1/rights-requests")).json() == []
    rows = await office.rt.pool.fetch("select * from reading where path like '%/items'")
    assert {row["purpose"] for row in rows} == {"rights"}
    assert len({row["case_id"] for row in rows if row["case_id"]}) == 2


async def test_what_is_held_under_another_id_is_hers_as_long_as_the_merge_holds(
    office: Office,
) -> None:
    """Asked for by either id (L18); a file that is decided takes nothing up of a later merge, and
    loses what an un-merge has shown to be another's.
    """
    too = str(uuid4())
    told = {
        "route": "agency",
        "people": [{"id": too, "relation": "self"}],
        "situations": [{"person": too, "money": "年金の相談"}],
    }
    made = (await office.worker.post("/v1/cases", json=told)).json()["id"]
    await office.running.apply((await office.running.own())[-4:])

    async def held(path: str) -> set[str]:
        return {str(item["value"]) for item in await office.items(path)}

    before = (await office.post("/v1/rights-requests", 201, **ASKED)).headers["location"]
    assert "年金の相談" not in await held(before)
    await office.post(f"{before}/decision", outcome="partly")
    same = [{"merged": too, "into": HANA}]
    body = {"merged": made, "into": office.case, "same": same}
    merge = (await office.worker.post("/v1/merges", json=body)).headers["location"]
    assert "年金の相談" not in await held(before)
    paths = []
    for person in (HANA, too):
        asked = {**ASKED, "people": [person]}
        paths.append((await office.post("/v1/rights-requests", 201, **asked)).headers["location"])
    first, second = paths
    assert {"年金の相談", "膝の痛み", "滞納の相談"} <= await held(first) == await held(second)
    await office.post(f"{first}/decision", outcome="partly")
    assert "年金の相談" in (await office.officer.get(f"{first}/file")).text
    undone = await office.worker.post(f"{merge}/undoing", json={"reason": "別の方"})
    assert undone.status_code == 200, undone.text
    assert "年金の相談" not in (await office.officer.get(f"{first}/file")).text
    assert "年金の相談" in await held(second)
    assert "膝の痛み" not in await held(second)


async def test_it_is_overdue_after_its_days_and_once_longer_with_a_reason(office: Office) -> None:
    path = (await office.post("/v1/rights-requests", 201, **ASKED)).headers["location"]
    await office.post(f"{path}/extension", reason="大量である")
    refused = (await office.post(f"{path}/extension", 409, reason="まだ")).json()
    assert refused["reason"] == "extended-already"
    await office.move(60)
    assert not await office.rt.timers.fire_one()
    await office.move(1)
    assert await office.rt.timers.fire_one()
    assert len(await office.running.written(RightsOverdue)) == 1
    (waiting,) = (await office.officer.get("/v1/rights-requests")).json()
    assert (waiting["overdue"], waiting["days_left"]) == (True, -1)


async def test_a_correction_names_what_corrected_it(office: Office) -> None:
    asked = {**ASKED, "kind": "correction", "text": "膝ではなく腰"}
    path = (await office.post("/v1/rights-requests", 201, **asked)).headers["location"]
    section = {"situation": {"person": HANA, "health": "腰の痛み"}}
    done = await office.worker.put(f"/v1/cases/{office.case}/sections/situation", json=section)
    assert done.status_code == 200, done.text
    item = next(i for i in await office.items(path) if i["value"] == "腰の痛み")
    await office.post(f"{path}/decision", 422, outcome="corrected")
    await office.post(f"{path}/decision", 422, outcome="corrected", corrections=[str(uuid4())])
    await office.post(f"{path}/decision", outcome="corrected", corrections=[item["event"]])
    assert (await office.officer.get(path)).json()["corrections"] == [item["event"]]
    assert (await office.officer.get(f"{path}/file")).status_code == 409


async def test_who_may_not_ask_and_what_cannot_be(office: Office) -> None:
    path = (await office.post("/v1/rights-requests", 201, **ASKED)).headers["location"]
    worker = office.running.client("city", "intake_worker")
    other = office.running.client("tax", "privacy_officer")
    for place in (path, f"{path}/items", f"{path}/file"):
        assert (await worker.get(place)).status_code == 403
        assert (await other.get(place)).status_code == 404
    for wrong in (
        {"people": [str(uuid4())]},
        {"people": []},
        {"kind": "other"},
        {"received_on": "2999-01-01"},
    ):
        await office.post("/v1/rights-requests", 422, **{**ASKED, **wrong})


async def test_nothing_is_disposed_of_while_the_person_asks(office: Office) -> None:
    path = (await office.post("/v1/rights-requests", 201, **ASKED)).headers["location"]
    await office.worker.post(f"/v1/cases/{office.case}/closing", json={"reason": "resolved"})
    await office.move(366 * 6)
    refused = await office.post(f"/v1/cases/{office.case}/disposal", 409)
    assert refused.json()["reason"] == "a-request-waits"
    await office.post(f"{path}/withdrawal")
    await office.post(f"/v1/cases/{office.case}/disposal")
    assert await disposal.settled(office.rt)
