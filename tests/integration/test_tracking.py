"""What who sent a referral is told of it without a basis: how far it is, each with its day (L10)."""

from datetime import timedelta
from typing import Any
from uuid import uuid4

from shared.contracts.intake import CaseOpened, ConsentRecorded, PersonJoined
from tests.integration.test_programmes import CARE, Directory, directory

__all__ = ["directory"]

DAYS = ("requested_at", "received_at", "accepted_at", "ended_at")
HOW_FAR = ("requested", "received", "in_progress", "ended")
FINER = ("started_at", "completed_at", "declined_at", "first_contact_on", "outcome", "decline")


async def test_without_a_basis_a_sender_sees_received_in_progress_and_ended_with_their_days(
    directory: Directory,
) -> None:
    """L10, L1: the outcome is the receiver's; a consent that covers it tells the sender too."""
    await directory.call("PUT", "/v1/agencies/city", **CARE)
    case, person, now = uuid4(), uuid4(), directory.rt.clock.now()

    def consent(*holders: str, classes: tuple[str, ...]) -> ConsentRecorded:
        return ConsentRecorded(
            consent=uuid4(), case=case, person=person, status="granted", classes=classes,
            purposes=("consultation",), medium="paper", holders=holders, text_version="1",
            begins=now - timedelta(days=1),
        )  # fmt: skip

    opened = CaseOpened(case=case, household=uuid4(), lead="city", route="family_visit")
    joined = PersonJoined(case=case, person=person, relation="self")
    given = consent("care", classes=("contact",))
    await directory.running.tell(opened, joined, given, agency="city")

    async def by(agency: str, method: str, path: str, **body: Any) -> Any:
        answer = await directory.call(method, path, by=agency, role="intake_worker", **body)
        assert answer.status_code in (200, 201), answer.text
        return answer.json()

    async def asked() -> str:
        about = {"case": str(case), "person": str(person), "classes": ["contact"]}
        made = await by("city", "POST", "/v1/referrals", **about, receiver="care", need="願い")
        return f"/v1/referrals/{made['id']}"

    async def seen(path: str, agency: str = "city") -> dict[str, Any]:
        shown: dict[str, Any] = await by(agency, "GET", path)
        listed = (await by(agency, "GET", "/v1/referrals"))["items"]
        (line,) = (one for one in listed if path.endswith(one["id"]))
        if agency == "city":
            assert line["status"] in HOW_FAR
        return shown

    path, steps = await asked(), []
    for step, body in (
        ("receipt", {}),
        ("acceptance", {"first_contact_on": str(directory.today)}),
        ("service-start", {"first_contact_on": str(directory.today)}),
        ("completion", {"outcome": "helped"}),
    ):
        await by("care", "POST", f"{path}/{step}", **body)
        shown = await seen(path)
        assert not any(shown[name] for name in FINER), step
        steps.append((shown["status"], sum(bool(shown[name]) for name in DAYS)))
    assert steps == [("received", 2), ("in_progress", 3), ("in_progress", 3), ("ended", 4)]
    assert (await seen(path, "care"))["outcome"] == "helped"

    declined = await asked()
    await by("care", "POST", f"{declined}/receipt")
    refusal = {"code": "no_capacity", "text": "定員のため"}
    await by("care", "POST", f"{declined}/decline", **refusal)
    shown = await seen(declined)
    assert (shown["status"], shown["decline"]) == ("ended", None), "as if it had been completed"
    ended = (await by("city", "GET", "/v1/referrals?status=ended"))["items"]
    assert {f"/v1/referrals/{one['id']}" for one in ended} == {path, declined}
    assert not (await by("city", "GET", "/v1/referrals?status=declined"))["items"]
    assert (await by("care", "GET", "/v1/referrals?status=declined"))["items"]

    await directory.running.tell(consent("city", classes=("welfare_use",)))
    shown = await seen(declined)
    assert (shown["status"], shown["decline"]) == ("declined", refusal)
