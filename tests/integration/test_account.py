"""Views gives account: what was withdrawn and given back, when it was late, to whom by hand, and when."""

import json
from collections import Counter
from collections.abc import AsyncIterator
from copy import copy
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from joserfc.jwk import KeySet

from agency.document import digest
from agency.sealed import opened
from operate.stack import Stack
from services.views.resending import resend
from shared.contracts.intake import (
    CaseOpened,
    CasesMerged,
    ConsentConfirmed,
    MergeUndone,
    PersonJoined,
    SituationRecorded,
)
from shared.contracts.meetings import MemberLeft
from shared.contracts.views import (
    ProvisionRecorded,
    ReceiptRecorded,
    ReceiptRefused,
    RetractionOverdue,
    SheetPrinted,
)
from tests.integration._kit import until
from tests.integration._service import service_on
from tests.integration.test_page import FORM, form
from tests.integration.test_views import KNEE, PENSION, Subscriber, Town, deliver, records_of
from tests.integration.test_webhooks import Endpoint, listening, sending


@pytest.fixture
async def town(servers: Stack, templates: None) -> AsyncIterator[Town]:
    async with service_on(servers, "views") as views:
        made = Town(views)
        await made.open()
        yield made


async def get(town: Town, path: str, agency: str, *roles: str) -> Any:
    async with town.views.client(agency, *roles) as client:
        return await client.get(path)


async def post(town: Town, path: str, agency: str, body: Any, *roles: str) -> Any:
    town.hear()
    async with town.views.client(agency, *(roles or ("system",))) as client:
        return await client.post(path, json=body)


async def retracted(town: Town, query: str = "", *roles: str) -> Any:
    path = f"/v1/retractions?{query or f'case={town.case}'}"
    answer = await get(town, path, "city", *(roles or ("privacy_officer",)))
    assert answer.status_code == 200, answer.text
    return answer.json()["items"]


async def test_what_is_withdrawn_is_told_delivered_overdue_and_confirmed(town: Town) -> None:
    """L15, L16: also where the same moment adds something else, and so the outward cause is coarse."""
    health, money = town.consent(town.care), town.consent(town.care, classes=("money",))
    await town.views.tell(health)
    await town.judged()
    assert await retracted(town) == []
    await town.views.tell(town.fact(money=PENSION), town.withdrawn(health), money)
    await town.judged()
    *_, last = await town.documents(town.care)
    assert (last.cause, [ref.field for ref in last.withdrawn]) == ("content_changed", ["health"])

    handle = str(await town.delivery("handle", town.care))
    (one,) = await retracted(town)
    assert (one["agency"], one["document"], one["state"]) == (town.care, 2, "told")
    assert [(item["type"], item["field"]) for item in one["items"]] == [
        ("case.situation_recorded", "health")
    ]
    assert one["items"][0]["bases"] == [
        {"kind": "consent", "id": str(health.consent), "programme": None}
    ]
    receipt = {"handle": handle, "document": 2, "grade": "placed"}
    assert (await post(town, "/v1/receipts", town.care, receipt)).status_code == 200
    assert [one["state"] for one in await retracted(town)] == ["delivered"]

    assert await retracted(town, "state=overdue") == []
    await town.move(10)
    while await town.rt.timers.fire_one():
        pass
    assert len(await town.views.written(RetractionOverdue)) == 1
    (one,) = await retracted(town, "state=overdue")
    assert (one["agency"], one["state"], one["pending"]) == (town.care, "overdue", True)
    others = (await get(town, "/v1/retractions", town.care, "privacy_officer")).json()
    assert others == {"items": [], "next": None}
    assert (await get(town, "/v1/retractions", "city", "agency_worker")).status_code == 403

    path = f"/v1/views/{handle}/retraction-confirmation"
    kept = {"document": 2, "kept": "medical_record"}
    assert (await post(town, path, town.clinic, kept)).status_code == 404
    assert (await post(town, path, town.care, kept)).status_code == 200
    (one,) = await retracted(town)
    assert (one["state"], one["kept"]) == ("confirmed", "medical_record")
    assert await retracted(town, "state=overdue") == []
    assert await town.fields(town.care) == {"money"}


async def pages(town: Town, query: str) -> list[Any]:
    """One by one, as `next` leads."""
    found: list[Any] = []
    after = ""
    while True:
        path = f"/v1/retractions?limit=1{query}{after}"
        page = (await get(town, path, "city", "privacy_officer")).json()
        assert len(page["items"]) <= 1
        found += page["items"]
        if page["next"] is None:
            return found
        after = f"&after={page['next']}"


async def test_page_by_page_everything_that_is_not_given_back_is_there_once(town: Town) -> None:
    """Documents and what left by hand, in whichever state is asked for; what is confirmed fills no page."""
    last = copy(town)
    last.case, last.hana = UUID(int=2**128 - 1), uuid4()
    await town.views.tell(
        CaseOpened(case=last.case, household=uuid4(), lead="city", route="family_visit"),
        PersonJoined(case=last.case, person=last.hana, relation="self"),
        last.fact(health="腰の痛み"),
    )
    await town.judged()
    given = [one.consent(code) for one in (town, last) for code in (town.care, town.clinic)]
    await town.views.tell(*given)
    await town.judged()
    for _ in range(2):
        paper = {
            "case": str(last.case), "way": "print", "to": town.care, "purpose": "訪問",
            "items": await facts_of(last, "health"), "approver": "kacho",
        }  # fmt: skip
        done = await post(town, "/v1/disclosures", "city", paper, "coordinator")
        assert done.status_code == 201, done.text
    await town.views.tell(last.withdrawn(given[3]))  # the clinic's, of the last case of all
    await town.judged()
    await town.move(10)
    while await town.rt.timers.fire_one():
        pass
    await town.views.tell(*map(town.withdrawn, given[:2]), last.withdrawn(given[2]))
    await town.judged()

    every = await pages(town, "")
    assert every == await retracted(town, "limit=500")
    document, hand = Counter({"document": 4, "by_hand": 2}), Counter({"by_hand": 2})
    assert Counter(one["way"] for one in every) == document
    assert len({(o["agency"], o["case"], o["disclosure"]) for o in every}) == 6
    for state, count in (("overdue", 1), ("told", 3), ("delivered", 0), ("to_tell", 2)):
        found = await pages(town, f"&state={state}")
        assert found == [one for one in every if one["state"] == state], state
        assert len(found) == count, state
    (late,) = await pages(town, "&state=overdue")
    assert (late["agency"], late["case"]) == (town.clinic, str(last.case))
    assert Counter(o["way"] for o in await pages(town, f"&case={last.case}")) == hand + Counter(
        {"document": 2}
    )
    async with town.views.client(town.clinic, "agency_worker") as clinic:
        for line in (await clinic.get("/v1/views")).json()["items"]:
            path = f"/v1/views/{line['handle']}/retraction-confirmation"
            body = {"document": line["document"]}
            assert (await clinic.post(path, json=body)).status_code == 200
    assert Counter(one["agency"] for one in await pages(town, "")) == {town.care: 4}
    for wrong in ("x", "disclosure/x/y/1", "provision/%00"):
        path = f"/v1/retractions?after={wrong}"
        assert (await get(town, path, "city", "supervisor")).status_code == 422


async def test_what_an_endpoint_has_taken_is_delivered(town: Town) -> None:
    """It answered 2xx; nothing was read, receipted, or taken by the broker."""
    care = Endpoint(town, town.care)
    consent = town.consent(town.care)
    async with listening(care), sending(town):
        await care.subscribe()
        await town.views.tell(consent)
        await town.judged()
        await until(lambda: came(care, 1))
        await town.views.tell(town.withdrawn(consent))
        await town.judged()
        await until(lambda: came(care, 2))
        await until(care.in_sync)
    (one,) = await retracted(town)
    assert (one["state"], one["pending"]) == ("delivered", True)
    assert await retracted(town, "state=delivered") == [one]
    assert await retracted(town, "state=told") == []


async def came(of: Endpoint, documents: int) -> bool:
    return len(of.came) >= documents


async def test_copies_that_a_member_printed_are_asked_back_and_in_the_persons_list(
    town: Town,
) -> None:
    """L21."""
    health, money = town.consent(town.care), town.consent(town.care, classes=("money",))
    await town.views.tell(money, town.fact(money=PENSION))
    await town.judged()
    page = f"/v1/views/{await town.delivery('handle', town.care)}/page"
    async with town.views.client(town.care, "agency_worker", subject="suzuki") as member:

        async def printed() -> None:
            shown = (await member.get(page)).text
            answer = await member.post(f"{page}/print", content=form(shown), headers=FORM)
            assert answer.status_code == 200

        await printed()
        await town.views.tell(health)
        await town.judged()
        await printed()
    await town.views.tell(town.withdrawn(health))
    await town.judged()
    (one,) = await retracted(town)
    assert one["copies"] == [2]
    path = f"/v1/persons/{town.hana}/disclosures"
    lines = (await get(town, path, "city", "privacy_officer")).json()
    copies = {
        line["field"]: [(copy["number"], copy["subject"]) for copy in line["copies"]]
        for line in lines
        if line["receiver"] == town.care
    }
    assert copies == {"money": [(1, "suzuki"), (2, "suzuki")], "health": [(2, "suzuki")]}


async def test_a_newer_value_corrects_and_withdraws_nothing(town: Town) -> None:
    """L17."""
    await town.views.tell(town.consent(town.care))
    await town.judged()
    await town.views.tell(town.fact(health="腰の痛み"))
    await town.judged()
    assert [len(d.withdrawn) for d in await town.documents(town.care)] == [0, 0]
    assert await retracted(town) == []


# Receipts and freshness.


async def fresh(town: Town) -> Any:
    path = f"/v1/agencies/{town.care}/freshness"
    return (await get(town, path, town.care, "agency_worker")).json()


async def test_a_receipt_is_for_what_was_sent_or_it_is_sent_again(
    town: Town, servers: Stack
) -> None:
    """The digest that an agency makes of what it holds, by the topic and over HTTP; a forged receipt."""
    servers.agencies([town.care])
    care = Subscriber(town, town.care)
    await care.subscribe()
    await town.views.tell(town.consent(town.care))
    await town.judged()
    behind = await fresh(town)
    assert (behind["undelivered"], behind["last_delivered_at"]) == (1, None)
    assert behind["words"]["ja"] == "1分未満の遅れ・確認なし"
    await deliver(town)
    (record,) = await records_of(town, care)
    change = opened(record, KeySet([care.key]))
    assert change.body
    body = json.loads(change.body)
    shown = (await get(town, f"/v1/views/{change.handle}", town.care, "system")).json()
    assert digest(shown) == digest(body)

    await town.rt.pool.execute("update delivery set resend_at = resend_at - interval '2 days'")
    assert await resend(town.rt) == 0  # it has never given a receipt

    receipt = {"handle": change.handle, "document": 1, "grade": "placed", "digest": digest(body)}
    assert (await post(town, "/v1/receipts", town.clinic, receipt)).status_code == 404
    wrong = {**receipt, "digest": digest({**body, "items": []})}
    for _ in range(2):
        answer = await post(town, "/v1/receipts", town.care, wrong)
        assert (answer.status_code, answer.json()["reason"]) == (409, "digest-mismatch")
    assert len(await town.views.written(ReceiptRefused)) == 1
    assert (await post(town, "/v1/receipts", town.care, receipt)).status_code == 200
    await town.views.apply(await town.views.own())
    assert (await fresh(town))["words"]["ja"].startswith("最新・最終確認 ")

    assert await resend(town.rt) == 0
    assert await town.delivery("resend_at", town.care) is None
    assert (await post(town, "/v1/receipts", town.care, wrong)).status_code == 409
    await town.views.apply((await town.views.own())[-1:])
    await town.rt.pool.execute("update delivery set resend_at = resend_at - interval '1 minute'")
    assert await resend(town.rt) == 1
    await deliver(town)
    assert [(v, edition) for v, edition, _ in await care.read()] == [(1, 1), (1, 2)]

    await town.views.tell(town.fact(money=PENSION), town.consent(town.care, classes=("money",)))
    await town.judged()
    await deliver(town)
    newest = opened((await records_of(town, care))[-1], KeySet([care.key]))
    assert newest.version == 2
    before = len(await town.views.written(ReceiptRecorded))
    for number, held in ((1, json.loads(newest.body or "")), (2, body)):
        mixed = {**receipt, "document": number, "digest": digest(held)}
        assert (await post(town, "/v1/receipts", town.care, mixed)).status_code == 409
    assert len(await town.views.written(ReceiptRecorded)) == before
    assert len(await town.views.written(ReceiptRefused)) == 3


# History.


async def test_what_a_document_was_at_a_moment_and_to_whom_a_persons_data_went(town: Town) -> None:
    """L15: what was disclosed stays on record, its content leaves."""
    began = town.rt.clock.now()
    health, money = town.consent(town.care), town.consent(town.care, classes=("money",))
    await town.views.tell(town.fact(money=PENSION), health, money)
    await town.judged()
    await town.move(1)
    path = f"/v1/views/{await town.delivery('handle', town.care)}"
    async with town.views.client(town.care, "agency_worker", subject="suzuki") as client:
        assert (await client.get(path)).status_code == 200
    await town.views.tell(town.withdrawn(health))
    await town.judged()
    *_, last = await town.documents(town.care)
    assert [ref.field for ref in last.withdrawn] == ["health"]

    async def at(moment: Any) -> Any:
        when = moment.isoformat().replace("+00:00", "Z")
        return await get(town, f"{path}?known_at={when}", town.care, "agency_worker")

    then = (await at(began + timedelta(hours=12))).json()
    assert then["document"] == 1
    assert {i["field"]: (i["content"], i.get("value")) for i in then["items"]} == {
        "health": ("ended", None),
        "money": ("shown", PENSION),
    }
    (person,) = then["persons"]
    covered = {name for name, word in person["classes"].items() if word == "covered"}
    assert (covered, len(person["classes"])) == ({"health_disability", "money"}, 6)
    assert {i["person"] for i in then["items"]} == {person["person"]}
    assert [len(item["bases"]) for item in then["items"]] == [1, 1]
    assert [i["field"] for i in (await at(town.rt.clock.now())).json()["items"]] == ["money"]
    assert (await at(began - timedelta(days=1))).status_code == 404

    person = f"/v1/persons/{town.hana}/disclosures"
    for agency, role, status in (
        (town.care, "privacy_officer", 404),
        ("city", "agency_worker", 403),
    ):
        assert (await get(town, person, agency, role)).status_code == status
    lines = (await get(town, person, "city", "privacy_officer")).json()
    mine = {one["field"]: one for one in lines if one["receiver"] == town.care}
    assert mine["health"]["bases"] == [
        {"kind": "consent", "id": str(health.consent), "programme": None}
    ]
    assert (mine["health"]["until"] is None, mine["money"]["until"]) == (False, None)
    assert [reading["subject"] for reading in mine["health"]["read_by"]] == ["suzuki"]
    assert PENSION not in json.dumps(lines, ensure_ascii=False)


async def test_who_was_shown_and_what_was_covered_is_told_as_it_was_then(town: Town) -> None:
    """L13, L15: also of somebody of whom nothing is shown any more; to the section that leads the case
    without content; undoing a merge changes nothing of what was.
    """
    ken, other, other_case = uuid4(), uuid4(), uuid4()
    health = town.consent(town.care)
    debt = town.consent(town.care, classes=("money",)).model_copy(update={"person": ken})
    merged = CasesMerged(merge=uuid4(), merged=other_case, into=town.case, same=((other, ken),))
    await town.views.tell(
        PersonJoined(case=town.case, person=ken, relation="child"),
        health,
        debt,
        CaseOpened(case=other_case, household=uuid4(), lead="city", route="family_visit"),
        PersonJoined(case=other_case, person=other, relation="self"),
        SituationRecorded(case=other_case, person=other, money="借金"),
        merged,
        ConsentConfirmed(merge=merged.merge, consent=debt.consent),
    )
    own = SituationRecorded(case=town.case, person=town.hana, work="内職")
    await town.views.tell(own, agency=town.care)
    await town.judged()
    then = town.rt.clock.now()
    shown = (await town.documents(town.care))[-1]
    assert {ref.field for ref in shown.items} > {"health", "money", "work"}
    await town.move(1)
    await town.views.tell(
        MergeUndone(merge=merged.merge, reason="別人"),
        town.withdrawn(debt),
        town.consent(town.care, classes=("work_school",)),
    )
    await town.judged()
    assert await town.fields(town.care) == {ref.field for ref in shown.items} - {"money"}

    async def at(moment: Any, agency: str = "city", role: str = "privacy_officer") -> Any:
        when = moment.isoformat().replace("+00:00", "Z")
        path = f"/v1/cases/{town.case}/documents/{town.care}?known_at={when}"
        return await get(town, path, agency, role)

    before, now = (await at(then)).json(), (await at(town.rt.clock.now())).json()

    def coverage(document: Any) -> dict[str, set[str]]:
        return {
            one["person"]: {name for name, word in one["classes"].items() if word == "covered"}
            for one in document["persons"]
        }

    hana = str(town.hana)
    assert coverage(before) == {hana: {"health_disability"}, str(ken): {"money"}}
    assert coverage(now) == {hana: {"health_disability", "work_school"}}
    held = {one["field"]: one for one in before["items"]}
    assert held.keys() == {"health", "money"}, "its own record was disclosed to it by nobody"
    assert (held["money"]["persons"], held["money"]["data_class"]) == ([str(ken)], "money")
    assert [basis["id"] for basis in held["health"]["bases"]] == [str(health.consent)]
    assert not [word for word in (KNEE, "借金") if word in json.dumps(before, ensure_ascii=False)]

    handle = await town.delivery("handle", town.care)
    when = then.isoformat().replace("+00:00", "Z")
    path = f"/v1/views/{handle}?known_at={when}"
    mine = (await get(town, path, town.care, "agency_worker")).json()
    classes = [set(one["classes"].items()) for one in before["persons"]]
    assert [set(one["classes"].items()) for one in mine["persons"]] == classes
    words = {i["field"]: (i["content"], i["class"]) for i in mine["items"]}
    assert words.pop("source")[0] == "shown"
    assert words == {
        "health": ("shown", "health_disability"),
        "money": ("ended", "money"),
        "work": ("shown", "work_school"),
    }

    for answer, status in (
        (await at(then - timedelta(days=1)), 404),
        (await at(then, town.care), 404),
        (await at(then, "city", "agency_worker"), 403),
    ):
        assert answer.status_code == status
    path = f"/v1/cases/{town.case}/documents/{town.clinic}"
    assert (await get(town, path, "city", "supervisor")).status_code == 404


# By hand.


async def facts_of(town: Town, *fields: str) -> list[dict[str, str]]:
    """References as the city's own document has them."""
    documents = await town.documents("city")
    found = next(d for d in reversed(documents) if d.case == town.case).items
    return [{"event": str(i.event), "field": i.field} for i in found if i.field in fields]


@pytest.mark.parametrize("why", ["recovering", "parked"])
async def test_nothing_leaves_by_hand_while_a_basis_may_have_ended(town: Town, why: str) -> None:
    """As documents do not grow then; what is given back is taken."""
    given = town.consent(town.care)
    await town.views.tell(given)
    await town.judged()
    paper = {
        "case": str(town.case), "way": "print", "to": town.care, "purpose": "訪問",
        "items": await facts_of(town, "health"), "approver": "kacho",
    }  # fmt: skip
    done = await post(town, "/v1/disclosures", "city", paper, "coordinator")
    sheet = f"/v1/disclosures/{done.json()['id']}/sheet"
    if why == "parked":
        left = MemberLeft(body="juso-kaigi", member="sato")
        await town.views.apply([await town.views.record(left, skip=1)])
        town.hear()
    else:
        town.hear(ago=60)
    async with town.views.client("city", "coordinator") as client:
        for path, body in (("/v1/disclosures", paper), (sheet, {})):
            answer = await client.post(path, json=body)
            problem = answer.status_code, answer.json()["type"]
            assert problem == (503, f"urn:tsunagu:problem:{why}")
        await town.views.tell(town.withdrawn(given))
        assert (await client.post(sheet.replace("sheet", "return"), json={})).is_success
    assert len(await town.views.written(ProvisionRecorded)) == 1
    assert not await town.views.written(SheetPrinted)


async def test_what_leaves_by_hand_is_recorded_marked_and_asked_back(town: Town) -> None:
    """L21: an agency gets a sheet of what it may hold; the police what a law gives; both are listed."""
    consent = town.consent(town.care)
    await town.views.tell(consent, town.fact(money=PENSION))
    await town.judged()
    health, money = await facts_of(town, "health"), await facts_of(town, "money")
    paper = {
        "case": str(town.case), "way": "print", "to": town.care, "items": health,
        "purpose": "訪問の準備", "approver": "kacho",
    }  # fmt: skip
    asked = {
        "case": str(town.case), "way": "paper", "kind": "police", "receiver": "𠮷野警察署",
        "items": health + money, "purpose": "所在の確認", "approver": "kacho",
        "ground": "police_enquiry", "citation": "刑訴法197条2項",
    }  # fmt: skip
    by_consent = {**asked, "items": health, "consent": str(consent.consent), "ground": None,
                  "citation": None}  # fmt: skip
    path, staff = "/v1/disclosures", "coordinator"
    for body, agency, role, status in (
        (paper, town.care, staff, 404),
        (paper, "city", "agency_worker", 403),
        ({**paper, "approver": "tanaka"}, "city", staff, 422),
        ({**paper, "items": money}, "city", staff, 409),
        ({**paper, "to": town.clinic, "consent": str(consent.consent)}, "city", staff, 409),
        ({**paper, "to": town.clinic, "ground": "law", "citation": "x"}, "city", staff, 409),
        (by_consent, "city", staff, 409),
        ({**paper, "items": [{"event": str(town.case), "field": "name"}]}, "city", staff, 422),
        ({**asked, "ground": None, "citation": None}, "city", staff, 422),
    ):
        assert (await post(town, path, agency, body, role)).status_code == status
    assert not await town.views.written(ProvisionRecorded)
    ids = []
    for body in (paper, asked):
        answer = await post(town, path, "city", body, staff)
        assert answer.status_code == 201, answer.text
        ids.append(answer.json()["id"])

    shown = (await get(town, f"{path}/{ids[0]}", "city", staff)).json()
    async with town.views.client("city", staff) as client:
        keyed = {"Idempotency-Key": "its answer was lost"}
        town.hear()
        pages = [
            (await client.post(f"{path}/{ids[0]}/sheet", json={}, headers=keyed)).text
            for _ in range(2)
        ]
    for number, page in enumerate(pages, 1):
        for text in (f"{shown['number']}-{number} ", "膝の痛み", town.care):
            assert text in page
        assert PENSION not in page
    assert len(await town.views.written(SheetPrinted)) == 2
    page = (await post(town, f"{path}/{ids[1]}/sheet", "city", {}, staff)).text
    for text in ("-1 ", "警察 𠮷野警察署", "膝の痛み", PENSION):
        assert text in page
    *_, printed = await town.views.written(SheetPrinted)
    assert {item.field for item in printed.items} == {"health", "money"}

    assert await retracted(town) == []
    await town.views.tell(town.withdrawn(consent))
    await town.judged()
    by_hand = [one for one in await retracted(town) if one["way"] == "by_hand"]
    assert [(one["disclosure"], one["state"]) for one in by_hand] == [(ids[0], "to_tell")]
    assert (await post(town, f"{path}/{ids[0]}/sheet", "city", {}, staff)).status_code == 409
    (one,) = await retracted(town, "state=to_tell")
    assert one["disclosure"] == ids[0]
    for act, state in (("telling", "told"), ("return", "confirmed")):
        assert (await post(town, f"{path}/{ids[0]}/{act}", "city", {}, staff)).status_code == 200
        by_hand = [one for one in await retracted(town) if one["way"] == "by_hand"]
        assert [one["state"] for one in by_hand] == [state]

    person = f"/v1/persons/{town.hana}/disclosures"
    lines = (await get(town, person, "city", "privacy_officer")).json()
    assert {(one["way"], one["receiver"], one["field"]) for one in lines} >= {
        ("print", town.care, "health"),
        ("paper", "𠮷野警察署", "money"),
    }
