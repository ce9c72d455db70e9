"""What an item of an agenda has lost of its bases, told from what is known, in whatever order (L6)."""

from datetime import UTC, datetime, timedelta
from itertools import permutations
from uuid import UUID, uuid5

import pytest

from services.meetings.domain.loss import losses
from shared.contracts import Envelope, Event, Recorded
from shared.contracts.intake import ConsentRecorded
from shared.contracts.meetings import AgendaItemAdded, MemberLeft, MemberNamed
from shared.contracts.referral import AgencyRegistered

CASE, HANA, CONSENT, MEETING = (UUID(int=n) for n in range(1, 5))
NOW, DAY = datetime(2026, 4, 20, tzinfo=UTC), timedelta(days=1)
ITEM = AgendaItemAdded(
    meeting=MEETING, case=CASE, body="juso", subjects=(HANA,), invited=("clinic",),
    bases=(CONSENT,), planned_at=NOW,
)  # fmt: skip


def told(event: Event, stream: str, version: int, days: int) -> Recorded:
    at = NOW - days * DAY
    envelope = Envelope(
        id=uuid5(CASE, f"{stream}/{version}"), stream=stream, version=version, key=str(CASE),
        type=event.TYPE, at=at, occurred_at=at, actor="tanaka", agency="city", correlation=CASE,
    )  # fmt: skip
    return Recorded(envelope=envelope, event=event, wire={})


CLINIC = told(
    AgencyRegistered(
        agency="clinic", name="clinic", kind="x", controller="city", purposes=("coordination",)
    ),
    "agency/clinic", 1, 9,
)  # fmt: skip
NAMED = told(MemberNamed(body="juso", member="sato", agency="clinic"), "body/juso", 1, 9)
LEFT = told(MemberLeft(body="juso", member="sato"), "body/juso", 2, 2)
GIVEN = told(
    ConsentRecorded(
        consent=CONSENT, case=CASE, person=HANA, status="granted", classes=("contact",),
        purposes=("coordination",), medium="paper", group="juso", text_version="1",
        begins=NOW - 5 * DAY,
    ),
    "consent/1", 1, 5,
)  # fmt: skip


@pytest.mark.parametrize("order", list(permutations((CLINIC, NAMED, LEFT))))
def test_the_last_member_who_left_is_the_cause_in_any_order(order: tuple[Recorded, ...]) -> None:
    (lost,) = losses(ITEM, [GIVEN], order, NOW)
    assert (lost.basis, lost.agencies, lost.by) == (
        CONSENT,
        frozenset({"clinic"}),
        LEFT.envelope.id,
    )


@pytest.mark.parametrize(
    "known", [(CLINIC,), (NAMED,), (NAMED, LEFT), (), (CLINIC, NAMED)], ids=len
)
def test_a_half_of_what_there_is_takes_nothing_off(known: tuple[Recorded, ...]) -> None:
    assert list(losses(ITEM, [GIVEN], known, NOW)) == []


def test_without_the_consent_nothing_is_lost() -> None:
    assert list(losses(ITEM, [], [CLINIC, NAMED, LEFT], NOW)) == []


def test_what_leaves_after_now_is_not_lost_yet() -> None:
    assert list(losses(ITEM, [GIVEN], [CLINIC, NAMED, LEFT], NOW - 3 * DAY)) == []
