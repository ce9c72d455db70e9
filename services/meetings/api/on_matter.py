"""A call on one matter: who stands in it, and how it is written."""

from dataclasses import dataclass
from typing import Annotated, Any
from uuid import UUID

from fastapi import Depends

from shared.blocks import blocked
from shared.contracts.meetings import MatterSubmitted
from shared.http import Body, Call, Caller, PathId, Receipt, to_uuid
from shared.journal import Past
from shared.problems import Problem, bad_input, not_found

from .. import view
from ..domain import matter as matters
from ..domain.member import Pool
from .common import CASEWORKERS, STAFF, WORKERS, Check, pool_of

ONLY_CALLED = "only the submitter and those called do this / 提出者と招集された機関だけができます"


@dataclass
class OnMatter:
    """A call on a matter. `submitted` is its first event, `pool` the members of its body."""

    call: Call
    past: Past
    state: matters.Matter
    submitted: MatterSubmitted
    pool: Pool

    @property
    def submitter(self) -> str:
        return self.past.events[0].envelope.agency

    @property
    def ids(self) -> dict[str, Any]:
        return {"matter": self.submitted.matter, "case": self.submitted.case}

    @property
    def stream(self) -> str:
        return f"matter/{self.submitted.matter}"

    def called_agencies(self) -> set[str]:
        now = self.pool.now
        return {now[subject].agency for subject in self.state.called if subject in now}

    def stands(self) -> bool:
        """The submitter's agency, members called by name, the secretariat (L5, L5a)."""
        who = self.call.who
        if who.agency == self.submitter:
            return True
        me = self.pool.now.get(who.subject)
        return (
            me is not None
            and me.agency == who.agency
            and (me.secretariat or who.subject in self.state.called)
        )

    def in_pool(self, members: list[str]) -> Check:
        async def check() -> None:
            if strangers := sorted(set(members) - set(self.pool.now)):
                raise bad_input(
                    "body.members",
                    "not in the pool now / 今は構成員ではありません: " + ", ".join(strangers),
                )

        return check

    async def write(
        self,
        command: matters.Command,
        body: Body,
        check: Check | None = None,
        basis: str | None = None,
        location: str | None = None,
    ) -> Receipt:
        return await self.call.handle(
            matters.DECIDER,
            self.stream,
            str(self.submitted.case),
            command,
            body,
            check=check,
            basis=basis,
            location=location,
        )


async def load_matter(call: Call, matter: UUID) -> OnMatter | None:
    """None if there is none, and for who is blocked from its case."""
    past = await call.load(f"matter/{matter}")
    state: matters.Matter = past.fold(matters.DECIDER)
    if state.submitted is None:
        return None
    if await blocked(call.rt.reads, call.who, [state.submitted.case]):
        return None
    pool = await pool_of(call, state.submitted.body)
    return OnMatter(call, past, state, state.submitted, pool)


async def matters_of_case(call: Call, case: UUID) -> list[OnMatter]:
    found = []
    for stream in await view.streams_of_case(call.rt, case, "matter"):
        on = await load_matter(call, UUID(stream.removeprefix("matter/")))
        found += [on] if on else []
    return found


async def on_matter(id: PathId, call: Caller) -> OnMatter:
    on = await load_matter(call, to_uuid(id))
    if on is None or not on.stands():
        raise not_found()
    call.need(*STAFF)
    return on


async def on_managed_matter(on: Annotated[OnMatter, Depends(on_matter)]) -> OnMatter:
    on.call.need(*CASEWORKERS)
    return on


async def on_material(id: PathId, call: Caller) -> OnMatter:
    """Also the colleagues of a member who was called bring material."""
    on = await load_matter(call, to_uuid(id))
    if on is None:
        raise not_found()
    if call.who.agency not in {on.submitter, *on.called_agencies()}:
        raise Problem("wrong-role", detail=ONLY_CALLED) if on.stands() else not_found()
    call.need(*WORKERS)
    return on


OnMatterDep = Annotated[OnMatter, Depends(on_matter)]

OnManagedDep = Annotated[OnMatter, Depends(on_managed_matter)]

OnMaterialDep = Annotated[OnMatter, Depends(on_material)]
