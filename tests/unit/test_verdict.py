"""What is recorded of a document when bases end, stand still, or an item is protected; fail closed."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from services.views.domain.disclose import disclose
from services.views.domain.document import (
    Handles,
    canonical,
    content,
    digest,
    digest_of,
    numbered,
    numbered_text,
)
from services.views.domain.facts import errors, facts
from services.views.domain.grant import Bases
from services.views.domain.verdict import Evidence, Held, Verdict, verdict
from shared.basis import world
from shared.contracts.intake import (
    BasisReviewed,
    ContactCorrected,
    ContactRecorded,
    PersonNoted,
    SituationRecorded,
)
from shared.contracts.meetings import MemberLeft, MemberNamed
from shared.contracts.views import DocumentChanged
from tests.unit._town import CASE, HANA, HOUR, MATTER, START, Town, town

KEY = b"k" * 32


def judged(case: Town, held: DocumentChanged | None = None, **more: Any) -> Verdict:
    """Of the care centre's document alone."""
    at: datetime = more.pop("at", case.now())
    before = {"care": Held(1, held.model_dump(mode="json"))} if held else {}
    evidence = Evidence(
        CASE, facts(case.events), Bases.of(case.events), world(case.events), before, True
    )
    evidence = replace(evidence, events=case.events, mistaken=errors(case.events))
    found = verdict(replace(evidence, **more), at, KEY)
    mine = [one for one in found.changes if one[1].agency == "care"]
    return replace(found, changes=mine)


def change(found: Verdict) -> DocumentChanged:
    ((_, changed),) = found.changes
    return changed


def fields(changed: DocumentChanged, warned: bool = False) -> set[str]:
    return {item.field for item in changed.items if item.warned == warned}


def test_a_protected_address_is_withdrawn_and_a_warning_is_left() -> None:
    """L11, L16: by the ordinary cause; the agency is asked to give the address back."""
    case = town().consent("a", HANA, "care")
    first = change(judged(case))
    second = change(judged(case.protect(HANA, "address"), first))
    assert second.cause == "content_ended"
    assert [item.field for item in second.withdrawn] == ["address"]
    assert fields(second) == fields(first) - {"address"}
    assert fields(second, warned=True) == {"address"}
    assert judged(case, second).changes == []


def test_the_address_comes_back_only_when_everybody_is_heard() -> None:
    """Fail closed: a warning is no address. Nor is one left where a warning may not be given yet."""
    case = town().consent("a", HANA, "care")
    first = change(judged(case))
    deaf = judged(case.protect(HANA, "address"), first, may_grow=False)
    assert deaf.waits
    assert fields(change(deaf)) == fields(first) - {"address"}
    warned = change(judged(case, change(deaf)))
    assert fields(warned, warned=True) == {"address"}
    lifted = judged(case.lift(HANA, "address"), warned, may_grow=False)
    assert lifted.waits
    assert "address" not in fields(change(lifted))
    assert "address" in fields(change(judged(case, warned)))


def test_a_missed_review_moves_nothing_and_a_late_one_all_that_came_since() -> None:
    """L7, L16: and time itself brings the case before the judge at each of its moments."""
    case = town().urgent("u", "care", classes=("health_disability",))
    first = judged(case)
    assert first.again_at == case.events[-1].envelope.at + HOUR
    late = case.now() + HOUR
    case.tell(SituationRecorded(case=CASE, person=HANA, health="骨折"), at=late)
    overdue = judged(case, change(first), at=late)
    assert overdue.changes == []
    assert overdue.again_at == case.events[-2].envelope.at + 2 * HOUR
    case.on_basis("u", BasisReviewed)
    case.events[-1] = case.events[-1]._replace(
        envelope=case.events[-1].envelope._replace(occurred_at=late, at=late)
    )
    assert len(change(judged(case, change(first), at=late)).items) == 1
    ended = change(judged(case, change(first), at=late + HOUR))
    assert (ended.items, ended.cause) == ((), "content_ended")


def test_a_case_is_judged_again_when_a_programme_of_it_passes() -> None:
    """L2: what was recorded at its desk, and a consent that named its desk, go on elsewhere then."""
    april, late = START + timedelta(days=365), timedelta(microseconds=1)
    terms = (("council", START, april), ("care", april, april + timedelta(days=365)))
    bare = town().programme("visits", *terms).seat("visits-desk", "council", "visitor")
    assert judged(bare).again_at is None
    recorded = SituationRecorded(case=CASE, person=HANA, work="訪問の記録")
    case = bare.tell(recorded, agency="council", actor="visitor")
    assert judged(case).again_at == april
    assert judged(case, at=april - late).changes == []
    first = change(judged(case, at=april))
    assert fields(first) == {"work", "source"}
    assert {basis.programme for item in first.items for basis in item.bases} == {"visits"}
    named = town().programme("visits", *terms).consent("a", HANA, "visits-desk")
    assert judged(named).again_at == april
    assert "name" in fields(change(judged(named, at=april)))


def test_what_a_clock_ahead_of_ours_has_recorded_is_judged_when_ours_is_there() -> None:
    """L3, L4: the clocks of two services differ; what ends by the other one's ends by ours as well."""
    named = MemberNamed(body="juso", member="m", agency="care")
    grouped = town().tell(named, stream="body/juso", at=START).consent("a", HANA, group="juso")
    for case, lost in (
        (town().consent("a", HANA, "care").narrow("a", dropped=("health_disability",)), "health"),
        (town().consent("a", HANA, "care").narrow("a", excluded=("care",)), "name"),
        (grouped.tell(MemberLeft(body="juso", member="m"), stream="body/juso"), "name"),
        (town().consent("a", HANA, "care").withdraw("a"), "name"),
    ):
        soon = case.events[-1].envelope.at
        first = judged(case, at=soon - timedelta(milliseconds=1))
        assert lost in fields(change(first))
        assert first.again_at == soon
        assert lost not in fields(change(judged(case, change(first), at=soon)))


def test_what_was_made_is_sent_as_what_is_made_again_to_the_last_byte() -> None:
    case = town().consent("a", HANA, "care")
    found = judged(case)
    made = found.made["care"]
    shown = content(
        Handles(KEY, "care"),
        disclose(facts(case.events), Bases.of(case.events), world(case.events), "care", case.now()),
    )
    assert digest_of(KEY, made) == change(found).digest == digest(KEY, shown)
    at = case.now()
    again = canonical(numbered(shown, "handle", 3, "content_changed", at))
    assert numbered_text(made, "handle", 3, "content_changed", at) == again


LINE: dict[str, Any] = {"record": MATTER, "case": CASE}
STREAM = f"record/{MATTER}"


def line() -> Town:
    """Of which the care centre holds method, text and a note."""
    case = town().consent("a", HANA, "care", classes=("life_history",))
    seen = ContactRecorded(**LINE, method="visit", text="誤記", subjects=(HANA,))
    noted = PersonNoted(**LINE, person=HANA, text="眠れない")
    return case.tell(seen, stream=STREAM).tell(noted, stream=STREAM)


def correct(case: Town, **right: Any) -> Town:
    event = ContactCorrected(**LINE, method="phone", reason="z", subjects=(HANA,), **right)
    return case.tell(event, stream=STREAM)


def told(changed: DocumentChanged) -> dict[tuple[str, str], str | None]:
    return {(str(item.event), item.field): item.told for item in changed.items}


def test_who_held_a_value_is_told_that_another_corrects_it_and_who_did_not_is_not() -> None:
    """L17, L16: as long as the new one shows; the same history is no new version."""
    case = line()
    first = change(judged(case))
    second = change(judged(correct(case, text="正しい"), first))
    new = str(case.events[-1].envelope.id)
    assert set(told(first).values()) == {None}
    said = told(second)
    assert (said[new, "method"], said[new, "text"]) == ("corrected", "corrected")
    assert "recorded_in_error" not in said.values()
    assert judged(case, second).changes == []
    assert set(told(change(judged(case))).values()) == {None}
    third = change(judged(case.tell(ContactRecorded(
        record=CASE, case=CASE, method="mail", subjects=(HANA,))), second))  # fmt: skip
    assert told(third).items() >= said.items()


def test_who_held_what_was_recorded_in_error_is_told_so_without_what_it_said() -> None:
    """L17: a text that is left out, a note taken back; while the basis lives, then no word is left."""
    case = line()
    first = change(judged(case))
    correct(case).tell(PersonNoted(**LINE, person=HANA), stream=STREAM)
    found = judged(case, first)
    second = change(found)
    wrong = [item for item in second.items if item.told == "recorded_in_error"]
    assert [item.field for item in wrong] == ["text", "text"]
    assert all(item.bases for item in wrong)
    plain = found.made["care"].decode()
    assert "recorded_in_error" in plain
    assert not [word for word in ("誤記", "眠れない") if word in plain]
    assert judged(case, second).changes == []
    assert "recorded_in_error" not in told(change(judged(case))).values()
    case.tell(PersonNoted(**LINE, person=HANA), stream=STREAM)
    assert judged(case, second).changes == [], "said again, it tells nothing new"
    assert change(judged(case.withdraw("a"), second)).items == ()


def test_a_correction_that_waited_to_be_heard_is_told_as_one() -> None:
    """L17, fail closed: what was held goes at once, the new value and the word of it come later."""
    case = line()
    first = change(judged(case))
    deaf = judged(correct(case), first, may_grow=False)
    assert deaf.waits
    assert set(told(change(deaf)).values()) == {None}
    assert {"corrected", "recorded_in_error"} <= set(
        told(change(judged(case, change(deaf)))).values()
    )
