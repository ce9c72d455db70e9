"""Merges over the API: said by who may, the merged id still answers, undone as if it had never been."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest_asyncio

from operate.stack import Stack
from shared.contracts.intake import ConsentConfirmed
from shared.contracts.referral import AgencyRegistered
from tests.integration._service import service_on
from tests.integration.test_matches import HANA, TYPED, Desks

NOBODY = "019c0000-0000-7000-8000-000000000009"


class Merging(Desks):
    async def merge(self, merged: str, into: str, *same: dict[str, str], **more: Any) -> Any:
        who = {"by": "city", "role": "supervisor", **more}
        body = {"merged": merged, "into": into, "same": same}
        return await self.call("POST", "/v1/merges", **who, **body)

    async def file(self, case: str, by: str = "city") -> Any:
        answer = await self.call("GET", f"/v1/cases/{case}", by)
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def undo(self, merge: str, by: str = "city", role: str = "supervisor") -> Any:
        return await self.call("POST", f"/v1/merges/{merge}/undoing", by, role, reason="別の方")


@pytest_asyncio.fixture
async def desks(servers: Stack, templates: None) -> AsyncIterator[Merging]:
    async with service_on(servers, "intake") as running:
        about: dict[str, Any] = {"kind": "window", "controller": "city"}
        for code in ("city", "clinic"):
            await running.tell(
                AgencyRegistered(agency=code, name=code, purposes=("coordination",), **about)
            )
        yield Merging(running)


async def test_a_merged_case_answers_with_the_file_in_which_it_goes_on(desks: Merging) -> None:
    one, two = await desks.open("city", HANA), await desks.open("city", TYPED)
    before = await desks.file(one), await desks.file(two)
    merged = await desks.merge(one, two)
    assert merged.status_code == 201, merged.text
    for case in (one, two):
        file = await desks.file(case)
        assert (file["id"], file["merged"]) == (two, [one])
        assert [fact["case"] for fact in file["facts"]] == [two] * 3 + [one] * 3
    more = await desks.call(
        "PUT", f"/v1/cases/{one}/sections/worries", worries={"concerns": ["care"]}
    )
    assert more.status_code == 200  # what is told of the one stays with the one
    assert len((await desks.file(two))["facts"]) == 7
    id = merged.json()["id"]
    assert (await desks.undo(id)).status_code == 200
    assert (await desks.file(two)) == before[1]
    assert len((await desks.file(one))["facts"]) == 4
    assert (await desks.undo(id)).json()["reason"] == "merge-is-undone"
    shown = (await desks.call("GET", f"/v1/merges/{id}")).json()
    assert (shown["status"], shown["merged"], shown["into"]) == ("undone", one, two)


async def test_a_fact_of_a_merged_case_is_corrected_where_it_was_told(desks: Merging) -> None:
    """Asked in the case that staff go on in: so it stays right when the merge is undone (L17, L18)."""
    one, two = await desks.open("city", HANA), await desks.open("city", TYPED)
    hana, typed = [(await desks.file(case))["people"][0] for case in (one, two)]
    words = {"method": "phone", "text": "西町にお住まい"}
    line = await desks.call("POST", f"/v1/cases/{one}/records", **words)
    asked = f"/v1/cases/{two}/records/{line.json()['id']}"
    before = await desks.file(two)
    assert (await desks.call("GET", asked)).status_code == 404
    merge = (await desks.merge(one, two, {"merged": hana, "into": typed})).json()["id"]

    (shown,) = (await desks.call("GET", f"/v1/cases/{two}/records")).json()
    assert (shown["case"], shown["text"]) == (one, "西町にお住まい")
    assert "西町" in (await desks.call("GET", f"/v1/cases/{two}/records/print")).text
    right = {"method": "phone", "text": "東町にお住まい", "reason": "聞き違い"}
    corrected = await desks.call("POST", f"{asked}/correction", **right)
    assert corrected.status_code == 200, corrected.text
    part = {"id": hana, "address": "生駒市東町2"}
    saved = await desks.call("PUT", f"/v1/cases/{two}/sections/person", person=part)
    assert saved.json()["stream"] == f"case/{one}"
    section = f"/v1/cases/{{}}/sections/person?person={hana}"
    fields = (await desks.call("GET", section.format(two))).json()["fields"]
    assert fields["address"]["value"] == "生駒市東町2"
    told = [
        e["values"].get("text")
        for e in (await desks.call("GET", f"/v1/cases/{two}/history")).json()
    ]
    assert [text for text in told if text] == ["西町にお住まい", "東町にお住まい"]

    assert (await desks.undo(merge)).status_code == 200
    assert await desks.file(two) == before
    assert (await desks.call("GET", f"/v1/cases/{two}/records")).json() == []
    assert (await desks.call("POST", f"{asked}/correction", **right)).status_code == 404
    assert (await desks.call("GET", section.format(two))).json()["fields"] == {}
    (kept,) = (await desks.call("GET", f"/v1/cases/{one}/records")).json()
    assert (kept["text"], kept["corrected"]) == ("東町にお住まい", 1)
    assert (await desks.call("GET", section.format(one))).json()["fields"] == fields


async def test_a_merge_gives_no_standing(desks: Merging) -> None:
    """The agency of the merged case reads what it read, and learns nothing of the other (L14, L18)."""
    one, two = await desks.open("shakyo", TYPED), await desks.open("city", HANA)
    words = {"method": "phone", "text": "西町にお住まい"}
    line = await desks.call("POST", f"/v1/cases/{one}/records", "shakyo", **words)
    before = await desks.file(one, by="shakyo")
    await desks.call("GET", "/v1/matches", "center", "matcher")
    refused = await desks.merge(one, two)
    assert refused.status_code == 422
    (match,) = await desks.matches()
    assert (await desks.merge(one, two, by="center", role="matcher")).status_code == 422
    await desks.ask(match["id"], one)
    await desks.say(match["id"], "same")
    made = await desks.merge(one, two, by="center", role="matcher")
    assert made.status_code == 201, made.text
    path = made.headers["location"]
    assert await desks.matches() == []
    assert await desks.file(one, by="shakyo") == before
    assert (await desks.call("GET", f"/v1/cases/{two}", "shakyo")).status_code == 404
    assert (await desks.file(two))["merged"] == []
    assert (await desks.call("GET", f"/v1/cases/{two}/records")).json() == []
    theirs = f"/v1/cases/{two}/records/{line.json()['id']}"
    assert (await desks.call("GET", theirs)).status_code == 404
    for by in ("shakyo", "city", "clinic"):
        assert (await desks.call("GET", path, by)).status_code == 404
    assert (await desks.call("GET", path, "center", "matcher")).status_code == 200


async def test_consents_are_confirmed_one_by_one_by_who_stands_in_both(desks: Merging) -> None:
    one, two = await desks.open("city", HANA), await desks.open("city", TYPED)
    other = await desks.open("city", TYPED)
    consents = []
    for case in (one, other):
        (person,) = (await desks.file(case))["people"]
        terms = {"person": person, "classes": ["contact"], "purposes": ["coordination"]}
        more = {"holders": ["clinic"], "text_version": "1"}
        made = await desks.call("POST", f"/v1/cases/{case}/consents", **terms, **more)
        assert made.status_code == 201, made.text
        consents.append(made.json()["id"])
    path = (await desks.merge(one, two)).headers["location"]
    for wrong in (consents[1], NOBODY):
        refused = await desks.call("POST", f"{path}/confirmations", consent=wrong)
        assert refused.status_code == 422
    for _ in range(2):
        done = await desks.call("POST", f"{path}/confirmations", consent=consents[0])
        assert done.status_code == 200, done.text
    refused = await desks.call("POST", f"{path}/confirmations", "center", "matcher", consent=NOBODY)
    assert refused.status_code == 403
    assert (await desks.call("GET", path)).json()["confirmed"] == [consents[0]]
    assert len(await desks.running.written(ConsentConfirmed)) == 1


async def test_what_cannot_be_merged_is_refused(desks: Merging) -> None:
    one, two, three = [await desks.open("city", HANA) for _ in range(3)]
    for wrong in ((one, one), (one, NOBODY)):
        assert (await desks.merge(*wrong)).status_code == 422
    assert (await desks.merge(one, two, {"merged": NOBODY, "into": NOBODY})).status_code == 422
    assert (await desks.merge(one, two, role="intake_worker")).status_code == 403
    assert (await desks.merge(one, two)).status_code == 201
    for case, into in ((one, three), (three, one)):
        refused = await desks.merge(case, into)
        assert (refused.status_code, refused.json()["reason"]) == (409, "case-is-merged")
    assert (await desks.merge(two, three)).status_code == 201
    assert (await desks.file(one))["id"] == three
    assert (await desks.undo(NOBODY)).status_code == 404


async def test_of_two_merges_at_once_that_do_not_go_together_one_is_refused(
    desks: Merging,
) -> None:
    """Neither a ring nor a case that goes on in two."""
    one, two, three = [await desks.open("city", HANA) for _ in range(3)]
    client = desks.running.client("city", "supervisor")
    for pairs in (
        ((one, two), (two, one)),
        ((two, three), (two, one)),
        ((three, one), (one, three)),
    ):
        bodies = [{"merged": merged, "into": into, "same": []} for merged, into in pairs]
        answers = await asyncio.gather(*(client.post("/v1/merges", json=body) for body in bodies))
        assert sorted(answer.status_code for answer in answers) == [201, 409]
        (made,) = (a for a in answers if a.status_code == 201)
        (other,) = (a for a in answers if a.status_code == 409)
        assert other.json()["reason"] == "case-is-merged"
        assert (await desks.undo(made.json()["id"])).status_code == 200


async def test_a_death_on_record_in_a_merged_case_stops_the_consent_given_in_the_other(
    desks: Merging,
) -> None:
    """L4a: he is one, whichever id he has; undoing the merge gives the consent back."""
    one, two = await desks.open("city", HANA), await desks.open("city", TYPED)
    hana, typed = [(await desks.file(case))["people"][0] for case in (one, two)]
    terms = {"person": typed, "classes": ["contact"], "purposes": ["coordination"]}
    more = {"holders": ["clinic"], "text_version": "1"}
    made = await desks.call("POST", f"/v1/cases/{two}/consents", **terms, **more)
    assert made.status_code == 201, made.text
    died = await desks.call("POST", f"/v1/cases/{one}/flags", person=hana, flags=["died"])
    assert died.status_code == 200, died.text

    async def stopped() -> bool:
        answer = await desks.call("GET", f"/v1/cases/{two}/bases")
        (shown,) = [p for p in answer.json() if p["person"] == typed]
        return bool(shown["bases"][0]["stopped_at"])

    assert not await stopped()
    merge = (await desks.merge(one, two, {"merged": hana, "into": typed})).json()["id"]
    assert await stopped()
    assert (await desks.undo(merge)).status_code == 200
    assert not await stopped()
