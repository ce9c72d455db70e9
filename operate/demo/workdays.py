"""The city hall's calendar: which days it opens, and moments within its hours."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

TOKYO = ZoneInfo("Asia/Tokyo")


@dataclass(frozen=True)
class Workdays:
    """The working days of one fiscal year, in order."""

    fiscal_year: int
    days: tuple[date, ...]
    opens: time
    closes: time

    @classmethod
    def of(cls, fiscal_year: int, calendar: Mapping[str, Any]) -> Workdays:
        """From the table [calendar] of volumes.toml."""
        holidays = {date.fromisoformat(day) for day in calendar["holidays"]["dates"]}
        closed = {"月火水木金土日".index(day) for day in calendar["closed_weekdays"]}
        first, last = calendar["year_end_closed_from"], calendar["year_end_closed_to"]
        days, day = [], date(fiscal_year, 4, 1)
        while day < date(fiscal_year + 1, 4, 1):
            shut = day.strftime("%m-%d") >= first or day.strftime("%m-%d") <= last
            if day.weekday() not in closed and day not in holidays and not shut:
                days.append(day)
            day += timedelta(days=1)
        opens, closes = (time.fromisoformat(t) for t in calendar["window_hours"].split("-"))
        return cls(fiscal_year, tuple(days), opens, closes)

    def every(self, step: int) -> Workdays:
        """Only each so-manieth of these days, and the last one."""
        kept = [day for n, day in enumerate(self.days) if n % step == 0 or day == self.last]
        return replace(self, days=tuple(kept))

    @property
    def first(self) -> date:
        return self.days[0]

    @property
    def last(self) -> date:
        return self.days[-1]

    def on_or_after(self, day: date) -> date | None:
        """The next working day; None after the year's end."""
        return next((one for one in self.days if one >= day), None)

    def evening(self, day: date) -> datetime:
        """When the clock of a working day stands: after closing, all of the day has happened."""
        return datetime.combine(day, time(17, 0), TOKYO)

    def moment(self, day: date, share: float) -> datetime:
        """A whole second within the hours of a day; `share` 0 opens, 1 closes."""
        start = datetime.combine(day, self.opens, TOKYO)
        hours = datetime.combine(day, self.closes, TOKYO) - start
        return start + timedelta(seconds=int(hours.total_seconds() * share))
