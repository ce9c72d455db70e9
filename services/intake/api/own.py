"""A call on a stream that goes by an id of its own: what it is now, and the way to write to it."""

from typing import Any, ClassVar, Generic, TypeVar
from uuid import UUID

from shared.decider import Anything
from shared.http import Body, Call, Receipt
from shared.journal import Past

State = TypeVar("State")
Command = TypeVar("Command")


class OnOwn(Generic[State, Command]):
    """Who may stand on it is decided by who makes one."""

    KIND: ClassVar[str]
    DECIDER: ClassVar[Anything]

    def __init__(self, call: Call, id: UUID, past: Past) -> None:
        self.call, self.id, self.past = call, id, past
        self.state: State = past.fold(self.DECIDER)

    async def write(self, command: Command, body: Body, **more: Any) -> Receipt:
        name = str(self.id)
        return await self.call.handle(
            self.DECIDER, f"{self.KIND}/{name}", name, command, body, past=self.past, **more
        )
