"""What left by hand (L21): printed, asked back, given back; each item by its own basis."""

from typing import Any
from uuid import uuid4

from services.views.domain.provision import DECIDER
from shared.contracts.views import (
    BasisRef,
    GivenBack,
    ItemRef,
    ProvisionRecorded,
    ReceiverTold,
    SheetPrinted,
)
from tests.unit._given import given

OF: dict[str, Any] = {"provision": uuid4(), "case": uuid4()}
BASIS = BasisRef(kind="consent", id=str(uuid4()))
ONE, OTHER = (ItemRef(event=uuid4(), field=name, bases=(BASIS,)) for name in ("name", "health"))
RECORDED = ProvisionRecorded(
    **OF,
    number="2026-A",
    approver="kacho",
    items=(ONE, OTHER),
    way="fax",
    purpose="訪問",
    to="care",
)


def test_nothing_is_printed_or_asked_back_where_there_is_nothing() -> None:
    given(DECIDER, RECORDED).when(SheetPrinted(**OF, items=())).refused("nothing-to-print")
    given(DECIDER, RECORDED).when(ReceiverTold(**OF, items=())).refused("nothing-ended")
    given(DECIDER, RECORDED).when(GivenBack(**OF, items=())).refused("nothing-ended")


def test_each_printing_counts_and_each_item_is_asked_back_once() -> None:
    printed, told = SheetPrinted(**OF, items=(ONE,)), ReceiverTold(**OF, items=(ONE,))
    back = GivenBack(**OF, items=(ONE,), kept="own_record")
    given(DECIDER, RECORDED, printed).when(printed).then(printed)
    given(DECIDER, RECORDED, told).when(told).then()
    given(DECIDER, RECORDED, told, back).when(back).then()
    both = ReceiverTold(**OF, items=(ONE, OTHER))
    given(DECIDER, RECORDED, told, back).when(both).then(both)
