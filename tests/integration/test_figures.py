"""Running figures over the 支援経過記録: each line once under each of its codes, as it was corrected last."""

from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from operate.stack import Stack
from shared.contracts.intake import ContactCorrected, ContactRecorded
from tests.integration._service import Running, service_on

MAY, MARCH = datetime(2026, 5, 31, 16, tzinfo=UTC), datetime(2026, 3, 31, 14, tzinfo=UTC)
"""The first is June in Tokyo, the second the year before."""


async def figures(running: Running) -> Any:
    planner = running.client("city", "planner")
    answer = await planner.get("/v1/indicators", params={"fiscal_year": 2026})
    assert answer.status_code == 200, answer.text
    return answer.json()


def counted(found: dict[str, int]) -> dict[str, int]:
    return {code: n for code, n in found.items() if n}


async def test_lines_are_told_apart_by_month_kind_method_and_counterpart(
    servers: Stack, templates: None
) -> None:
    async with service_on(servers, "metrics") as running:
        line, other, old = ({"record": uuid4(), "case": uuid4()} for _ in range(3))
        visit = ContactRecorded(**line, method="visit", kind="outreach", counterpart="family")
        await running.tell(visit, ContactRecorded(**other, method="phone"), at=MAY)
        await running.tell(ContactRecorded(**old, method="phone", kind="support"), at=MARCH)
        records = (await figures(running))["figures"]["records"]
        assert {by: counted(found) for by, found in records.items()} == {
            "month": {"2026-06": 2},
            "kind": {"outreach": 1, "unknown": 1},
            "method": {"visit": 1, "phone": 1},
            "counterpart": {"family": 1, "unknown": 1},
        }
        assert list(records["month"])[::11] == ["2026-04", "2027-03"]

        absent = ContactCorrected(**line, method="absent", kind="outreach", reason="誤り")
        await running.tell(absent, at=datetime(2026, 4, 1, 3, tzinfo=UTC))
        shown = await figures(running)
        records = shown["figures"]["records"]
        assert counted(records["method"]) == {"absent": 1, "phone": 1}
        assert counted(records["month"]) == {"2026-04": 1, "2026-06": 1}
        assert shown["figures"]["contacts"] == 2
        assert [(one["id"], one["confirmed"]) for one in shown["running"]] == [("records", False)]
