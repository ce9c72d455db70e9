"""The end of data: of some among others nothing can be opened again, of the others all, and figures stay."""

import asyncio
from base64 import b64decode
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
import pytest_asyncio
from cryptography.exceptions import InvalidTag
from prometheus_client import REGISTRY

from operate.stack import Stack
from services.intake import disposal
from services.intake.domain.case import Case
from services.metrics.timeline import fold
from shared import erasure
from shared.contracts import Personal, Recorded, Unreadable, sealed_fields
from shared.contracts.intake import CaseClosed, CaseDisposed, DisposalApproved, MatchEnquired
from shared.contracts.referral import AgencyRegistered
from shared.erasure import Erasure, Forged
from shared.journal import Context
from shared.keyring import Keyring
from shared.sealing import Codec, bound_to, envelope_of, named, placed
from shared.watch import watch
from tests.integration._kit import until
from tests.integration._service import Running, service_on

YEARS = timedelta(days=366 * 6)
LETTERS = str.maketrans("0123456789", "ghijklmnop")


def name_of(person: UUID) -> str:
    """Without digits: six of them are looked for as a telephone number."""
    return f"𠮷田 {person.hex[:6].translate(LETTERS)}"


class Office:
    """Two persons of the lead agency who may decide; `case`: one household with one person or more."""

    def __init__(self, running: Running) -> None:
        self.running, self.rt = running, running.rt
        self.sato = running.client("city", "supervisor", "intake_worker", subject="sato")
        self.abe = running.client("city", "privacy_officer", subject="abe")
        self._seen = 0

    async def follow(self) -> None:
        own = await self.running.own()
        await self.running.apply(own[self._seen :])
        self._seen = len(own)

    async def case(self, *people: UUID) -> UUID:
        joined = [
            {"id": str(p), "relation": "self", "name": name_of(p), "phone": "0743-00-0000"}
            for p in people
        ]
        made = await self.sato.post(
            "/v1/cases",
            json={
                "route": "person_visit",
                "reporter": "近所の方",
                "people": joined,
                "situations": [{"person": str(p), "health": "膝の痛み"} for p in people],
                "worries": {"concerns": ["care"], "text": "家計も苦しい"},
            },
        )
        assert made.status_code == 201, made.text
        case = made.json()["id"]
        note = {"person": str(people[0]), "text": "眠れない"}
        line = {"method": "visit", "text": "玄関先で話す", "notes": [note]}
        assert (await self.sato.post(f"/v1/cases/{case}/records", json=line)).status_code == 201
        await self.follow()
        return UUID(case)

    async def close(self, case: UUID) -> None:
        await self.do(case, "closing", reason="resolved")

    async def do(
        self, case: UUID, step: str, by: str = "sato", expect: int = 200, **body: Any
    ) -> Any:
        answer = await getattr(self, by).post(f"/v1/cases/{case}/{step}", json=body)
        assert answer.status_code == expect, answer.text
        await self.follow()
        return answer.json()

    async def dispose(self, case: UUID) -> None:
        await self.do(case, "disposal")
        await self.do(case, "disposal/approval", by="abe")

    async def merge(self, merged: UUID, into: UUID, *same: tuple[UUID, UUID]) -> str:
        pairs = [{"merged": str(one), "into": str(other)} for one, other in same]
        body = {"merged": str(merged), "into": str(into), "same": pairs}
        made = await self.sato.post("/v1/merges", json=body)
        assert made.status_code == 201, made.text
        await self.follow()
        return str(made.headers["location"])

    async def due(self) -> list[str]:
        return [d["case"] for d in (await self.abe.get("/v1/disposals/due")).json()["items"]]

    async def later(self) -> None:
        await self.rt.clock.move(self.rt.pool, self.rt.clock.now() + YEARS)  # type: ignore[attr-defined]

    async def events(self, codec: Codec | None = None) -> list[Recorded]:
        rows = await self.rt.pool.fetch("select * from journal order by seq")
        found = await (codec or self.fresh()).open((envelope_of(r), r["data"]) for r in rows)
        return [one for one in found if isinstance(one, Recorded)]

    def fresh(self) -> Codec:
        """As another process opens it, that has no key in its memory."""
        return Codec(self.keyring())

    def keyring(self) -> Keyring:
        keys = self.rt.keys
        return Keyring(self.rt.keyring._pool, keys.keyring_codes_key, keys.keyring_master_key)

    async def readable(self) -> dict[str, set[bool]]:
        """Key → is what is sealed under it readable?"""
        found: dict[str, set[bool]] = {}
        for e in await self.events():
            for name, mark in sealed_fields(type(e.event)).items():
                if e.wire.get(name) is not None and isinstance(mark, Personal):
                    shut = isinstance(getattr(e.event, name), Unreadable)
                    found.setdefault(mark.key_id(e.wire), set()).add(not shut)
        return found


@pytest_asyncio.fixture
async def office(servers: Stack, templates: None) -> AsyncIterator[Office]:
    async with service_on(servers, "intake") as running:
        about: dict[str, Any] = {"kind": "window", "controller": "city", "purposes": ()}
        await running.tell(AgencyRegistered(agency="city", name="福祉課", **about))
        yield Office(running)


async def test_of_some_among_others_nothing_opens_and_of_the_others_all(office: Office) -> None:
    gone, both, stays = uuid4(), uuid4(), uuid4()
    first, second, third = (
        await office.case(gone, both),
        await office.case(both, stays),
        await office.case(stays),
    )
    await office.close(first)
    await office.later()
    figures = fold({}, await office.events(Codec(office.rt.keyring)))
    before = await office.readable()
    assert set.union(*before.values()) == {True}
    await office.dispose(first)

    erased = {f"person/{gone}", f"text/{first}"}
    after = await office.readable()
    assert after.keys() == before.keys()
    assert {key for key, opens in after.items() if opens == {False}} == erased
    assert {key for key, opens in after.items() if opens == {True}} == before.keys() - erased
    await _no_key_opens(office, erased)
    now = fold({}, await office.events())
    assert {k: f for k, f in now.items() if str(first) not in k} == {
        k: f for k, f in figures.items() if str(first) not in k
    }
    assert but_version(now) == but_version(figures)

    file = (await office.sato.get(f"/v1/cases/{first}")).json()
    assert (file["status"], file["facts"], file["people"]) == ("disposed", [], [])
    assert (await office.sato.get(f"/v1/cases/{first}/records")).json() == []
    hits = (await office.sato.get("/v1/cases", params={"q": name_of(gone)})).json()
    assert hits["items"] == []
    hits = (await office.sato.get("/v1/cases", params={"q": name_of(both)})).json()
    assert [hit["id"] for hit in hits["items"]] == [str(second)]
    evidence = (await office.abe.get(f"/v1/cases/{first}/disposal")).json()
    assert (evidence["step"], evidence["proposed_by"], evidence["approved_by"]) == (
        "disposed",
        "sato",
        "abe",
    )
    assert evidence["people"] == [str(gone)]
    assert set(evidence["keys"]) == erased
    assert evidence["disposed_at"]
    assert third


def but_version(facts: dict[str, Any]) -> dict[str, Any]:
    """The number of events of a stream is no figure."""
    return {k: {**vars(f), "version": 0} for k, f in facts.items()}


async def _no_key_opens(office: Office, erased: set[str]) -> None:
    """Every sealed value of theirs against every key that is left."""
    ids = [r["id"] for r in await office.rt.keyring._pool.fetch("select id from data_key")]
    ids += [r["id"] for r in await office.rt.keyring._pool.fetch("select id from codes_key")]
    keys = [
        key
        for key in (await office.keyring().fetch(ids)).values()
        if not isinstance(key, Unreadable)
    ]
    tried = 0
    for e in await office.events():
        for name, mark in sealed_fields(type(e.event)).items():
            if e.wire.get(name) is None or (key_id := mark.key_id(e.wire)) not in erased:
                continue
            raw = b64decode(e.wire[name])
            aad = bound_to(named(e.envelope), placed(name, mark), key_id)
            for key in keys:
                tried += 1
                with pytest.raises(InvalidTag):
                    key.decrypt(raw[:12], raw[12:], aad)
    assert tried > len(keys)


async def test_it_is_listed_when_its_time_has_run_out_and_not_before(office: Office) -> None:
    case, hana = await office.case(uuid4()), uuid4()
    await office.case(hana)
    await office.close(case)
    assert (await office.abe.get("/v1/disposals/due")).json()["items"] == []
    refused = await office.do(case, "disposal", expect=409)
    assert refused["reason"] == "retention-has-not-run-out"
    await office.later()
    (due,) = (await office.abe.get("/v1/disposals/due")).json()["items"]
    assert (due["case"], due["rule"], due["confirmed"]) == (str(case), "case-city-2026", False)
    worker = office.running.client("city", "intake_worker")
    assert (await worker.get("/v1/disposals/due")).status_code == 403
    assert (await worker.post(f"/v1/cases/{case}/disposal", json={})).status_code == 403
    other = office.running.client("shakyo", "supervisor")
    assert (await other.post(f"/v1/cases/{case}/disposal", json={})).status_code == 404
    await office.do(case, "hold", reason="訴訟")
    assert (await office.do(case, "disposal", expect=409))["reason"] == "on-hold"
    await office.do(case, "hold-lifting")
    await office.do(case, "disposal")
    refused = await office.do(case, "disposal/approval", expect=409)
    assert refused["reason"] == "needs-a-second-person"
    assert all(True in opens for opens in (await office.readable()).values())


async def test_what_a_merge_joined_runs_out_together_and_goes_one_by_one(office: Office) -> None:
    """The time of either counts for both, and so does a hold; what goes is of the one alone (L18)."""
    hana, hana_too, ken = uuid4(), uuid4(), uuid4()
    one, two = await office.case(hana), await office.case(hana_too, ken)
    await office.merge(one, two, (hana, hana_too))

    async def waits(case: UUID) -> None:
        assert str(case) not in await office.due()
        refused = await office.do(case, "disposal", expect=409)
        assert refused["reason"] == "retention-has-not-run-out"

    await office.close(one)
    await office.later()
    await waits(one)  # the other is open
    await office.close(two)
    await waits(one)  # the other has years to go
    await office.later()
    assert set(await office.due()) == {str(one), str(two)}
    await office.do(two, "hold", reason="訴訟")
    await waits(one)
    await office.do(two, "hold-lifting")
    asked = {"kind": "disclosure", "people": [str(hana_too)], "identified_by": "licence"}
    request = (await office.abe.post("/v1/rights-requests", json=asked)).headers["location"]
    assert (await office.do(one, "disposal", expect=409))["reason"] == "a-request-waits"
    assert (await office.abe.post(f"{request}/withdrawal", json={})).status_code == 200
    await office.dispose(one)
    after = await office.readable()
    assert {key for key, opens in after.items() if opens == {False}} >= {
        f"person/{hana}", f"text/{one}",
    }  # fmt: skip
    assert {after[f"person/{p}"].pop() for p in (hana_too, ken)} == {True}
    assert after[f"text/{two}"] == {True}
    evidence = (await office.abe.get(f"/v1/cases/{one}/disposal")).json()
    assert (evidence["people"], evidence["joined"]) == ([str(hana)], [str(two)])
    await office.dispose(two)
    after = await office.readable()
    assert {opens for key in (f"person/{hana_too}", f"text/{two}") for opens in after[key]} == {
        False
    }


async def test_after_an_unmerge_each_runs_out_by_itself(office: Office) -> None:
    hana, hana_too = uuid4(), uuid4()
    one, two = await office.case(hana), await office.case(hana_too)
    merge = await office.merge(one, two, (hana, hana_too))
    await office.close(one)
    await office.later()
    assert await office.due() == []
    undone = await office.sato.post(f"{merge}/undoing", json={"reason": "別の方"})
    assert undone.status_code == 200, undone.text
    assert await office.due() == [str(one)]
    await office.dispose(one)
    assert (await office.readable())[f"person/{hana_too}"] == {True}


async def test_what_was_noted_on_a_merge_or_a_match_goes_with_the_first_of_its_cases(
    office: Office,
) -> None:
    one, two = await office.case(hana := uuid4()), await office.case(ken := uuid4())
    merge = await office.merge(one, two)
    undone = await office.sato.post(f"{merge}/undoing", json={"reason": "別の方"})
    assert undone.status_code == 200, undone.text
    rt, now, match = office.rt, office.rt.clock.now(), uuid4()
    asked = MatchEnquired(
        match=match, cases=(one, two), people=(hana, ken), to="city", asked_of=two, person=ken,
        note="電話番号が同じ",
    )  # fmt: skip
    async with rt.pool.acquire() as db, db.transaction():
        context = Context(actor="kato", agency="city", at=now, occurred_at=now)
        await rt.journal.append(db, f"match/{match}", str(match), 0, [asked], context)
    await office.follow()
    await office.close(one)
    await office.later()
    notes = {f"text/{merge.rpartition('/')[2]}", f"text/{match}"}
    before = await office.readable()
    assert [before[key] for key in notes] == [{True}, {True}]
    await office.dispose(one)
    after = await office.readable()
    assert [after[key] for key in notes] == [{False}, {False}]
    assert after[f"text/{two}"] == {True}


async def test_what_a_restored_keyring_brings_back_is_destroyed_again(office: Office) -> None:
    gone, stays = uuid4(), uuid4()
    case, _ = await office.case(gone), await office.case(stays)
    db = office.rt.keyring._pool
    backup = await db.fetch("select id, wrapped from data_key")
    await office.close(case)
    await office.later()
    await office.dispose(case)
    await db.executemany(
        "update data_key set wrapped = $2, destroyed_at = null where id = $1",
        [(row["id"], row["wrapped"]) for row in backup],
    )
    assert (await office.readable())[f"person/{gone}"] == {True}
    await disposal.carry_out(office.rt)  # as at every start
    after = await office.readable()
    assert (after[f"person/{gone}"], after[f"person/{stays}"]) == ({False}, {True})
    state: Case = (await office.rt.journal.load(f"case/{case}")).fold(disposal.cases.DECIDER)
    assert state.status == "disposed"


async def test_a_list_that_is_not_ours_destroys_nothing(office: Office) -> None:
    hana = uuid4()
    case = await office.case(hana)
    master = office.rt.keys.keyring_master_key
    assert master
    forged = Erasure(str(case), (f"person/{hana}",), "0" * 64)
    with pytest.raises(Forged):
        await erasure.apply(office.rt.keyring, master, [forged])
    assert (await office.readable())[f"person/{hana}"] == {True}


async def test_an_approval_whose_process_ended_is_carried_out_by_the_next(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    hana = uuid4()
    case = await office.case(hana)
    await office.close(case)
    await office.later()
    await office.do(case, "disposal")

    async def killed(rt: Any) -> None:
        raise ConnectionError

    with monkeypatch.context() as patch:
        patch.setattr(disposal, "carry_out", killed)
        await office.do(case, "disposal/approval", by="abe", expect=503)
        assert (await office.readable())[f"person/{hana}"] == {True}
    assert not await disposal.settled(office.rt)
    assert await disposal.settled(office.rt)
    assert (await office.readable())[f"person/{hana}"] == {False}


async def test_one_that_cannot_be_read_or_was_not_signed_here_holds_up_no_other(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    people = [uuid4() for _ in range(3)]
    damaged, forged, sound = [await office.case(person) for person in people]

    async def killed(rt: Any) -> None:
        raise ConnectionError

    for case in (damaged, forged, sound):
        await office.close(case)
    await office.later()
    with monkeypatch.context() as patch:
        patch.setattr(disposal, "carry_out", killed)
        for case in (damaged, forged, sound):
            await office.do(case, "disposal")
            await office.do(case, "disposal/approval", by="abe", expect=503)
    change = "update journal set data = data || $2 where stream = $1 and type = $3"
    pool = office.rt.pool
    await pool.execute(change, f"case/{damaged}", {"reason": {}}, CaseClosed.TYPE)
    await pool.execute(change, f"case/{forged}", {"signature": "0" * 64}, DisposalApproved.TYPE)
    assert not await disposal.settled(office.rt)
    await disposal.carry_out(office.rt)  # and again, as the loop does
    assert [done.case for done in await office.running.written(CaseDisposed)] == [sound]
    after = await office.readable()
    assert [after[f"person/{person}"] for person in people] == [{False}, {True}, {False}]
    assert REGISTRY.get_sample_value("tsunagu_undone", {"kind": "disposals"}) == 2


async def test_an_operator_sees_timers_that_could_not_fire_and_that_the_list_of_holidays_ends(
    office: Office,
) -> None:
    await office.rt.pool.execute(
        "insert into timer (id, due, stream, command, last_error)"
        " values ('consent/1', now(), 'consent/1', '{}', 'Damaged')"
    )
    await office.rt.clock.move(office.rt.pool, datetime(2028, 12, 1, tzinfo=UTC))  # type: ignore[attr-defined]
    looking = asyncio.create_task(watch(office.rt))

    async def told() -> bool:
        timers = REGISTRY.get_sample_value("tsunagu_undone", {"kind": "timers"})
        return (timers, REGISTRY.get_sample_value("tsunagu_holidays_left_days")) == (1, 30)

    await until(told, "the figures")
    looking.cancel()
