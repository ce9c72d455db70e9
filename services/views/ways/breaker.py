"""A webhook's circuit breaker: a bad document is put aside; where the endpoint is dead, all wait."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from .feed import Entry
from .post import Outcome

DOUBTS = 3
"""After so many failures the document at which it stalled may be what the endpoint fails on: another is
tried with it.
"""
REFUSES_ALL, ALL = 5, "refuses-all"
"""So many refusals together, and nothing taken: it is the endpoint, not the documents."""

Sent = tuple[Entry, Outcome]


@dataclass(frozen=True)
class Verdict:
    """What a page came to. `reached`: how many of its documents are done, from its start."""

    reached: int
    taken: list[Entry]
    parked: list[tuple[Entry, str]]
    trouble: str | None = None
    after: int = 0


def verdict(sent: Sequence[Sent], trouble: str | None) -> Verdict:
    """Of a page, in its order. Only what was refused for itself is put aside; anything else stops all."""
    if not sent:
        return Verdict(0, [], [], trouble)
    taken = [entry for entry, out in sent if out.meaning == "taken"]
    parked = [(entry, out.reason) for entry, out in sent if out.meaning == "refused"]
    if parked and not taken and (len(parked) >= REFUSES_ALL or trouble == ALL):
        return Verdict(0, [], [], ALL)
    stops = [(n, out) for n, (_, out) in enumerate(sent) if out.meaning in ("broken", "dead")]
    if not stops:
        return Verdict(len(sent), taken, parked)
    (reached, first), after = stops[0], max(out.after for _, out in stops)
    return Verdict(reached, taken, parked, first.reason, after)


def stalled_first(failures: int) -> bool:
    """Each second time: what fells its endpoint is known by what was taken before it, what keeps it
    busy or away by what is taken after it.
    """
    return (failures - DOUBTS) % 2 == 0


def enough(stalled: Entry, sent: Sequence[Sent]) -> bool:
    """Would another try tell nothing more just now, or hammer an endpoint that is down?"""
    entry, out = sent[-1]
    return (entry is stalled) == (out.meaning == "taken")


def doubted(stalled: Entry, sent: Sequence[Sent], trouble: str | None) -> Verdict:
    """Of the document at which the endpoint stalled, and of another, as they were sent."""
    mine = next((out for entry, out in sent if entry is stalled), None)
    if mine is None:  # the other was not taken, and says nothing of this one
        (_, other), *_ = sent
        return Verdict(0, [], [], other.reason, other.after)
    others = [entry for entry, out in sent if entry is not stalled and out.meaning == "taken"]
    asked_to_wait = mine.meaning == "dead" and sent[0][0] is not stalled
    if others and mine.meaning != "taken" and not asked_to_wait:
        return Verdict(1, others, [(stalled, mine.reason)])
    found = verdict([(stalled, mine)], trouble)
    return replace(found, taken=[*found.taken, *others])
