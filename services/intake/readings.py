"""The rows that say who has read what, by agency and fiscal year: which of them may go, and their end."""

from datetime import date, datetime, time
from typing import Any
from uuid import UUID, uuid5

from shared.calendar import TOKYO, fiscal_year
from shared.contracts.intake import CaseDisposed
from shared.db import Connection
from shared.runtime import Runtime

SPACE = UUID("0c1f2f52-6b0e-5d6e-9a35-9f2f6b1d7a10")
FIRST = 2026
"""The fiscal year of the first release."""
GO = f"""
 from reading r where r.agency = $1 and r.at >= $2 and r.at < $3
   and (r.case_id is null or exists (select from journal j where j.stream = 'case/' || r.case_id
                                        and j.type = '{CaseDisposed.TYPE}'))"""
SOME = f"select exists (select{GO})"
END = f"delete{GO}"
BY_DECISION = "set local tsunagu.readings_end = 'approved'"


def id_of(agency: str, year: int) -> UUID:
    return uuid5(SPACE, f"{agency}/{year}")


def year_of(agency: str, id: UUID, today: date) -> int | None:
    """None: of no year of this agency that has begun."""
    years = range(FIRST, fiscal_year(today) + 1)
    return next((year for year in years if id_of(agency, year) == id), None)


def last_day(year: int) -> date:
    return date(year + 1, 3, 31)


def _within(year: int) -> tuple[datetime, datetime]:
    return datetime(year, 4, 1, tzinfo=TOKYO), datetime(year + 1, 4, 1, tzinfo=TOKYO)


async def ended(
    rt: Runtime, agency: str, after: UUID, before: datetime, limit: int
) -> list[dict[str, Any]]:
    """Years of an agency that were over before then and of which rows may go, by id: those of no case,
    and those of cases that are disposed of. Who has read a case that is kept is kept with it.
    """
    found: list[dict[str, Any]] = []
    for year in range(FIRST, fiscal_year(before)):
        id = id_of(agency, year)
        if id > after and await rt.pool.fetchval(SOME, agency, *_within(year)):
            over = datetime.combine(last_day(year), time(), TOKYO)
            found.append({"id": id, "kind": "reading", "at": over})
    return sorted(found, key=lambda row: row["id"])[:limit]


async def end(db: Connection, agency: str, year: int) -> None:
    await db.execute(BY_DECISION)
    await db.execute(END, agency, *_within(year))
