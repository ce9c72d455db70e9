"""Cover sheets of one agency and one case: made when there is a document, sent once, opened once."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Literal
from uuid import UUID

from shared.contracts import Event
from shared.contracts.views import (
    CoverBounced,
    CoverIssued,
    CoverNotSent,
    CoverSent,
    CoverUsed,
    DocumentChanged,
)
from shared.decider import Decider, Refused

State = Literal["to_send", "waiting", "sent", "given_up", "bounced"]
ASTRAY: tuple[State, ...] = ("given_up", "bounced")


@dataclass(frozen=True)
class Cover:
    """`to_send`: by a person; `waiting`: for the machine, which may have tried already. `why`: what the
    last try, or what came back, said.
    """

    issued: CoverIssued
    state: State
    tries: int = 0
    why: str | None = None
    used: bool = False


@dataclass(frozen=True)
class Covers:
    """`document` 0: there is nothing to lead to, and nothing to be given back was ever told."""

    document: int = 0
    of: Mapping[UUID, Cover] = field(default_factory=dict)

    def on_its_way(self, issued: CoverIssued) -> bool:
        """Is one of the same document there already, or about to be?"""
        return any(
            (one.issued.place, one.issued.document) == (issued.place, self.document)
            for one in self.of.values()
            if one.state not in ASTRAY
        )


@dataclass(frozen=True)
class Use:
    opened: CoverUsed
    at: datetime


Command = CoverIssued | Use | CoverSent | CoverNotSent | CoverBounced


def decide(state: Covers, command: Command) -> list[Event]:
    if isinstance(command, CoverIssued):
        if not state.document:
            raise Refused("no-document", "none", ())
        if command.place and not command.again and state.on_its_way(command):
            raise Refused("cover-was-sent", "sent", ("again",))
        return [command.model_copy(update={"document": state.document})]
    event = command.opened if isinstance(command, Use) else command
    if event.cover not in state.of:
        raise Refused("no-such-cover", "none", ())
    cover = state.of[event.cover]
    match command:
        case Use() if cover.used:
            raise Refused("cover-used", "used", ("page",))
        case Use(at=at) if cover.issued.until and at > cover.issued.until:
            raise Refused("cover-expired", "expired", ("page",))
        case CoverSent() | CoverNotSent() if cover.state != "waiting":
            return []
        case CoverBounced() if cover.state == "bounced":
            return []
        case _:
            return [event]


def evolve(state: Covers, event: Event) -> Covers:
    match event:
        case DocumentChanged(document=document):
            return replace(state, document=document)
        case CoverIssued(place=place):
            return _with(state, Cover(event, "waiting" if place else "to_send"))
        case CoverUsed() if event.cover in state.of:
            return _with(state, replace(state.of[event.cover], used=True))
        case CoverSent():
            cover = state.of[event.cover]
            return _with(state, replace(cover, state="sent", tries=cover.tries + 1, why=None))
        case CoverNotSent(reason=why, final=final):
            cover = state.of[event.cover]
            now: State = "given_up" if final else "waiting"
            return _with(state, replace(cover, state=now, tries=cover.tries + 1, why=why))
        case CoverBounced(status=why):
            return _with(state, replace(state.of[event.cover], state="bounced", why=why))
        case _:
            return state


def _with(state: Covers, cover: Cover) -> Covers:
    return replace(state, of={**state.of, cover.issued.cover: cover})


DECIDER = Decider(Covers(), decide, evolve)
