"""A subscription: one key at a time, pauses that belong to who made them, a quarantine above all."""

import pytest

from services.views.domain.subscription import ALLOWED, DECIDER, Command, Register
from shared.contracts import Event
from shared.contracts.views import (
    KeyRevoked,
    KeyRotated,
    LoginRenewed,
    SubscriptionEnded,
    SubscriptionPaused,
    SubscriptionQuarantined,
    SubscriptionRegistered,
    SubscriptionReleased,
    SubscriptionResumed,
)
from tests.unit._given import given

CARE = "care-centre"


def key(letter: str) -> dict[str, str]:
    return {"kty": "OKP", "crv": "X25519", "x": letter * 43}


def paused(by: str = "agency") -> SubscriptionPaused:
    return SubscriptionPaused(agency=CARE, by=by)


def resumed(by: str = "agency") -> SubscriptionResumed:
    return SubscriptionResumed(agency=CARE, by=by)


FIRST = SubscriptionRegistered(agency=CARE, public_key=key("A"))
SECOND = KeyRotated(agency=CARE, public_key=key("B"))
REVOKED, ENDED = KeyRevoked(agency=CARE), SubscriptionEnded(agency=CARE)
QUARANTINED = SubscriptionQuarantined(agency=CARE, reason="key_exposed")
RELEASED = SubscriptionReleased(agency=CARE)


def test_the_first_key_registers_another_rotates_and_the_same_changes_nothing() -> None:
    given(DECIDER).when(Register(CARE, key("A"))).then(FIRST)
    given(DECIDER, FIRST).when(Register(CARE, key("B"))).then(SECOND)
    given(DECIDER, FIRST, SECOND).when(Register(CARE, key("B"))).then()


def test_a_key_that_was_given_up_never_comes_back() -> None:
    for history in ((FIRST, SECOND), (FIRST, REVOKED), (FIRST, ENDED)):
        given(DECIDER, *history).when(Register(CARE, key("A"))).refused("key-was-retired")
    given(DECIDER, FIRST, REVOKED).when(Register(CARE, key("B"))).then(SECOND)


def test_a_login_is_replaced_where_there_is_one_and_the_key_stays() -> None:
    renewed = LoginRenewed(agency=CARE)
    for history in ((FIRST,), (FIRST, paused()), (FIRST, renewed)):
        given(DECIDER, *history).when(renewed).then(renewed)
    given(DECIDER).when(renewed).refused("not-subscribed")
    given(DECIDER, FIRST, REVOKED).when(renewed).refused("key-is-revoked")
    given(DECIDER, FIRST, QUARANTINED).when(renewed).refused("subscription-is-quarantined")
    assert DECIDER.fold([FIRST, renewed]).public_key == key("A")


def test_after_an_end_it_registers_anew() -> None:
    again = SubscriptionRegistered(agency=CARE, public_key=key("C"))
    given(DECIDER, FIRST, paused(), ENDED).when(Register(CARE, key("C"))).then(again)
    assert DECIDER.fold([FIRST, paused(), ENDED, again]).status == "active"


def test_who_paused_resumes() -> None:
    given(DECIDER, FIRST, paused("operator")).when(resumed()).refused("paused-by-another")
    both = FIRST, paused("operator"), paused()
    given(DECIDER, *both).when(resumed()).then(resumed())
    assert DECIDER.fold([*both, resumed()]).status == "paused"
    assert DECIDER.fold([*both, resumed(), resumed("operator")]).status == "active"


def test_a_quarantine_takes_no_new_key_and_hides_every_other_state_until_it_is_released() -> None:
    history = FIRST, paused(), QUARANTINED
    given(DECIDER, *history).when(Register(CARE, key("B"))).refused("subscription-is-quarantined")
    assert DECIDER.fold(history).status == "quarantined"
    assert DECIDER.fold([*history, RELEASED]).status == "paused"
    assert DECIDER.fold([QUARANTINED]).status == "quarantined"


@pytest.mark.parametrize(
    ("history", "command", "reason"),
    [
        ((), paused(), "not-subscribed"),
        ((), REVOKED, "not-subscribed"),
        ((), ENDED, "not-subscribed"),
        ((), RELEASED, "not-quarantined"),
        ((FIRST,), resumed(), "not-paused"),
        ((FIRST,), RELEASED, "not-quarantined"),
        ((FIRST, paused()), paused(), "subscription-is-paused"),
        ((FIRST, REVOKED), REVOKED, "key-is-revoked"),
        ((FIRST, QUARANTINED), QUARANTINED, "subscription-is-quarantined"),
        ((FIRST, ENDED), ENDED, "subscription-has-ended"),
        ((FIRST, ENDED), paused(), "subscription-has-ended"),
    ],
)
def test_what_is_not_possible_now_is_refused_with_what_is(
    history: tuple[Event, ...], command: Command, reason: str
) -> None:
    refusal = given(DECIDER, *history).when(command).refused(reason)
    assert refusal.allowed == ALLOWED[DECIDER.fold(history).status]
