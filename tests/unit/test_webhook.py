"""Webhooks without a network: who may be called, what an answer means, who signed."""

import time
from ipaddress import ip_address
from uuid import UUID, uuid4

import pytest
from joserfc.jwk import KeySet, OKPKey

from agency.webhook import Forged, change_in
from services.views.domain.way import DECIDER, Remove, Restart
from services.views.ways.breaker import ALL, DOUBTS, doubted, enough, stalled_first, verdict
from services.views.ways.cursor import Cursor, Foreign
from services.views.ways.feed import Entry
from services.views.ways.outside import Forbidden, addresses, public
from services.views.ways.post import Outcome, body, shown, signature
from shared.contracts.views import (
    SubscriptionRegistered,
    WebhookRegistered,
    WebhookRemoved,
    WebhookRestarted,
)
from tests.unit._given import given

KEY = SubscriptionRegistered(agency="care", public_key={"x": "1"})
HERE = WebhookRegistered(agency="care", way=uuid4(), url="https://care.example/hook")
TAKEN, REFUSED = Outcome("taken"), Outcome("refused", "422")
BROKEN, HANGS = Outcome("broken", "500"), Outcome("broken", "timeout")
WAIT = Outcome("dead", "503", 7)


def entry(n: int = 1) -> Entry:
    return Entry(Cursor(uuid4(), n), uuid4(), uuid4(), 1, 1, False, {}, None)


# Registration.


def test_a_webhook_needs_a_key_and_a_repeat_changes_nothing() -> None:
    given(DECIDER).when(HERE).refused("no-key")
    given(DECIDER, KEY).when(HERE).then(HERE)
    given(DECIDER, KEY, HERE).when(HERE.model_copy(update={"way": uuid4()})).then()


def test_a_webhook_is_told_again_removed_and_then_it_is_none() -> None:
    now = given(DECIDER, KEY, HERE)
    now.when(Restart()).then(WebhookRestarted(agency="care", way=HERE.way))
    now.when(Remove()).then(WebhookRemoved(agency="care", way=HERE.way))
    removed = WebhookRemoved(agency="care", way=HERE.way)
    given(DECIDER, KEY, HERE, removed).when(Restart()).refused("no-webhook")
    given(DECIDER, KEY, HERE, removed).when(HERE).then(HERE)


@pytest.mark.parametrize(
    "address",
    ["127.0.0.1", "10.1.2.3", "172.16.0.1", "192.168.0.1", "169.254.169.254", "100.64.0.1", "0.0.0.0",
     "224.0.0.1", "255.255.255.255", "::1", "::", "fe80::1", "fd00::1", "::ffff:10.0.0.1",
     "64:ff9b::a00:1", "2002:a00:1::", "2001:0:a00:1::", "ff02::1"],
)  # fmt: skip
def test_no_private_address_is_called_whatever_it_is_wrapped_in(address: str) -> None:
    assert not public(ip_address(address))


def test_public_addresses_are_called() -> None:
    assert public(ip_address("203.0.114.7"))
    assert public(ip_address("2400:8500::1"))


# What a page came to.


def test_a_document_that_is_refused_for_itself_is_put_aside_and_the_others_go_on() -> None:
    page = [(entry(1), TAKEN), (entry(2), REFUSED), (entry(3), TAKEN)]
    found = verdict(page, None)
    assert (found.reached, found.trouble) == (3, None)
    assert found.parked == [(page[1][0], "422")]


@pytest.mark.parametrize("outcome", [WAIT, HANGS, BROKEN])
def test_an_endpoint_in_trouble_stops_all_at_the_first_that_was_not_taken(outcome: Outcome) -> None:
    page = [(entry(1), TAKEN), (entry(2), outcome), (entry(3), TAKEN)]
    found = verdict(page, None)
    assert (found.reached, found.parked, found.trouble) == (1, [], outcome.reason)


@pytest.mark.parametrize("bad", [BROKEN, HANGS, REFUSED])
@pytest.mark.parametrize("first", [True, False])
def test_a_document_that_fails_a_living_endpoint_again_and_again_is_put_aside(
    bad: Outcome, first: bool
) -> None:
    one, other = entry(1), entry(9)
    sent = [(one, bad), (other, TAKEN)]
    found = doubted(one, sent if first else sent[::-1], "500")
    assert (found.reached, found.taken, found.trouble) == (1, [other], None)
    assert found.parked == [(one, bad.reason)]


@pytest.mark.parametrize("other", [BROKEN, HANGS, WAIT, REFUSED])
def test_where_nothing_is_taken_the_endpoint_is_dead_and_all_wait(other: Outcome) -> None:
    one, behind = entry(1), entry(9)
    for bad in (BROKEN, HANGS, WAIT):
        found = doubted(one, [(one, bad), (behind, other)], "500")
        assert (found.reached, found.parked, found.trouble) == (0, [], bad.reason)
    found = doubted(one, [(behind, other)], "500")
    assert (found.reached, found.parked, found.trouble) == (0, [], other.reason)


def test_an_endpoint_that_asks_for_a_pause_between_two_documents_has_none_put_aside() -> None:
    one, other = entry(1), entry(9)
    found = doubted(one, [(other, TAKEN), (one, WAIT)], "503")
    assert (found.reached, found.taken, found.parked) == (0, [other], [])
    assert (found.trouble, found.after) == ("503", 7)
    assert doubted(one, [(one, WAIT), (other, TAKEN)], "503").parked == [(one, "503")]


def test_in_doubt_the_two_take_turns_to_be_first_and_an_endpoint_that_is_down_gets_one() -> None:
    assert [stalled_first(DOUBTS + n) for n in range(4)] == [True, False, True, False]
    one, other = entry(1), entry(9)
    assert enough(one, [(one, TAKEN)])
    assert enough(one, [(other, HANGS)])
    assert not enough(one, [(one, HANGS)])
    assert not enough(one, [(other, TAKEN)])


def test_an_endpoint_that_refuses_everything_is_in_trouble_itself() -> None:
    page = [(entry(n), REFUSED) for n in range(5)]
    assert (verdict(page, None).parked, verdict(page, None).trouble) == ([], ALL)
    assert verdict(page[:1], ALL).trouble == ALL
    assert verdict([page[0], (entry(9), TAKEN)], ALL).trouble is None
    one, other = page[0][0], entry(9)
    assert doubted(one, page[:2], ALL).trouble == ALL
    assert doubted(one, [page[0], (other, TAKEN)], ALL).parked == [(one, "422")]


def test_trouble_is_not_over_because_there_was_nothing_to_send() -> None:
    assert verdict([], "timeout").trouble == "timeout"


# Signatures and cursors.


def test_only_what_the_city_signed_for_this_webhook_just_now_is_taken_over() -> None:
    key, others, one = b"k" * 32, b"o" * 32, entry()
    ended = Entry(one.cursor, one.case, one.handle, 3, 1, True, None, None)
    content, at = body(ended, None), int(time.time())
    headers = {
        "webhook-id": "msg_1",
        "webhook-timestamp": str(at),
        "webhook-signature": signature(key, "msg_1", at, content),
    }
    keys = KeySet([OKPKey.generate_key("X25519")])
    taken = change_in(headers, content, shown(key), keys)
    assert (taken.handle, taken.rank) == (str(one.handle), (3, 1, True))
    for changed, text, secret in (
        (headers, content.replace(b":3,", b":4,"), key),
        (headers, content, others),
        ({**headers, "webhook-id": "msg_2"}, content, key),
        ({**headers, "webhook-signature": "v1,"}, content, key),
        ({}, content, key),
    ):
        with pytest.raises(Forged):
            change_in(changed, text, shown(secret), keys)
    with pytest.raises(Forged):
        change_in(headers, content, shown(key), keys, now=at + 301)


def test_a_cursor_is_of_use_to_its_agency_only() -> None:
    cursor = Cursor(UUID(int=7), 2**40)
    text = cursor.text(b"key", "care")
    assert Cursor.of(text, b"key", "care") == cursor
    for other, key in (("clinic", b"key"), ("care", b"other")):
        with pytest.raises(Foreign):
            Cursor.of(text, key, other)


@pytest.mark.parametrize("host", ["127.0.0.1", "0x7f.1", "2130706433", "localhost", "[::1]"])
async def test_no_spelling_of_this_machine_is_called_but_in_development(host: str) -> None:
    with pytest.raises(Forbidden):
        await addresses(host, 443, development=False)
    assert await addresses(host, 443, development=True)
