"""A case: opened from a partial つなぐシート, filled in by parts, screened, closed, reopened."""

from dataclasses import dataclass, replace
from uuid import UUID

from shared.contracts import Event
from shared.contracts.intake import (
    CaseAssessed,
    CaseClosed,
    CaseDisposed,
    CaseOpened,
    CaseReopened,
    CaseScreened,
    CoordinatorNamed,
    CoordinatorRelieved,
    HealthRecorded,
    InvolvedRecorded,
    ItemProtected,
    LeadAccepted,
    LeadDeclined,
    LeadOffered,
    LivingRecorded,
    PersonDescribed,
    PersonFlagged,
    PersonJoined,
    ProtectionLifted,
    SituationRecorded,
    WorriesRecorded,
)
from shared.decider import Decider, Refused

from . import disposal
from .disposal import Disposal


@dataclass(frozen=True)
class Case:
    status: str = "none"
    lead: str = ""
    offered: str = ""
    """The agency that is asked to take the case over; its standing waits for its answer."""
    household: UUID | None = None
    people: frozenset[UUID] = frozenset()
    coordinator: tuple[str, str] | None = None
    """Who coordinates the case, and of which agency."""
    disposal: Disposal = disposal.NONE


@dataclass(frozen=True)
class OpenCase:
    """First contact with as much of the sheet as is known; a partial case is a real case."""

    opened: CaseOpened
    sheet: tuple[Event, ...]


@dataclass(frozen=True)
class SaveSheet:
    """Parts of the sheet, in any order, by several people."""

    parts: tuple[Event, ...]


@dataclass(frozen=True)
class Screen:
    screened: CaseScreened


@dataclass(frozen=True)
class Assess:
    assessed: CaseAssessed


@dataclass(frozen=True)
class NameCoordinator:
    """Who is named takes the place of who was."""

    named: CoordinatorNamed


@dataclass(frozen=True)
class RelieveCoordinator:
    relieved: CoordinatorRelieved


@dataclass(frozen=True)
class PassCoordination:
    """With a worker's cases: only where he coordinates."""

    case: UUID
    agency: str
    staff: str
    to: str


@dataclass(frozen=True)
class OfferLead:
    """Asking another agency replaces an earlier offer."""

    offered: LeadOffered


@dataclass(frozen=True)
class AcceptLead:
    """`takes_over`: with the programme under which the case was led, unasked (L2)."""

    accepted: LeadAccepted
    takes_over: bool = False


@dataclass(frozen=True)
class DeclineLead:
    declined: LeadDeclined


@dataclass(frozen=True)
class Close:
    closed: CaseClosed


@dataclass(frozen=True)
class Reopen:
    reopened: CaseReopened


@dataclass(frozen=True)
class Safeguard:
    """What guards a person, also when the case is closed."""

    event: PersonFlagged | ItemProtected | ProtectionLifted


Command = (
    OpenCase
    | SaveSheet
    | Screen
    | Assess
    | NameCoordinator
    | RelieveCoordinator
    | PassCoordination
    | OfferLead
    | AcceptLead
    | DeclineLead
    | Safeguard
    | Close
    | Reopen
    | disposal.Command
)
ALLOWED = {
    "none": (),
    "open": (
        "sections",
        "screenings",
        "assessments",
        "records",
        "consents",
        "coordinator",
        "lead-agency",
        "closing",
        "hold",
    ),
    "closed": ("reopening", "hold", "disposal"),
    "disposed": (),
}


def decide(state: Case, command: Command) -> list[Event]:
    match state.status, command:
        case "none", OpenCase(opened, sheet):
            return [opened, *_known(evolve(state, opened), sheet)]
        case "open", SaveSheet(parts):
            return _known(state, parts)
        case "open", Screen(screened):
            return [screened]
        case "open", Assess(assessed):
            return _known(state, (assessed,))
        case "open", NameCoordinator(named):
            new = named.coordinator, named.agency
            return [] if new == state.coordinator else [named]
        case "open", RelieveCoordinator(relieved):
            if state.coordinator is None or relieved.coordinator != state.coordinator[0]:
                raise Refused("not-the-coordinator", state.status, ALLOWED[state.status])
            return [relieved]
        case "open" | "closed", PassCoordination(case=case, agency=agency, staff=staff, to=to):
            named = CoordinatorNamed(case=case, coordinator=to, agency=agency)
            return [named] if (staff, agency) == state.coordinator else []
        case _, PassCoordination():
            return []
        case "open", OfferLead(offered):
            if offered.to == state.lead:
                raise Refused("agency-leads-already", state.status, ALLOWED[state.status])
            return [offered]
        case "open", AcceptLead(accepted, True):
            return [accepted]
        case "open", AcceptLead(accepted):
            return [_answered(state, accepted.lead, accepted)]
        case "open", DeclineLead(declined):
            return [_answered(state, declined.to, declined)]
        case "open" | "closed", Safeguard(event):
            return _known(state, (event,))
        case "open", Close(closed):
            return [closed]
        case "closed", Reopen(reopened) if state.disposal.step != "approved":
            return [reopened]
        case (("open" | "closed"), command) if isinstance(command, disposal.COMMANDS):
            return disposal.decide(state.disposal, state.status == "closed", command)
        case _:
            raise Refused(f"case-is-{state.status}", state.status, ALLOWED[state.status])


def _answered(state: Case, agency: str, answer: Event) -> Event:
    if agency != state.offered:
        raise Refused("no-offer-to-this-agency", state.status, ALLOWED[state.status])
    return answer


def _known(state: Case, parts: tuple[Event, ...]) -> list[Event]:
    """Whoever is spoken of must have joined the case before."""
    for part in parts:
        state = evolve(state, part)
        match part:
            case (
                PersonDescribed(person=person)
                | SituationRecorded(person=person)
                | LivingRecorded(person=person)
                | HealthRecorded(person=person)
                | CaseAssessed(person=person)
                | PersonFlagged(person=person)
                | ItemProtected(person=person)
                | ProtectionLifted(person=person)
            ):
                strangers = {person} - state.people
            case WorriesRecorded(subjects=subjects) | InvolvedRecorded(subjects=subjects):
                strangers = set(subjects) - state.people
            case _:
                strangers = set()
        if strangers:
            raise Refused("person-not-in-case", state.status, ALLOWED[state.status])
    return list(parts)


def evolve(state: Case, event: Event) -> Case:
    match event:
        case CaseOpened(lead=lead, household=household):
            return replace(state, status="open", lead=lead, household=household)
        case LeadOffered(to=agency):
            return replace(state, offered=agency)
        case LeadAccepted(lead=lead):
            return replace(state, lead=lead, offered="")
        case LeadDeclined():
            return replace(state, offered="")
        case CoordinatorNamed(coordinator=coordinator, agency=agency):
            return replace(state, coordinator=(coordinator, agency))
        case CoordinatorRelieved():
            return replace(state, coordinator=None)
        case PersonJoined(person=person):
            return replace(state, people=state.people | {person})
        case CaseClosed():
            return replace(state, status="closed")
        case CaseReopened():
            fresh = replace(state.disposal, step="none", proposed_by="")
            return replace(state, status="open", disposal=fresh)
        case CaseDisposed():
            return replace(state, status="disposed", people=frozenset())
        case _:
            return replace(state, disposal=disposal.evolve(state.disposal, event))


DECIDER = Decider(Case(), decide, evolve)
