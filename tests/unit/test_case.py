"""The case: what is refused and when, and that it always has exactly one lead agency."""

from uuid import UUID

from hypothesis import given as for_all
from hypothesis import strategies as st

from services.intake.domain.case import (
    DECIDER,
    AcceptLead,
    Close,
    Command,
    DeclineLead,
    OfferLead,
    OpenCase,
    PassCoordination,
    Reopen,
    SaveSheet,
)
from shared.contracts import Event
from shared.contracts.intake import (
    CaseClosed,
    CaseDisposed,
    CaseOpened,
    CaseReopened,
    CoordinatorNamed,
    HealthRecorded,
    InvolvedRecorded,
    LeadAccepted,
    LeadDeclined,
    LeadOffered,
    LivingRecorded,
    PersonJoined,
)
from shared.decider import Refused
from tests.unit._given import given

CASE, HANA, STRANGER, HOUSEHOLD = (UUID(int=n) for n in range(1, 5))
AGENCIES = ("city", "shakyo", "care-centre")
opened = CaseOpened(case=CASE, household=HOUSEHOLD, lead="city", route="person_visit")
hana = PersonJoined(case=CASE, person=HANA, relation="self")
closed = CaseClosed(case=CASE, reason="resolved")
reopened = CaseReopened(case=CASE)


def offered(to: str) -> LeadOffered:
    return LeadOffered(case=CASE, to=to)


def accepted(by: str) -> LeadAccepted:
    return LeadAccepted(case=CASE, lead=by)


def declined(by: str) -> LeadDeclined:
    return LeadDeclined(case=CASE, to=by)


def test_sections_speak_of_persons_of_the_case_only() -> None:
    living = LivingRecorded(case=CASE, person=HANA, work="pensioner")
    given(DECIDER, opened, hana).when(SaveSheet((living,))).then(living)
    for stranger in (
        LivingRecorded(case=CASE, person=STRANGER),
        HealthRecorded(case=CASE, person=STRANGER),
        InvolvedRecorded(case=CASE, subjects=(HANA, STRANGER), agencies=("診療所",)),
    ):
        given(DECIDER, opened, hana).when(SaveSheet((stranger,))).refused("person-not-in-case")


def test_the_lead_passes_when_the_agency_that_was_asked_accepts() -> None:
    asked = offered("shakyo")
    given(DECIDER, opened).when(OfferLead(asked)).then(asked)
    given(DECIDER, opened, asked).when(AcceptLead(accepted("shakyo"))).then(accepted("shakyo"))
    assert DECIDER.fold([opened, asked]).lead == "city"
    assert DECIDER.fold([opened, asked, accepted("shakyo")]).lead == "shakyo"


def test_nobody_else_answers_for_it_and_nobody_twice() -> None:
    asked = offered("shakyo")
    for by in ("city", "care-centre"):
        given(DECIDER, opened, asked).when(AcceptLead(accepted(by))).refused(
            "no-offer-to-this-agency"
        )
    after = (opened, asked, declined("shakyo"))
    given(DECIDER, *after).when(AcceptLead(accepted("shakyo"))).refused("no-offer-to-this-agency")
    after = (opened, asked, accepted("shakyo"))
    given(DECIDER, *after).when(AcceptLead(accepted("shakyo"))).refused("no-offer-to-this-agency")


def test_who_takes_a_programme_over_takes_its_cases_over_unasked() -> None:
    """L2: until the case is closed, and whatever was offered to others."""
    for past in ((opened,), (opened, offered("shakyo"))):
        taken = AcceptLead(accepted("care-centre"), takes_over=True)
        given(DECIDER, *past).when(taken).then(accepted("care-centre"))
    given(DECIDER, opened, closed).when(AcceptLead(accepted("shakyo"), True)).refused(
        "case-is-closed"
    )


def test_a_later_offer_replaces_the_earlier() -> None:
    asked = (opened, offered("shakyo"), offered("care-centre"))
    given(DECIDER, *asked).when(AcceptLead(accepted("shakyo"))).refused("no-offer-to-this-agency")
    given(DECIDER, *asked).when(AcceptLead(accepted("care-centre"))).then(accepted("care-centre"))


def test_the_lead_is_not_offered_to_who_has_it_nor_while_the_case_is_closed() -> None:
    given(DECIDER, opened).when(OfferLead(offered("city"))).refused("agency-leads-already")
    given(DECIDER, opened, closed).when(OfferLead(offered("shakyo"))).refused("case-is-closed")


commands = st.one_of(
    st.sampled_from(AGENCIES).map(lambda to: OfferLead(offered(to))),
    st.sampled_from(AGENCIES).map(lambda by: AcceptLead(accepted(by))),
    st.sampled_from(AGENCIES).map(lambda by: DeclineLead(declined(by))),
    st.just(Close(closed)),
    st.just(Reopen(reopened)),
)


@for_all(st.lists(commands, max_size=30))
def test_whatever_is_asked_there_is_one_lead_and_it_was_asked_and_has_accepted(
    asked: list[Command],
) -> None:
    events: list[Event] = list(DECIDER.decide(DECIDER.fold([]), OpenCase(opened, ())))
    lead, waiting = "city", ""  # the naive model
    for command in asked:
        try:
            written = DECIDER.decide(DECIDER.fold(events), command)
        except Refused:
            continue
        events += written
        match command:
            case OfferLead(offer):
                waiting = offer.to
            case AcceptLead(answer):
                assert answer.lead == waiting
                lead, waiting = waiting, ""
            case DeclineLead(answer):
                assert answer.to == waiting
                waiting = ""
        assert DECIDER.fold(events).lead == lead


def test_coordination_is_not_passed_on_where_the_case_was_disposed_of() -> None:
    """The transfer of a worker's cases goes on without it."""
    named = CoordinatorNamed(case=CASE, coordinator="sato", agency="city")
    passed = PassCoordination(CASE, "city", "sato", "abe")
    to = CoordinatorNamed(case=CASE, coordinator="abe", agency="city")
    given(DECIDER, opened, named).when(passed).then(to)
    given(DECIDER, opened, named, closed, CaseDisposed(case=CASE, approval=CASE)).when(
        passed
    ).then()
