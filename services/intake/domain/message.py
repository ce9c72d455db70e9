"""A message from one agency to another: sent once, read once."""

from dataclasses import dataclass, replace

from shared.contracts import Event
from shared.contracts.intake import MessageRead, MessageSent, PersonToldOf
from shared.decider import Decider, Refused


@dataclass(frozen=True)
class Message:
    to: str = ""
    read: bool = False


@dataclass(frozen=True)
class Send:
    """With a text of the household, or what it tells of one person, or neither."""

    sent: MessageSent
    of_person: PersonToldOf | None = None


Command = Send | MessageRead


def decide(state: Message, command: Command) -> list[Event]:
    """Reading again writes nothing."""
    match command:
        case Send(sent, of_person) if not state.to:
            return [sent, of_person] if of_person else [sent]
        case MessageRead() if state.to:
            return [] if state.read else [command]
        case _:
            raise Refused(f"message-is-{'sent' if state.to else 'none'}", "", ())


def evolve(state: Message, event: Event) -> Message:
    match event:
        case MessageSent(to=to):
            return Message(to)
        case MessageRead():
            return replace(state, read=True)
        case _:
            return state


DECIDER = Decider(Message(), decide, evolve)
