"""Numbered views: what a service folds from topics; built side by side, promoted, dropped."""

from collections.abc import Awaitable, Callable, Sequence, Set
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NamedTuple
from uuid import UUID

from shared.contracts import Recorded
from shared.db import Connection, Pool
from shared.kept import KEPT

LIVE = "live"
"""Schema of plain SQL views through which readers reach the promoted number."""

TABLES = "select tablename from pg_tables where schemaname = $1 order by 1"
CHANGE = "select pg_advisory_xact_lock(hashtext('views'))"
"""Who applies holds the promoted number; who promotes waits for him, and he for the promotion."""
ENTER = "select enter()"
PROMOTED = "select number from view where state = 'live'"

Project = Callable[[Connection, Sequence[Recorded]], Awaitable[None]]
React = Callable[[Connection, Sequence[Recorded], bool], Awaitable[None]]
Answered = Callable[[Connection, Sequence[Recorded], Sequence[Any]], Awaitable[None]]
Touch = Callable[[Connection, Set[UUID]], Awaitable[None]]


class Asked(NamedTuple):
    """A function of the database and its arguments: `$10` and on are `values`, `t.live` is the number of the
    view. Its rows go to `answered`.
    """

    of: str
    values: Sequence[Any]


def unasked(events: Sequence[Recorded], live: bool) -> None:
    return None


async def unanswered(db: Connection, events: Sequence[Recorded], answer: Sequence[Any]) -> None:
    return None


async def nothing(db: Connection, events: Sequence[Recorded], live: bool) -> None:
    return None


async def untouched(db: Connection, cases: Set[UUID]) -> None:
    return None


def unknown(id: bytes | None) -> bool:
    return False


@dataclass(frozen=True)
class View:
    """`project` writes the tables of `ddl` (search_path is the numbered schema) and must commute
    between streams. `react` runs in the same transaction, in the promoted number only; its third
    argument is False while the follower is still catching up. It may append to the journal.
    `unfolded`: columns (`table.column`) and tables that `react` and loops write, so that no refold tells
    them.

    Sets of event types; None: all. `kept`: they go into the table of that name as they came, and `touch`
    is told of their cases. `projected`: they are given to `project`. What is neither only moves the
    inbox, unless there is a `react`, which is given all. `opens`: their sealed fields are opened.
    `sealed`: "read" by `project`; or only "checked" as events come, since who keeps them relies on it,
    and not once more when they are refolded. `known`: is the event of this id one whose effects are there
    already, so that only the inbox moves? `gathers`: seconds for which more is waited for when a little has
    come and nobody waits. `asks`: what `react` would ask of these events, and touch, can be asked by
    the statement that takes them; then `answered` comes in place of `react`.
    """

    name: str
    topics: tuple[str, ...]
    ddl: Path
    project: Project
    react: React = nothing
    unfolded: frozenset[str] = frozenset()
    kept: frozenset[str] = frozenset()
    touch: Touch = untouched
    projected: frozenset[str] | None = None
    opens: frozenset[str] | None = None
    sealed: Literal["read", "checked"] = "read"
    known: Callable[[bytes | None], bool] = unknown
    gathers: float = 0.0
    asks: Callable[[Sequence[Recorded], bool], Asked | None] = unasked
    answered: Answered = unanswered

    @property
    def read(self) -> frozenset[str] | None:
        """Types that are read at all."""
        if self.projected is None or self.react is not nothing:
            return None
        return self.projected | self.kept

    async def fold(
        self, db: Connection, events: Sequence[Recorded], *, touched: bool = False
    ) -> None:
        """All that these events make of the tables, but for what is kept as it came."""
        told = self.projected
        if some := [e for e in events if told is None or e.envelope.type in told]:
            await self.project(db, some)
        if not touched and (cases := self.cases(events)):
            await self.touch(db, cases)

    def cases(self, events: Sequence[Recorded]) -> set[UUID]:
        """Those of what is kept."""
        kept = (e.event for e in events if e.envelope.type in self.kept)
        return {case for event in kept if (case := getattr(event, "case", None))}


def name_of(view: str, number: int) -> str:
    """Under which the inbox, positions and parked records of a number are kept."""
    return f"{view}-{number}"


async def ensure(pool: Pool, view: View) -> int:
    """Number of the promoted view; makes and promotes the first if there is none."""
    async with pool.acquire() as db, db.transaction():
        await db.execute(CHANGE)
        number = await db.fetchval(PROMOTED)
        if number is None:
            number = await build(db, view)
            await promote(db, number)
        return int(number)


async def build(db: Connection, view: View) -> int:
    """Make the tables of the next number, empty, in the caller's transaction."""
    number = int(await db.fetchval("select coalesce(max(number), 0) + 1 from view"))
    await make(db, view, number)
    await db.execute("set local search_path to public")
    await db.execute("insert into view (number, state) values ($1, 'building')", number)
    return number


async def make(db: Connection, view: View, number: int) -> None:
    """The tables of a number, on which the caller's transaction then works."""
    await db.execute(f"create schema view_{number}")
    await work_on(db, number)
    await db.execute(KEPT)
    await db.execute(view.ddl.read_text("utf-8"))


async def work_on(db: Connection, number: int) -> None:
    await db.execute(f"set local search_path to view_{number}, public")


async def enter(db: Connection) -> int:
    """Work on the promoted view in this transaction; until it ends, no other is promoted."""
    return int(await db.fetchval(ENTER))


async def promote(db: Connection, number: int) -> None:
    """Point the readers at `number`, in the caller's transaction.

    Schemas change their names and no table is locked: who is reading reads on in the old one.
    """
    await db.execute(f"create schema {LIVE}_{number}")
    for row in await db.fetch(TABLES, f"view_{number}"):
        table = row["tablename"]
        await db.execute(
            f'create view {LIVE}_{number}."{table}" as select * from view_{number}."{table}"'
        )
    if (old := await db.fetchval(PROMOTED)) is not None:
        await db.execute(f"alter schema {LIVE} rename to {LIVE}_{old}")
    await db.execute(f"alter schema {LIVE}_{number} rename to {LIVE}")
    await db.execute("update view set state = 'retired' where state = 'live'")
    await db.execute("update view set state = 'live' where number = $1", number)


async def drop(db: Connection, view: View, number: int) -> None:
    """Forget a number that is not promoted, in the caller's transaction."""
    await db.execute(f"drop schema if exists {LIVE}_{number} cascade")
    await db.execute(f"drop schema if exists view_{number} cascade")
    for table in ("inbox", "position", "parked"):
        await db.execute(f"delete from {table} where view = $1", name_of(view.name, number))
    await db.execute("delete from view where number = $1 and state <> 'live'", number)
