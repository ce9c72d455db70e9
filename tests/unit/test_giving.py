"""What may leave by hand (L21): to an agency what the rules show to it, to others what a law gives."""

from typing import Any
from uuid import UUID, uuid4, uuid5

from services.views.domain.facts import facts
from services.views.domain.giving import Give, Known
from services.views.domain.grant import Bases
from services.views.domain.provision import DECIDER
from shared.basis import world
from shared.contracts.intake import CaseScreened, ReporterRecorded, SituationRecorded
from shared.contracts.views import BasisRef, ItemRef, ProvisionRecorded
from tests.unit._given import When, given
from tests.unit._town import CASE, HANA, KEN, NAMES, Town, town

OF: dict[str, Any] = {
    "provision": uuid4(), "case": CASE, "number": "2026-A", "approver": "kacho",
    "way": "paper", "purpose": "訪問",
}  # fmt: skip
POLICE = {"kind": "police", "receiver": "署", "ground": "police_enquiry", "citation": "197条2項"}
HIMSELF = {"kind": "person", "receiver": "花", "ground": "to_the_person", "citation": "69条2項1号"}


def hand(case: Town, *values: Any, cited: str | None = None, **to: Any) -> When:
    """Facts that have these values, to somebody."""
    told = tuple(facts(case.events))
    items = tuple(
        ItemRef(event=f.event, field=f.field, bases=()) for f in told if f.value in values
    )
    assert len(items) == len(values)
    knows = Known(told, Bases.of(case.events), world(case.events), case.now())
    id = uuid5(NAMES, cited) if cited else None
    return given(DECIDER).when(Give(ProvisionRecorded(**OF, items=items, **to), id, knows))


def carried(when: When) -> list[tuple[str, ...]]:
    """The bases of each item that is given."""
    (event,) = when.decider.decide(when.state, when.command)
    assert isinstance(event, ProvisionRecorded)
    return [tuple(b.kind for b in item.bases) for item in event.items]


def test_an_agency_gets_by_hand_exactly_what_the_rules_show_to_it() -> None:
    """L1, L3: not by another's consent, not what another purpose or a mark keeps from it."""
    case = town().consent("a", HANA, "care")
    assert carried(hand(case, "ひざ", to="care")) == [("consent",)]
    assert carried(hand(case, "ひざ", to="care", cited="a")) == [("consent",)]
    refused = hand(case, "ひざ", "借金なし", to="care").refused("no-basis-for-agency")
    assert refused.state.endswith("/money")
    assert "consents" in refused.allowed
    hand(case, "ひざ", to="clinic", cited="a").refused("no-basis-for-agency")
    hand(case, "ひざ", to="care", cited="another").refused("no-basis-for-agency")

    case.agency("police", purposes=("enquiry",)).consent("b", HANA, "police")
    hand(case, "ひざ", to="police", cited="b").refused("no-basis-for-agency")
    case.narrow("a", excluded=("care",))
    hand(case, "ひざ", to="care", cited="a").refused("no-basis-for-agency")
    marked = SituationRecorded(case=CASE, person=HANA, health="こし", not_to=("clinic",))
    case.consent("c", HANA, "clinic").tell(marked)
    hand(case, "こし", to="clinic", cited="c").refused("no-basis-for-agency")


def test_a_law_reaches_an_agency_as_it_is_on_record_for_it() -> None:
    """L8: its table says which may give to which, and who approves; a citation alone does not."""
    law = {"ground": "law", "citation": "69条1項"}
    case = town().consent("a", HANA, "clinic")
    hand(case, "ひざ", to="clinic", **law).refused("no-basis-for-agency")
    case.ground("g", "clinic")
    assert carried(hand(case, "ひざ", to="clinic", **law)) == [("consent", "ground")]
    case.tell(CaseScreened(case=CASE, outcome="linked_elsewhere", note="心配"))
    case.consent("b", KEN, "clinic")
    hand(case, "心配", to="clinic").refused("no-basis-for-agency")


def test_who_is_no_agency_gets_what_a_law_gives_and_nothing_by_a_consent() -> None:
    """L3: a consent is for the agencies that it names."""
    case = town().consent("a", HANA, "care")
    stranger = {"kind": "other", "receiver": "家主"}
    refused = hand(case, "ひざ", cited="a", **stranger).refused("consent-names-agencies-only")
    assert refused.allowed == ("ground",)
    assert carried(hand(case, "ひざ", "借金", **POLICE)) == [(), ()]


def test_no_law_hands_out_a_reporter_or_what_is_protected() -> None:
    """L11, L22."""
    case = town().tell(ReporterRecorded(case=CASE, name="隣の人")).protect(HANA, "address")
    for value in ("隣の人", "生駒市"):
        refused = hand(case, "ひざ", value, **POLICE).refused("not-by-this-ground")
        assert "health" not in refused.state
    sealed = town().matter()
    hand(sealed, "三百万円", **POLICE).refused("not-by-this-ground")


def test_a_person_gets_what_is_about_him_alone_and_no_judgement() -> None:
    """L4, L22."""
    case = town().tell(CaseScreened(case=CASE, outcome="linked_elsewhere", note="心配"))
    assert carried(hand(case, "ひざ", "花", **HIMSELF)) == [(), ()]
    for value in ("借金", "心配"):
        hand(case, "ひざ", value, **HIMSELF).refused("not-by-this-ground")
    assert carried(hand(case, "心配", **POLICE)) == [()]


def test_the_items_of_a_record_name_every_basis_that_carries_them() -> None:
    case = town().consent("a", HANA, "care").consent("b", HANA, "care")
    when = hand(case, "ひざ", to="care", cited="b")
    (event,) = when.decider.decide(when.state, when.command)
    assert isinstance(event, ProvisionRecorded)
    ids = {UUID(basis.id) for basis in event.items[0].bases}
    assert ids == {uuid5(NAMES, name) for name in "ab"}
    assert all(isinstance(basis, BasisRef) for basis in event.items[0].bases)
