"""What each end of a referral is told of it: the receiver what a basis covers, the sender how far it is."""

from datetime import timedelta
from typing import Any
from uuid import uuid4

from shared.contracts import tracking
from shared.contracts.intake import (
    CaseOpened,
    ConsentNarrowed,
    ConsentRecorded,
    ConsentWithdrawn,
    PersonJoined,
)
from tests.integration.test_programmes import CARE, Directory, directory

__all__ = ["directory"]

DAYS = ("requested_at", "received_at", "accepted_at", "ended_at")
HOW_FAR = ("requested", "received", "in_progress", "ended", "untracked")
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

    clock, until = directory.rt.clock, timedelta(days=tracking.days(directory.today))
    await clock.move(directory.rt.pool, clock.now() + until - timedelta(minutes=1))  # type: ignore[attr-defined]
    assert (await seen(declined))["status"] == "ended"
    await clock.move(directory.rt.pool, clock.now() + timedelta(minutes=2))  # type: ignore[attr-defined]
    for one in (path, declined):
        shown = await seen(one)
        assert (shown["status"], [name for name in DAYS if shown[name]]) == ("untracked", [DAYS[0]])
    assert not (await by("city", "GET", "/v1/referrals?status=ended"))["items"]
    assert (await seen(path, "care"))["outcome"] == "helped"

    await directory.running.tell(consent("city", classes=("welfare_use",)))
    shown = await seen(declined)
    assert (shown["status"], shown["decline"]) == ("declined", refusal)


async def test_of_what_was_asked_the_receiver_reads_what_a_basis_covers_now(
    directory: Directory,
) -> None:
    """L9, L1: each part goes with the class that the person takes back; the sender's record stays whole,
    and so do the receiver's own answers.
    """
    await directory.call("PUT", "/v1/agencies/city", **CARE)
    case, person, now = uuid4(), uuid4(), directory.rt.clock.now()
    given = ConsentRecorded(
        consent=uuid4(), case=case, person=person, status="granted",
        classes=("contact", "life_history"), purposes=("consultation",), medium="paper",
        holders=("care",), text_version="1", begins=now - timedelta(days=1),
    )  # fmt: skip
    opened = CaseOpened(case=case, household=uuid4(), lead="city", route="family_visit")
    joined = PersonJoined(case=case, person=person, relation="self")
    await directory.running.tell(opened, joined, given, agency="city")
    asked = {
        "case": str(case), "person": str(person), "classes": ["contact", "life_history"],
        "need": "願い𠮷", "urgency": "urgent", "wished_on": directory.day(3),
    }  # fmt: skip
    made = await directory.call(
        "POST", "/v1/referrals", role="intake_worker", **asked, receiver="care"
    )
    path = f"/v1/referrals/{made.json()['id']}"
    soon = {"first_contact_on": directory.day(1)}
    for step, body in (("receipt", {}), ("acceptance", soon)):
        answer = await directory.call(
            "POST", f"{path}/{step}", by="care", role="agency_worker", **body
        )
        assert answer.status_code == 200, answer.text

    async def parts(agency: str) -> tuple[bool, dict[str, Any]]:
        shown = (await directory.call("GET", path, by=agency, role="intake_worker")).json()
        assert agency == "city" or shown["first_contact_on"] == directory.day(1)
        return shown["basis_missing"], {name: shown[name] for name in asked if name != "case"}

    whole = {name: value for name, value in asked.items() if name != "case"}
    assert await parts("care") == await parts("city") == (False, whole)
    await directory.running.tell(
        ConsentNarrowed(consent=given.consent, case=case, dropped=("life_history",))
    )
    narrowed = {**whole, "classes": ["contact"], "need": None, "urgency": None}
    assert await parts("care") == (True, narrowed)
    assert await parts("city") == (True, whole)
    await directory.running.tell(ConsentWithdrawn(consent=given.consent, case=case))
    assert await parts("care") == (True, {**dict.fromkeys(narrowed), "classes": []})
    assert await parts("city") == (True, whole)


async def test_a_service_starts_today_at_the_latest_and_no_day_lies_outside_our_time(
    directory: Directory,
) -> None:
    await directory.call("PUT", "/v1/agencies/city", **CARE)
    case, person, now = uuid4(), uuid4(), directory.rt.clock.now()
    await directory.running.tell(
        CaseOpened(case=case, household=uuid4(), lead="city", route="family_visit"),
        PersonJoined(case=case, person=person, relation="self"),
        ConsentRecorded(
            consent=uuid4(), case=case, person=person, status="granted", classes=("contact",),
            purposes=("consultation",), medium="paper", holders=("care",), text_version="1",
            begins=now - timedelta(days=1),
        ),
        agency="city",
    )  # fmt: skip

    async def status(path: str, by: str = "care", **body: Any) -> int:
        answer = await directory.call("POST", path, by=by, role="intake_worker", **body)
        sent.append(answer.json())
        return int(answer.status_code)

    sent: list[dict[str, Any]] = []
    about = {"case": str(case), "person": str(person), "classes": ["contact"]}
    asked = {**about, "receiver": "care", "need": "訪問"}
    for day in ("0001-01-01", "9999-12-31"):
        assert await status("/v1/referrals", by="city", **asked, wished_on=day) == 422
    assert await status("/v1/referrals", by="city", **asked) == 201
    path = f"/v1/referrals/{sent[-1]['id']}"
    assert await status(f"{path}/receipt") == 200
    assert await status(f"{path}/acceptance", first_contact_on="9999-12-31") == 422
    assert await status(f"{path}/acceptance", first_contact_on=directory.day(1)) == 200
    assert await status(f"{path}/service-start", first_contact_on=directory.day(1)) == 422
    assert sent[-1]["errors"][0]["field"] == "body.first_contact_on"
    assert await status(f"{path}/service-start", first_contact_on=directory.day(0)) == 200
