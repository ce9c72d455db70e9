"""Covers and files: what is refused, and who signed."""

from uuid import uuid4

import pytest
from joserfc.jwk import KeySet, OKPKey

from agency.copy import Copy
from agency.exchange import receipts, take_over
from agency.webhook import Forged
from services.views import exchange
from services.views.domain import cover, way
from services.views.post import shown
from shared.contracts.views import (
    CoverIssued,
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
SHEET = CoverIssued(**OF, cover=uuid4(), by="fax")
USED = CoverUsed(**OF, cover=SHEET.cover)
KEY = SubscriptionRegistered(agency="care", public_key={"x": "1"})
FILE = FileMade(agency="care", documents=1, digest="0" * 64)


def test_a_sheet_is_made_where_there_is_a_document_and_opens_once() -> None:
    given(cover.DECIDER).when(SHEET).refused("no-document")
    given(cover.DECIDER, TOLD).when(SHEET).then(SHEET)
    given(cover.DECIDER, TOLD, SHEET).when(USED).then(USED)
    given(cover.DECIDER, TOLD, SHEET, USED).when(USED).refused("cover-used")
    other = CoverUsed(**OF, cover=uuid4())
    given(cover.DECIDER, TOLD, SHEET).when(other).refused("no-such-cover")


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
