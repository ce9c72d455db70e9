"""Who read what of whom, for what purpose and on which ground: written before the answer leaves (L21)."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple, TypeVar
from uuid import UUID

from shared.auth import Principal
from shared.contracts import Recorded, Unreadable, sealed_fields
from shared.db import Pool, by_column
from shared.together import Together

INSERT = """
insert into reading (at, subject, agency, purpose, basis, path, subject_of, case_id, kinds)
select t.at, t.subject, t.agency, t.purpose, t.basis, t.path, t.subject_of, t.case_id,
       string_to_array(t.kinds, ' ')
  from unnest($1::timestamptz[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[],
              $8::uuid[], $9::text[])
       as t(at, subject, agency, purpose, basis, path, subject_of, case_id, kinds)"""
PURPOSES = {
    "privacy_officer": "inspection",
    "supervisor": "supervision",
    "coordinator": "coordination",
}
"""Purpose of a reading that names none, by the first of these roles; else it is a consultation."""
Endpoint = TypeVar("Endpoint", bound=Callable[..., Any])
FREE = "content_free"


@dataclass
class Reading:
    """What one request reads of one stream. `kinds`: the classes of data that were opened."""

    of: str
    case: UUID | None
    basis: str
    kinds: set[str] = field(default_factory=set)


class Row(NamedTuple):
    at: datetime
    subject: str
    agency: str
    purpose: str
    basis: str
    path: str
    subject_of: str
    case_id: UUID | None
    kinds: str


def content_free(endpoint: Endpoint) -> Endpoint:
    """Marks a GET whose answer says nothing of a person: it leaves no row."""
    setattr(endpoint, FREE, True)
    return endpoint


def leaves_a_row(endpoint: Callable[..., Any]) -> bool:
    return not getattr(endpoint, FREE, False)


def default_purpose(who: Principal) -> str:
    return next((PURPOSES[role] for role in PURPOSES if role in who.roles), "consultation")


def kinds(events: Iterable[Recorded]) -> set[str]:
    """The data classes of what these events tell, as far as it can be read."""
    found: set[str] = set()
    for recorded in events:
        for name, mark in sealed_fields(type(recorded.event)).items():
            value = getattr(recorded.event, name)
            if value is not None and not isinstance(value, Unreadable):
                found.add(mark.data_class)
    return found


def rows(
    who: Principal, at: datetime, purpose: str, path: str, readings: Iterable[Reading]
) -> list[Row]:
    """A row for each; one that names nothing, if nothing was named."""
    return [
        Row(at, who.subject, who.agency, purpose, one.basis, path, one.of, one.case,
            " ".join(sorted(one.kinds)))
        for one in list(readings) or [Reading("", None, "")]
    ]  # fmt: skip


class Readings:
    """The table of readings of one service; requests that come at once share the trip."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self.write = Together(self._write)
        """Raises what the database refuses; then there is no answer."""

    async def _write(self, asked: Sequence[Sequence[Row]]) -> Sequence[None]:
        await self._pool.execute(INSERT, *by_column([row for rows in asked for row in rows], 9))
        return [None] * len(asked)
