"""What the parts of the API share: codes, days of the city, who registers."""

import re
from collections.abc import Awaitable, Callable
from datetime import date, datetime, time, timedelta
from typing import Annotated

from fastapi import Depends
from pydantic import AfterValidator, Field, StringConstraints

from shared.calendar import TOKYO
from shared.contracts.event import AGENCY
from shared.http import Call, Caller
from shared.problems import bad_input

Agency = Annotated[str, StringConstraints(pattern=AGENCY)]
Day = Annotated[date, Field(ge=date(2000, 1, 1), le=date(2199, 12, 31))]
ONCE = AfterValidator(lambda values: list(dict.fromkeys(values)))
Check = Callable[[], Awaitable[None]]


async def operator(call: Caller) -> Call:
    call.need("operator")
    return call


OperatorDep = Annotated[Call, Depends(operator)]


def code_in_path(code: str) -> None:
    if not re.fullmatch(AGENCY, code):
        raise bad_input(
            "path.code", "use small letters, digits and dashes / 英小文字・数字・- です"
        )


async def taken(call: Call, stream: str) -> bool:
    """Whether that stream is in the journal: what bears its code is registered."""
    return bool((await call.load(stream)).version)


def first_moment(day: date) -> datetime:
    return datetime.combine(day, time(), TOKYO)


def after(day: date) -> datetime:
    """The moment at which this day is over."""
    return first_moment(day + timedelta(days=1))


def day_of(begins: datetime) -> date:
    return begins.astimezone(TOKYO).date()


def last_day(ends: datetime) -> date:
    """The last day before that moment."""
    return (ends.astimezone(TOKYO) - timedelta(microseconds=1)).date()
