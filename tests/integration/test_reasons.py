"""Why an item is in an agency's document or not, for the staff of who leads the case, without content."""

from typing import Any

from tests.integration.test_views import KNEE, PENSION, Town, town

__all__ = ["town"]


async def test_who_leads_a_case_is_told_by_which_rule_each_agency_holds_an_item_or_not(
    town: Town,
) -> None:
    ended = town.consent(town.clinic)
    await town.views.tell(town.consent(town.care), ended, town.fact(money=PENSION))
    await town.views.tell(town.withdrawn(ended))
    await town.views.tell(town.fact(work="内職"), agency=town.clinic)
    await town.judged()
    rules: dict[tuple[str, str], Any] = {}
    async with town.views.client("city", "coordinator") as client:
        answer = await client.get("/v1/reasons", params={"case": str(town.case)})
        stranger = {"case": str(town.case), "agency": "nobody"}
        assert (await client.get("/v1/reasons", params=stranger)).status_code == 422
    for item in answer.json():
        for why in item["agencies"]:
            rules[item["field"], why["agency"]] = (why["rule"], why["code"], why["shown"])
            assert {"ja", "en"} <= why.keys()
    assert rules["health", town.care] == ("L3", "consent", True)
    assert rules["money", town.care] == ("L3", "other_class", False)
    assert rules["health", town.clinic] == ("L1", "ended", False)
    assert rules["money", town.clinic] == ("L1", "ended", False)
    assert "work" not in {field for field, _ in rules}, "what another agency recorded is its own"
    assert not any(value in answer.text for value in (KNEE, PENSION, "内職"))
    shown = {field for (field, agency), why in rules.items() if agency == town.care and why[2]}
    assert shown == await town.fields(town.care)
    for agency, role, status in ((town.care, "coordinator", 404), ("city", "planner", 403)):
        async with town.views.client(agency, role) as client:
            refused = await client.get("/v1/reasons", params={"case": str(town.case)})
        assert refused.status_code == status
