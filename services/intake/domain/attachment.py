"""An attachment: added once, removed once."""

from typing import Literal

from shared.contracts import Event
from shared.contracts.intake import AttachmentAdded, AttachmentRemoved
from shared.decider import Decider, Refused

Attachment = Literal["none", "kept", "removed"]
Command = AttachmentAdded | AttachmentRemoved
ALLOWED = {"none": (), "kept": ("removal",), "removed": ()}


def decide(state: Attachment, command: Command) -> list[Event]:
    match state, command:
        case ("none", AttachmentAdded()) | ("kept", AttachmentRemoved()):
            return [command]
        case _:
            raise Refused(f"attachment-is-{state}", state, ALLOWED[state])


def evolve(state: Attachment, event: Event) -> Attachment:
    match event:
        case AttachmentAdded():
            return "kept"
        case AttachmentRemoved():
            return "removed"
        case _:
            return state


INITIAL: Attachment = "none"
DECIDER = Decider(INITIAL, decide, evolve)
