"""What the parts of the API share: who may read, a document found by its handle, the record of a reading."""

from dataclasses import replace
from typing import Annotated
from uuid import UUID

from fastapi import Depends
from pydantic import StringConstraints

from shared.contracts.event import AGENCY
from shared.contracts.intake import CaseOpened, LeadAccepted
from shared.contracts.views import ItemRef, ReadingRecorded, ReadingRefused
from shared.decider import Refused
from shared.http import Body, Call, Caller, PathId, Receipt, to_uuid
from shared.problems import Problem, not_found

from .. import view
from ..domain import disclosure, subscription
from ..judge import Judge, Sure, Told
from ..refusals import unknown

NO_ID = UUID(int=0)
READERS = ("agency_worker", "intake_worker", "coordinator", "supervisor", "system")
OFFICERS = ("privacy_officer", "supervisor")
Code = Annotated[str, StringConstraints(pattern=AGENCY)]


async def reader(call: Caller) -> Call:
    call.need(*READERS)
    await admitted(call)
    return call


async def admitted(call: Call) -> None:
    """403 for an agency in quarantine: it reads nothing."""
    past = await call.load(f"subscription/{call.who.agency}")
    if past.fold(subscription.DECIDER).quarantined:
        raise Problem("quarantined")


Reader = Annotated[Call, Depends(reader)]


async def sure(call: Caller) -> Sure:
    judge: Judge = call.rt.state["judge"]
    return await judge.sure(call.rt.reads)


SureDep = Annotated[Sure, Depends(sure)]
"""Before the dependency that reads the case."""


def need_sure(sure: Sure, told: Told) -> None:
    """503 while a basis may have ended that is not heard of yet, or whose word waits for a repair."""
    if not sure.of(told):
        raise Problem("parked" if sure.heard else "recovering")


class Held:
    """A document of the caller's agency, found by its handle (404 for anything else, and for who is
    blocked from the case).
    """

    def __init__(self, call: Call, case: UUID, handle: UUID) -> None:
        self.call, self.case, self.handle = call, case, handle

    async def write(self, command: disclosure.Command, body: Body) -> Receipt:
        """The answer names the agency's own handle, never the case (L14)."""
        stream = f"disclosure/{self.call.who.agency}/{self.case}"
        try:
            done = await self.call.handle(disclosure.DECIDER, stream, str(self.case), command, body)
        except Refused as refused:
            if refused.reason == "no-such-document":
                await unknown(self.call, "document")
            raise
        outward = f"disclosure/{self.handle}"
        self.call.response.headers["Tsunagu-Position"] = f"{outward}@{done.version}"
        return Receipt(id=str(self.handle), stream=outward, version=done.version)


async def held(handle: PathId, call: Caller) -> Held:
    id = to_uuid(handle)
    row = await view.of_handle(call.rt, call.who.agency, id)
    if not row or row["case_id"] in await view.gone(call.rt.reads, call.who):
        # On record whether it is another's or nobody's: neither the answer nor its time tells which.
        await unknown(call, "handle")
        raise not_found()
    call.need(*READERS)
    return Held(call, row["case_id"], id)


HeldDep = Annotated[Held, Depends(held)]


async def record_reading(
    call: Call, case: UUID, items: tuple[ItemRef, ...], document: int | None = None
) -> None:
    """L21: before anything is answered."""
    agency = call.who.agency
    await on_record(call, ReadingRecorded(agency=agency, case=case, items=items, document=document))


async def on_record(call: Call, event: ReadingRecorded | ReadingRefused) -> None:
    call.need_whole()  # or it might be an older document than one that was read before
    stream, case = f"disclosure/{event.agency}/{event.case}", event.case
    context = replace(call.context(), command=None)  # each reading is one, whatever its key
    await call.rt.journal.handle(disclosure.DECIDER, stream, str(case), event, context)


async def led(call: Call, case: UUID) -> Told:
    """What is known of a case that the caller's agency leads or led (404 otherwise, and for who is
    blocked from it).
    """
    judge: Judge = call.rt.state["judge"]
    told = (await judge.load(call.rt.reads, [case]))[case]
    leads = {e.event.lead for e in told.own if isinstance(e.event, CaseOpened | LeadAccepted)}
    if call.who.agency not in leads or case in await view.gone(call.rt.reads, call.who):
        raise not_found()
    return told


def short(type_: str) -> str:
    return type_.removeprefix("jp.tsunagu.").removesuffix(".v1")
