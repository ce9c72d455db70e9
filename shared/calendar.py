"""The city's calendar: its time zone, its fiscal year, its working days."""

from datetime import date, datetime, timedelta
from functools import cache
from zoneinfo import ZoneInfo

from shared.contracts import lists

TOKYO = ZoneInfo("Asia/Tokyo")
CLOSED = frozenset(((12, 29), (12, 30), (12, 31), (1, 1), (1, 2), (1, 3)))
"""Month and day on which the city hall is closed, whatever the list of holidays says (地方自治法4条の2)."""


def fiscal_year(day: date) -> int:
    """Japanese fiscal year: 1 April to 31 March, Asia/Tokyo. 2027-03-31 is in 2026."""
    if isinstance(day, datetime):
        day = day.astimezone(TOKYO).date()
    return day.year if day.month >= 4 else day.year - 1


@cache
def holidays() -> frozenset[date]:
    """国民の祝日 and their substitutes, as far as the list goes."""
    return frozenset(lists.read("holidays.toml")["days"])


def listed_until() -> date:
    """The last day of the last year of the list: from the next on a holiday would count as a working day."""
    return date(max(holidays(), default=date.min).year, 12, 31)


def working(day: date) -> bool:
    closed = day in holidays() or (day.month, day.day) in CLOSED
    return day.weekday() < 5 and not closed


def after_working_days(at: datetime, days: int) -> datetime:
    """The same time of day, so many working days later; what falls on a day off counts from the next
    working day's beginning.
    """
    local = at.astimezone(TOKYO)
    if not working(local.date()):
        local = local.replace(hour=0, minute=0, second=0, microsecond=0)
        days += 1
    while days:
        local += timedelta(days=1)
        days -= working(local.date())
    return local.astimezone(at.tzinfo)


def age(birth: str | None, at: datetime) -> int | None:
    """Whole years on that day, at the most what a birth date known in part (YYYY, YYYY-MM) allows."""
    if birth is None:
        return None
    born, today = birth.split("-"), at.astimezone(TOKYO).date().isoformat().split("-")
    return int(today[0]) - int(born[0]) - (today[1 : len(born)] < born[1:])
