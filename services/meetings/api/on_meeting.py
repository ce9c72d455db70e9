"""A call on one meeting: who stands in it, and how it is written."""

from dataclasses import dataclass, replace
from typing import Annotated, Any
from uuid import UUID

from fastapi import Depends

from shared.blocks import blocked
from shared.contracts.meetings import MeetingConvened
from shared.decider import Anything
from shared.http import Body, Call, Caller, PathId, Receipt, to_uuid
from shared.journal import Past, Stale
from shared.problems import Problem, not_found

from .. import view
from ..domain import meeting as meetings
from ..domain import sitting as sittings
from .common import HOSTS, STAFF, Check

ONLY_HOST = "only the host does this / 主催機関だけができます"


@dataclass
class OnMeeting:
    """A call on a meeting that the caller's agency hosts or is invited to (404 otherwise).

    What is shown is the meeting with its cases: `version` counts the events of all of them.
    """

    call: Call
    id: UUID
    past: Past
    state: meetings.Meeting
    convened: MeetingConvened
    cases: dict[str, Past]

    @property
    def version(self) -> int:
        return self.past.version + sum(past.version for past in self.cases.values())

    @property
    def hosting(self) -> bool:
        return self.call.who.agency == self.convened.host

    def item(self, case: UUID) -> sittings.Sitting:
        past = self.cases.get(f"sitting/{self.id}/{case}", Past(0, []))
        state: sittings.Sitting = past.fold(sittings.DECIDER)
        return state

    async def write(
        self,
        decider: Anything,
        command: Any,
        body: Body,
        case: UUID | None = None,
        check: Check | None = None,
        basis: str | None = None,
    ) -> Receipt:
        """Into the stream of the meeting, or of one case at it. If-Match names the whole."""
        stream = f"sitting/{self.id}/{case}" if case else f"meeting/{self.id}"
        past = self.cases.get(stream, Past(0, [])) if case else self.past
        seen = self.call.if_match

        async def checked() -> None:
            if check:
                await check()
            if seen not in (None, self.version):
                raise Stale(self.version)

        receipt = await replace(self.call, if_match=None if seen is None else past.version).handle(
            decider, stream, str(case or self.id), command, body, check=checked, basis=basis
        )
        shown = {f"meeting/{self.id}", *self.cases, stream}
        self.call.shows(await view.shown_at(self.call.rt, shown, stream, receipt.version))
        return receipt


async def on_meeting(id: PathId, call: Caller) -> OnMeeting:
    meeting = to_uuid(id)
    past = await call.load(f"meeting/{meeting}")
    state: meetings.Meeting = past.fold(meetings.DECIDER)
    convened = state.convened
    if convened is None or call.who.agency not in (convened.host, *convened.invited):
        raise not_found()
    call.need(*STAFF)
    streams = await view.sittings_of(call.rt, meeting)
    gone = await blocked(call.rt.reads, call.who, [_case_of(stream) for stream in streams])
    cases = {stream: await call.load(stream) for stream in streams if _case_of(stream) not in gone}
    return OnMeeting(call, meeting, past, state, convened, cases)


async def on_hosted(on: Annotated[OnMeeting, Depends(on_meeting)]) -> OnMeeting:
    if not on.hosting:
        raise Problem("wrong-role", detail=ONLY_HOST)
    on.call.need(*HOSTS)
    return on


def _case_of(stream: str) -> UUID:
    """Of `sitting/<meeting>/<case>`."""
    return UUID(stream.rpartition("/")[2])


OnMeetingDep = Annotated[OnMeeting, Depends(on_meeting)]

OnHostedDep = Annotated[OnMeeting, Depends(on_hosted)]
