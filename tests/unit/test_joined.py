"""Merged cases judged as one: what is on record of a person in one of them holds in the other (L18)."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

from services.views.domain.joined import Merge, joined
from shared.contracts import Envelope, Event, Recorded
from shared.contracts.intake import (
    ConsentRecorded,
    ItemProtected,
    PersonDescribed,
    PersonFlagged,
)

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


def test_the_document_of_a_merged_case_hides_what_is_protected_in_the_one_it_goes_on_in() -> None:
    """L11: staff work on in the other case, and protect him there; undoing the merge gives it back."""
    lives = PersonDescribed(case=THERE, person=TWIN, kana="ヤマダ ハナ", address="東町1")
    kept = ItemProtected(case=HERE, person=HANA, item="address", named=())
    events = {THERE: [told(lives, THERE, 1)], HERE: [told(kept, HERE, 3)]}

    def hidden(*merges: Merge) -> bool:
        found, bases = joined(THERE, events, merges)
        (address,) = (fact for fact in found if fact.field == "address")
        assert address.subjects == {TWIN}  # by its own name still
        return bases.hidden_since(address, "care", START + timedelta(days=9)) is not None

    assert hidden(Merge(UUID(int=9), THERE, HERE, ((TWIN, HANA),)))
    assert not hidden(Merge(UUID(int=9), THERE, HERE))
    assert not hidden()


def test_a_death_in_the_case_it_goes_on_in_stops_the_consent_of_the_merged_one() -> None:
    events = {
        THERE: [told(given(TWIN, THERE), THERE, 1)],
        HERE: [told(PersonFlagged(case=HERE, person=HANA, flags=("died",)), HERE, 3)],
    }
    merge = Merge(UUID(int=9), THERE, HERE, ((TWIN, HANA),))
    _, bases = joined(THERE, events, [merge])
    assert bases.consents[CONSENT].stopped(START + timedelta(days=9)) == START + timedelta(days=3)
