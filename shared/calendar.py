"""The city's calendar: its time zone and its fiscal year."""

from datetime import date, datetime
from zoneinfo import ZoneInfo

TOKYO = ZoneInfo("Asia/Tokyo")


def fiscal_year(day: date) -> int:
    """Japanese fiscal year: 1 April to 31 March, Asia/Tokyo. 2027-03-31 is in 2026."""
    if isinstance(day, datetime):
        day = day.astimezone(TOKYO).date()
    return day.year if day.month >= 4 else day.year - 1
