"""A consent is given once, only ever gets smaller, and ends once."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from services.intake.domain.consent import DECIDER, Expire, Narrow, Record, TellOfMember, Withdraw
from services.intake.domain.deadlines import plan
from shared.contracts import Envelope, Event
from shared.contracts.intake import (
    ConsentExpired,
    ConsentNarrowed,
    ConsentRecorded,
    ConsentToldOfMember,
    ConsentWithdrawn,
)
from shared.deadline import Timer
from tests.unit._given import given

CONSENT, CASE, HANA = UUID(int=1), UUID(int=2), UUID(int=3)
IDS: dict[str, Any] = {"consent": CONSENT, "case": CASE}
START = datetime(2026, 4, 1, tzinfo=UTC)
SOON, LATER = START + timedelta(days=30), START + timedelta(days=90)
said = ConsentRecorded(
    **IDS,
    person=HANA,
    status="granted",
    classes=("contact", "money"),
    purposes=("consultation",),
    medium="paper",
    holders=("care", "clinic"),
    begins=START,
    until=LATER,
    text_version="1",
)
of_group = said.model_copy(update={"holders": (), "group": "juso"})
withdrawn, expired = ConsentWithdrawn(**IDS), ConsentExpired(**IDS)


def narrowed(**less: Any) -> ConsentNarrowed:
    return ConsentNarrowed(**IDS, **less)


def test_it_is_recorded_once_and_ends_once() -> None:
    given(DECIDER).when(Record(said)).then(said)
    given(DECIDER, said).when(Record(said)).refused("consent-is-recorded")
    for ended in (withdrawn, expired):
        for command in (Withdraw(), Expire(), Narrow(excluded=("care",)), TellOfMember("npo")):
            given(DECIDER, said, ended).when(command).refused("consent-is-ended")


def test_it_gets_smaller_by_agencies_classes_and_time() -> None:
    for less in ({"excluded": ("care",)}, {"dropped": ("money",)}, {"until": SOON}):
        given(DECIDER, said).when(Narrow(**less)).then(narrowed(**less))  # type: ignore[arg-type]
    given(DECIDER, of_group).when(Narrow(excluded=("npo",))).then(narrowed(excluded=("npo",)))


def test_never_wider_and_never_the_same() -> None:
    """A wider scope is a new consent."""
    given(DECIDER, said).when(Narrow(until=LATER)).refused("consent-gets-no-smaller")
    given(DECIDER, said).when(Narrow(excluded=("npo",))).refused("agency-not-in-consent")
    given(DECIDER, said).when(Narrow(dropped=("life_history",))).refused("class-not-in-consent")
    once = narrowed(excluded=("npo",))
    again = given(DECIDER, of_group, once).when(Narrow(excluded=("npo",)))
    again.refused("consent-gets-no-smaller")


def test_what_would_leave_nothing_is_a_withdrawal() -> None:
    for less in (Narrow(excluded=("care", "clinic")), Narrow(dropped=("contact", "money"))):
        given(DECIDER, said).when(less).refused("nothing-left-of-consent")


def test_only_of_a_group_is_somebody_told() -> None:
    told = ConsentToldOfMember(**IDS, agency="npo")
    given(DECIDER, of_group).when(TellOfMember("npo")).then(told)
    given(DECIDER, said).when(TellOfMember("npo")).refused("consent-names-no-group")


def test_an_earlier_end_moves_the_timer() -> None:
    stream = f"consent/{CONSENT}"

    def timers(event: Event) -> list[Timer]:
        envelope = Envelope(
            CONSENT, stream, 1, str(CASE), event.TYPE, START, START, "a", "city", CONSENT
        )
        return list(plan(event, envelope))

    assert [(t.id, t.due) for t in timers(said)] == [(stream, LATER)]
    assert [(t.id, t.due) for t in timers(narrowed(until=SOON))] == [(stream, SOON)]
    assert timers(narrowed(excluded=("care",))) == []
    assert [(t.id, t.due) for t in timers(withdrawn)] == [(stream, None)]
