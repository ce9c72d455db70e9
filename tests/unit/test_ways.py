"""Covers and files: what is refused, what is sent again, and who signed."""

from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from joserfc.jwk import KeySet, OKPKey

from agency.copy import Copy
from agency.exchange import receipts, take_over
from agency.webhook import Forged
from services.views.domain import cover, way
from services.views.ways import exchange
from services.views.ways.letter import returned
from services.views.ways.post import shown
from shared.contracts.views import (
    CoverBounced,
    CoverIssued,
    CoverNotSent,
    CoverSent,
    CoverUsed,
    DocumentChanged,
    FileMade,
    KeyRevoked,
    SubscriptionPaused,
    SubscriptionRegistered,
)
from tests.unit._given import given

CASE = uuid4()
OF = {"agency": "care", "case": CASE}
TOLD = DocumentChanged(**OF, document=1, items=(), digest="x", cause="content_changed")
NOW = datetime(2026, 5, 11, tzinfo=UTC)
SHEET = CoverIssued(**OF, cover=uuid4(), by="fax", until=NOW + timedelta(days=14))
MADE = SHEET.model_copy(update={"document": 1})
USED = CoverUsed(**OF, cover=SHEET.cover)
USE = cover.Use(USED, NOW)
KEY = SubscriptionRegistered(agency="care", public_key={"x": "1"})
FILE = FileMade(agency="care", documents=1, digest="0" * 64)


def test_a_sheet_is_made_where_there_is_a_document_and_opens_once() -> None:
    given(cover.DECIDER).when(SHEET).refused("no-document")
    given(cover.DECIDER, TOLD).when(SHEET).then(MADE)
    given(cover.DECIDER, TOLD, MADE).when(USE).then(USED)
    given(cover.DECIDER, TOLD, MADE, USED).when(USE).refused("cover-used")
    other = cover.Use(CoverUsed(**OF, cover=uuid4()), NOW)
    given(cover.DECIDER, TOLD, MADE).when(other).refused("no-such-cover")
    late = cover.Use(USED, NOW + timedelta(days=15))
    given(cover.DECIDER, TOLD, MADE).when(late).refused("cover-expired")


def test_nothing_is_sent_twice_to_the_same_place_for_the_same_document_without_a_reason() -> None:
    posted = MADE.model_copy(update={"place": uuid4(), "document": 1})
    more = posted.model_copy(update={"cover": uuid4()})
    sent = CoverSent(**OF, cover=posted.cover)
    lost = CoverNotSent(**OF, cover=posted.cover, reason="address-refused", final=True)
    back = CoverBounced(**OF, cover=posted.cover, status="5.1.1")
    for before in ((posted,), (posted, sent)):
        given(cover.DECIDER, TOLD, *before).when(more).refused("cover-was-sent")
    for before in ((posted, lost), (posted, sent, back)):
        given(cover.DECIDER, TOLD, *before).when(more).then(more)
    reasoned = more.model_copy(update={"again": "not_arrived"})
    given(cover.DECIDER, TOLD, posted, sent).when(reasoned).then(reasoned)
    newer = TOLD.model_copy(update={"document": 2})
    given(cover.DECIDER, TOLD, posted, sent, newer).when(more).then(
        more.model_copy(update={"document": 2})
    )
    given(cover.DECIDER, TOLD, posted, sent).when(lost).then()


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"Subject: hello\n\n<cover.0b0b0b0b-0000-4000-8000-000000000000@city.example>",
        b"\xff\xfe\x00",
        b"Content-Type: multipart/report; boundary=x\n\n--x\nContent-Type: message/delivery-status\n\n",
    ],
)
def test_what_is_no_notification_of_a_failure_is_nothing(text: bytes) -> None:
    assert returned(text) is None


def test_no_file_is_made_while_nothing_may_flow() -> None:
    given(way.DECIDER, KEY).when(FILE).then(FILE)
    given(way.DECIDER).when(FILE).refused("no-subscription")
    for ended in (KeyRevoked(agency="care"), SubscriptionPaused(agency="care", by="agency")):
        given(way.DECIDER, KEY, ended).when(FILE).refused("no-subscription")


def test_receipts_that_somebody_else_signed_or_changed_are_forged() -> None:
    key = b"s" * 32
    made = receipts(Copy(":memory:"), shown(key))
    assert exchange.receipts(key, made["lines"], made["signature"]) == []
    for lines, signature, secret in (
        (made["lines"], made["signature"], b"o" * 32),
        ([*made["lines"], "{}"], made["signature"], key),
        (made["lines"], "v1,", key),
        (["x"], exchange.signature(key, "x"), key),
    ):
        with pytest.raises(exchange.Forged):
            exchange.receipts(secret, lines, signature)


@pytest.mark.parametrize("text", ["", "x", "{}\n{}", '{"a":1}\n{"signature":"v1,"}\n'])
def test_a_file_that_the_city_did_not_sign_leaves_the_copy_as_it_was(text: str) -> None:
    copy = Copy(":memory:")
    with pytest.raises(Forged):
        take_over(text, "care", shown(b"s" * 32), KeySet([OKPKey.generate_key("X25519")]), copy)
    assert not copy.content()
