"""Programmes, contracts and desks over HTTP: what an operator registers, who sees it, what is refused."""

from collections.abc import AsyncIterator
from datetime import date, datetime, time, timedelta
from typing import Any
from uuid import uuid4

import pytest_asyncio

from operate.stack import Stack
from shared.calendar import TOKYO
from shared.contracts.intake import CaseOpened, ConsentRecorded, PersonJoined
from shared.contracts.referral import ContractBegun, ContractExpired
from tests.integration._service import Running, service_on

CARE = {"name": "包括", "kind": "x", "controller": "contractor", "purposes": ["consultation"]}


class Directory:
    """The service, told by an operator, with what it wrote always applied."""

    def __init__(self, running: Running) -> None:
        self.running, self.rt, self._seen = running, running.rt, 0

    @property
    def today(self) -> date:
        return self.rt.clock.now().astimezone(TOKYO).date()

    def day(self, days: int) -> str:
        return str(self.today + timedelta(days=days))

    async def call(
        self, method: str, path: str, *, by: str = "city", role: str = "operator", **body: Any
    ) -> Any:
        client = self.running.client(by, role)
        answer = await client.request(method, path, json=body if method != "GET" else None)
        await self.apply()
        return answer

    async def apply(self) -> None:
        own = await self.running.own()
        await self.running.apply(own[self._seen :])
        self._seen = len(own)

    async def contract(self, agency: str, begins: int, last: int) -> Any:
        return await self.call(
            "POST", "/v1/programmes/visits/contracts",
            agency=agency, begins_on=self.day(begins), last_on=self.day(last),
        )  # fmt: skip

    async def runs(self) -> str | None:
        shown = (await self.call("GET", "/v1/programmes/visits")).json()
        found: str | None = shown["run_by"]
        return found

    async def begin(self, days: int) -> None:
        """Midnight of a day, and whatever is due by then is done."""
        moment = datetime.combine(self.today + timedelta(days=days), time(), TOKYO)
        await self.rt.clock.move(self.rt.pool, moment)  # type: ignore[attr-defined]
        while await self.rt.timers.fire_one():
            pass
        await self.apply()


@pytest_asyncio.fixture
async def directory(servers: Stack, templates: None) -> AsyncIterator[Directory]:
    async with service_on(servers, "referral") as running:
        made = Directory(running)
        for code in ("care", "clinic"):
            assert (await made.call("PUT", f"/v1/agencies/{code}", **CARE)).status_code == 201
        await made.call("PUT", "/v1/programmes/visits", name="訪問事業")
        await made.call("PUT", "/v1/desks/visits-desk", name="訪問窓口𠮷", programme="visits")
        yield made


async def test_a_programme_passes_from_one_agency_to_the_next_on_its_day(
    directory: Directory,
) -> None:
    made = await directory.contract("care", -30, 0)
    assert (made.status_code, made.headers["tsunagu-position"]) == (200, "programme/visits@2")
    overlapping = await directory.contract("clinic", 0, 365)
    assert (overlapping.status_code, overlapping.json()["reason"]) == (
        409, "another-contract-runs-then",
    )  # fmt: skip
    assert (await directory.contract("clinic", 1, 365)).status_code == 200
    assert await directory.runs() == "care"
    await directory.begin(1)
    assert await directory.runs() == "clinic"
    (begun, other) = await directory.running.written(ContractBegun)
    (over,) = await directory.running.written(ContractExpired)
    assert over.contract == begun.contract != other.contract
    agency = (await directory.call("GET", "/v1/agencies/clinic")).json()
    assert (agency["programmes"], agency["desks"]) == (["visits"], ["visits-desk"])
    former = (await directory.call("GET", "/v1/agencies/care")).json()
    assert (former["programmes"], former["desks"]) == ([], [])


async def test_a_contract_is_ended_early_and_leaves_a_gap(directory: Directory) -> None:
    await directory.contract("care", -30, 365)
    shown = (await directory.call("GET", "/v1/programmes/visits")).json()
    path = f"/v1/programmes/visits/contracts/{shown['contracts'][0]['id']}/ending"
    late = await directory.call("POST", path, last_on=directory.day(400))
    assert (late.status_code, late.json()["reason"]) == (409, "not-ahead-of-its-time")
    assert (await directory.call("POST", path, last_on=directory.day(0))).status_code == 200
    assert await directory.runs() == "care"
    await directory.begin(1)
    assert await directory.runs() is None
    desk = (await directory.call("GET", "/v1/desks/visits-desk")).json()
    assert (desk["agency"], desk["programme"]) == (None, "visits")


async def test_members_are_named_by_the_operator_or_a_supervisor_of_the_desks_agency(
    directory: Directory,
) -> None:
    await directory.contract("care", -30, 365)
    path = "/v1/desks/visits-desk/members/sato@care"
    for by, role, body, status in (
        ("clinic", "supervisor", {}, 403),
        ("care", "agency_worker", {}, 403),
        ("care", "supervisor", {"agency": "clinic"}, 422),
        ("care", "supervisor", {}, 200),
        ("city", "operator", {"agency": "clinic"}, 200),
        ("city", "operator", {"agency": "nobody"}, 422),
    ):
        answer = await directory.call("PUT", path, by=by, role=role, **body)
        assert answer.status_code == status, (by, role, body)
    shown = (await directory.call("GET", "/v1/desks/visits-desk", by="care")).json()
    assert shown["members"] == [
        {"agency": "care", "subject": "sato@care"}, {"agency": "clinic", "subject": "sato@care"},
    ]  # fmt: skip
    stranger = await directory.call("GET", "/v1/desks/visits-desk", by="clinic", role="supervisor")
    assert stranger.json()["members"] is None
    assert (await directory.call("POST", f"{path}/leaving")).status_code == 200
    assert (await directory.call("POST", f"{path}/leaving")).status_code == 404


async def test_a_shelter_appears_to_nobody_but_its_agency_and_the_operator(
    directory: Directory,
) -> None:
    """L11"""
    body = {"name": "避難所", "agency": "care", "shelter": True}
    assert (await directory.call("PUT", "/v1/desks/hidden", **body)).status_code == 201
    for by, role, status in (
        ("clinic", "supervisor", 404), ("care", "agency_worker", 200), ("city", "operator", 200),
    ):  # fmt: skip
        answer = await directory.call("GET", "/v1/desks/hidden", by=by, role=role)
        assert answer.status_code == status
        listed = (await directory.call("GET", "/v1/desks", by=by, role=role)).json()["items"]
        assert [one["code"] for one in listed] == ["visits-desk"]
    assert (await directory.call("GET", "/v1/agencies/care")).json()["desks"] == []
    path = "/v1/desks/hidden/members/sato"
    unseen = await directory.call("PUT", path, by="clinic", role="supervisor")
    never = await directory.call("PUT", "/v1/desks/none/members/sato", by="clinic")
    assert (unseen.status_code, unseen.text) == (never.status_code, never.text) == (404, never.text)


async def test_a_code_names_one_thing_and_whose_a_desk_is_does_not_change(
    directory: Directory,
) -> None:
    taken = await directory.call("PUT", "/v1/desks/care", name="x", programme="visits")
    assert (taken.status_code, taken.json()["errors"][0]["field"]) == (422, "path.code")
    taken = await directory.call("PUT", "/v1/agencies/visits-desk", **CARE)
    assert (taken.status_code, taken.json()["errors"][0]["field"]) == (422, "path.code")
    moved = await directory.call("PUT", "/v1/desks/visits-desk", name="x", agency="care")
    assert (moved.status_code, moved.json()["reason"]) == (409, "desk-belongs-elsewhere")
    for body in ({"name": "x"}, {"name": "x", "agency": "care", "programme": "visits"}):
        answer = await directory.call("PUT", "/v1/desks/new-desk", **body)
        assert answer.status_code == 422
    for path in ("/v1/programmes/none/contracts", "/v1/programmes/NONE/contracts"):
        assert (await directory.call("POST", path, by="care", role="supervisor")).status_code == 404
    denied = await directory.call(
        "POST", "/v1/programmes/visits/contracts", by="care", role="supervisor"
    )
    assert denied.status_code == 403


async def test_a_referral_to_a_desk_is_answered_by_whoever_has_it(directory: Directory) -> None:
    """L2, L9"""
    case, person, classes = uuid4(), uuid4(), ("contact", "life_history")
    consent = ConsentRecorded(
        consent=uuid4(), case=case, person=person, status="granted", classes=classes,
        purposes=("consultation",), medium="paper", holders=("visits-desk",), text_version="1",
        begins=directory.rt.clock.now() - timedelta(days=1),
    )  # fmt: skip
    await directory.running.tell(
        CaseOpened(case=case, household=uuid4(), lead="city", route="family_visit"),
        PersonJoined(case=case, person=person, relation="self"),
        consent,
    )
    about = {"case": str(case), "person": str(person), "classes": ["contact"], "need": "訪問"}

    async def ask(receiver: str) -> Any:
        body = {**about, "receiver": receiver}
        return await directory.call("POST", "/v1/referrals", role="intake_worker", **body)

    await directory.call("PUT", "/v1/desks/hidden", name="避難所", agency="care", shelter=True)
    for receiver, status in (("visits-desk", 409), ("hidden", 422), ("nowhere", 422)):
        assert (await ask(receiver)).status_code == status
    await directory.contract("care", -30, 0)
    await directory.contract("clinic", 1, 365)
    made = await ask("visits-desk")
    assert made.status_code == 201, made.text
    path = f"/v1/referrals/{made.json()['id']}"

    async def seen_by() -> list[str]:
        answers = {
            by: await directory.call("GET", path, by=by, role="agency_worker")
            for by in ("care", "clinic")
        }
        inbox = {
            by: await directory.call("GET", "/v1/inbox", by=by, role="agency_worker")
            for by in answers
        }
        found = [by for by, answer in answers.items() if answer.status_code == 200]
        assert found == [by for by, answer in inbox.items() if answer.json()["items"]]
        return found

    assert await seen_by() == ["care"]
    receipt = await directory.call("POST", f"{path}/receipt", by="care", role="agency_worker")
    assert receipt.status_code == 200
    await directory.begin(1)
    assert await seen_by() == ["clinic"]
    accepted = await directory.call("POST", f"{path}/acceptance", by="clinic", role="agency_worker")
    assert accepted.status_code == 200, accepted.text
    shown = (await directory.call("GET", path, by="clinic", role="agency_worker")).json()
    assert (shown["basis_missing"], shown["need"]) == (False, "訪問")


async def test_referrals_of_a_programme_pass_with_it_and_those_of_the_body_wait_for_a_person(
    directory: Directory,
) -> None:
    """L2, L9, L10: what was sent under it is followed by the next body; what the body itself was asked
    stays with it, and is shown as undecided where its staff began it under the programme.
    """
    await directory.contract("care", -30, 0)
    await directory.contract("clinic", 1, 365)
    await directory.call("PUT", "/v1/agencies/city", **CARE)
    await directory.call("PUT", "/v1/desks/visits-desk/members/tanaka")
    case, person = uuid4(), uuid4()
    consent = ConsentRecorded(
        consent=uuid4(), case=case, person=person, status="granted", classes=("contact",),
        purposes=("consultation",), medium="paper", holders=("city", "care"), text_version="1",
        begins=directory.rt.clock.now() - timedelta(days=1),
    )  # fmt: skip
    opened = CaseOpened(case=case, household=uuid4(), lead="care", route="family_visit")
    led = uuid4()
    more = CaseOpened(case=led, household=uuid4(), lead="care", route="family_visit")
    await directory.running.tell(opened, more, agency="care")
    await directory.running.tell(PersonJoined(case=case, person=person, relation="self"), consent)

    async def by(agency: str, method: str, path: str, **body: Any) -> Any:
        return await directory.call(method, path, by=agency, role="intake_worker", **body)

    async def ask(sender: str, receiver: str) -> Any:
        about = {"case": str(case), "person": str(person), "classes": ["contact"]}
        return await by(sender, "POST", "/v1/referrals", **about, receiver=receiver, need="願い𠮷")

    async def lines(agency: str, query: str = "") -> list[tuple[str, str | None, bool]]:
        shown = (await by(agency, "GET", f"/v1/referrals{query}")).json()["items"]
        return [(one["id"], one["followed_by"], one["undecided"]) for one in shown]

    sent = (await ask("care", "city")).json()["id"]
    received = (await ask("city", "care")).json()["id"]
    for act in ("receipt", "acceptance"):
        done = await by("care", "POST", f"/v1/referrals/{received}/{act}")
        assert done.status_code == 200, done.text
    assert await lines("clinic") == []
    assert await lines("city") == [(sent, "care", False), (received, "city", False)]

    await directory.begin(1)
    assert await lines("care") == [(received, "city", True)]
    assert (
        await lines("clinic") == await lines("clinic", "?role=sender") == [(sent, "clinic", False)]
    )
    assert await lines("city", "?undecided=true") == [(received, "city", True)]
    assert (await by("care", "GET", f"/v1/referrals/{sent}")).status_code == 404
    assert (await ask("clinic", "city")).status_code == 201
    case = led
    answers = [(await ask(agency, "city")).status_code for agency in ("care", "clinic")]
    assert answers == [404, 422], "whose the lead is; the person is of another case"
    shown = (await by("clinic", "GET", f"/v1/referrals/{sent}")).json()
    assert (shown["sender"], shown["followed_by"], shown["need"]) == ("care", "clinic", "願い𠮷")
    assert (await by("clinic", "POST", f"/v1/referrals/{sent}/receipt")).status_code == 403
    assert (await by("city", "POST", f"/v1/referrals/{sent}/receipt")).status_code == 200
    shown = (await by("care", "GET", f"/v1/referrals/{received}")).json()
    assert (shown["answered_by"], shown["undecided"]) == ("care", True)
    done = await by("care", "POST", f"/v1/referrals/{received}/decline", code="no_capacity")
    assert done.status_code == 200, done.text
    assert await lines("city", "?undecided=true") == []


async def test_a_referral_to_a_desk_that_nobody_has_waits_for_a_person(
    directory: Directory,
) -> None:
    """L2: between two contracts nobody answers; who asked sees it."""
    await directory.contract("care", -30, 0)
    case, person = uuid4(), uuid4()
    consent = ConsentRecorded(
        consent=uuid4(), case=case, person=person, status="granted", classes=("contact",),
        purposes=("consultation",), medium="paper", holders=("visits-desk",), text_version="1",
        begins=directory.rt.clock.now() - timedelta(days=1),
    )  # fmt: skip
    opened = CaseOpened(case=case, household=uuid4(), lead="city", route="family_visit")
    await directory.running.tell(
        opened, PersonJoined(case=case, person=person, relation="self"), consent
    )
    about = {"case": str(case), "person": str(person), "classes": ["contact"], "need": "訪問"}
    body = {**about, "receiver": "visits-desk"}
    made = await directory.call("POST", "/v1/referrals", role="intake_worker", **body)
    path = f"/v1/referrals/{made.json()['id']}"

    async def undecided() -> Any:
        shown = (await directory.call("GET", path, role="intake_worker")).json()
        query = {"path": "/v1/referrals?undecided=true", "role": "intake_worker"}
        listed = (await directory.call("GET", **query)).json()["items"]
        assert [one["answered_by"] for one in listed] == [shown["answered_by"]] * shown["undecided"]
        return shown["answered_by"], shown["undecided"]

    assert await undecided() == ("care", False)
    await directory.begin(1)
    assert await undecided() == (None, True)
    await directory.contract("clinic", 0, 365)
    assert await undecided() == ("clinic", False)
