"""Sharing without consent and protected items over the API: who may, on what ground, how long, who finds."""

from datetime import timedelta
from typing import Any

from shared.contracts.intake import (
    BasisExpired,
    BasisReviewOverdue,
    GroundRecorded,
    UrgentAsserted,
)
from shared.timers import Timers
from tests.integration.test_bases import HANA, Desk, desk, reason

__all__ = ["desk"]
URGENT: dict[str, Any] = {
    "persons": [HANA],
    "holders": ["clinic"],
    "classes": ["contact", "judgement"],
    "danger": "life",
    "reason": "自宅で倒れていた",
    "informed": "sato",
}
GROUND: dict[str, Any] = {
    "persons": [HANA],
    "holders": ["clinic"],
    "classes": ["contact"],
    "ground": "persons_interest",
    "reason": "行方が分からない",
    "no_harm": "ほかに傷つく人はいない",
}


async def urgent(desk: Desk, **terms: Any) -> Any:
    return await desk.call("POST", f"{desk.case}/urgent-bases", **URGENT | terms)


async def ground(desk: Desk, role: str = "privacy_officer", **terms: Any) -> Any:
    roles = ("intake_worker", role)
    return await desk.call("POST", f"{desk.case}/grounds", roles=roles, **GROUND | terms)


async def fire(desk: Desk, **later: float) -> None:
    rt = desk.running.rt
    await rt.clock.move(rt.pool, rt.clock.now() + timedelta(**later))  # type: ignore[attr-defined]
    timers = Timers(rt.journal, rt.clock, rt.service.fire)
    while await timers.fire_one():
        pass


async def test_urgent_protection_is_reviewed_in_time_and_never_outlives_its_days(
    desk: Desk,
) -> None:
    assert (await urgent(desk, informed="tanaka")).status_code == 422
    assert (await urgent(desk, holders=["nobody"])).status_code == 422
    long_ago = (desk.running.rt.clock.now() - timedelta(days=20)).isoformat()
    assert (await urgent(desk, occurred_at=long_ago)).status_code == 422
    made = await urgent(desk)
    assert made.status_code == 201, made.text
    path = made.headers["location"]
    assert (await desk.call("POST", f"{path}/review")).status_code == 403
    (said,) = await desk.running.written(UrgentAsserted)
    assert timedelta(hours=72) < said.review_by - said.begins < timedelta(days=13)
    await fire(desk, days=12)
    assert len(await desk.running.written(BasisReviewOverdue)) == 1
    (shown,) = (await desk.bases())["bases"]
    assert shown["live"]
    assert shown["stopped_at"]
    assert "緊急(生命)" in shown["words"]
    (due,) = (await desk.call("GET", "/v1/reviews")).json()
    assert path.endswith(due["basis"])
    assert due["overdue"]
    assert (await desk.call("GET", "/v1/reviews", by="care")).json() == []
    late = await desk.call("POST", f"{path}/review", role="supervisor")
    assert late.status_code == 200
    assert (await desk.call("GET", "/v1/reviews")).json() == []
    (shown,) = (await desk.bases())["bases"]
    assert shown["stopped_at"] is None
    await fire(desk, days=2)
    assert len(await desk.running.written(BasisExpired)) == 1
    assert reason(await desk.call("POST", f"{path}/ending")) == (409, "basis-is-ended")


async def test_a_ground_is_what_the_table_allows(desk: Desk) -> None:
    now = desk.running.rt.clock.now()
    assert (await ground(desk, role="agency_worker")).status_code == 403
    assert (await ground(desk, ground="nonsense")).status_code == 422
    assert (await ground(desk, ground="joint_use", role="supervisor")).status_code == 422
    too_long = (now + timedelta(days=100)).isoformat()
    assert (await ground(desk, until=too_long)).status_code == 422
    assert not await desk.running.written(GroundRecorded)
    made = await ground(desk)
    assert made.status_code == 201, made.text
    (shown,) = (await desk.bases())["bases"]
    assert "個人情報保護法69条2項4号" in shown["words"]
    assert "要確認" in shown["words"]
    path = made.headers["location"]
    assert reason(await desk.call("POST", f"{path}/review", role="supervisor"))[0] == 409
    assert (await desk.call("POST", f"{path}/ending")).status_code == 200
    (shown,) = (await desk.bases())["bases"]
    assert not shown["live"]


async def test_a_protected_address_is_kept_from_the_file_the_section_and_the_search(
    desk: Desk,
) -> None:
    """L11: from whoever is not named, the lead agency included."""

    async def seen() -> tuple[bool, list[str], bool]:
        file = await desk.call("GET", desk.case)
        section = (await desk.call("GET", f"{desk.case}/sections/person?person={HANA}")).json()
        found = (await desk.call("GET", "/v1/cases?q=生駒市𩸽町")).json()["items"]
        assert ("address" in section["fields"]) != (section["protected"] == ["address"])
        return "生駒市" in file.text, section["protected"], bool(found)

    path = f"{desk.case}/protections"
    item = {"person": HANA, "item": "address"}
    assert await seen() == (True, [], True)
    assert (await desk.call("POST", path, **item, named=["nobody"])).status_code == 422
    assert (await desk.call("POST", path, **item)).status_code == 200
    assert await seen() == (False, ["address"], False)
    assert (await desk.call("GET", "/v1/cases?q=𠮷田")).json()["items"]
    assert (await desk.call("POST", path, **item, named=["city"])).status_code == 200
    assert await seen() == (True, [], True)
    assert (await desk.call("POST", path, **item, named=["care"])).status_code == 200
    assert (await desk.call("POST", f"{path}/lifting", **item)).status_code == 403
    lifted = await desk.call("POST", f"{path}/lifting", **item, role="supervisor")
    assert lifted.status_code == 200
    assert await seen() == (True, [], True)
