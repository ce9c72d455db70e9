"""Merged cases judged as one: what is on record of a person in one of them holds in the other (L18)."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

from services.views.domain.joined import Merge, joined
from shared.contracts import Envelope, Event, Recorded
from shared.contracts.intake import ConsentRecorded, PersonFlagged

HERE, THERE, HANA, TWIN, CONSENT = (UUID(int=n) for n in range(1, 6))
START = datetime(2026, 4, 1, tzinfo=UTC)


def told(event: Event, case: UUID, days: int) -> Recorded:
    at = START + timedelta(days=days)
    stream = f"{event.STREAM}/{case}"
    return Recorded(
        event, Envelope(UUID(int=days), stream, days, str(case), event.TYPE, at, at, "a", "city", case), {}
    )  # fmt: skip


def given(person: UUID, case: UUID) -> ConsentRecorded:
    return ConsentRecorded(
        consent=CONSENT, case=case, person=person, status="granted", classes=("contact",),
        purposes=("consultation",), medium="paper", holders=("care",), begins=START, text_version="1",
    )  # fmt: skip


def stopped(merges: list[Merge], giver: UUID, home: UUID, dead: UUID, told_in: UUID) -> int | None:
    """The day since which nothing new flows by the consent in the document of the case that goes on."""
    events: dict[UUID, list[Recorded]] = {HERE: [], THERE: []}
    events[home].append(told(given(giver, home), home, 1))
    died = PersonFlagged(case=told_in, person=dead, flags=("died",))
    events[told_in].append(told(died, told_in, 3))
    _, bases = joined(HERE, events, merges)
    since = bases.consents[CONSENT].stopped(START + timedelta(days=9))
    return since and (since - START).days


def test_a_death_on_record_in_one_case_stops_the_consent_given_in_the_other() -> None:
    """L4a: he is one, whichever id he has."""
    merge = Merge(UUID(int=9), THERE, HERE, ((TWIN, HANA),))
    assert stopped([merge], HANA, HERE, TWIN, THERE) == 3
    assert stopped([merge], TWIN, THERE, HANA, HERE) == 3
    assert stopped([], HANA, HERE, TWIN, THERE) is None
    somebody_else = Merge(UUID(int=9), THERE, HERE)
    assert stopped([somebody_else], HANA, HERE, TWIN, THERE) is None
