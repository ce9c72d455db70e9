"""HTTP of metrics: the two small inputs in, indicators and running figures out."""

from datetime import date
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel, Field, model_validator

from shared.calendar import TOKYO, fiscal_year
from shared.contracts.metrics import CourseHeld, SurveyRecorded
from shared.http import Body, Call, Caller, PathId, Receipt, Route, to_uuid
from shared.ids import uuid7
from shared.problems import bad_input, not_found

from . import view
from .domain import entry
from .domain.indicator import Indicator, Number, Running, indicators, running

router = APIRouter(tags=["metrics"], route_class=Route)

WRITERS = ("planner", "coordinator")
READERS = ("planner", "coordinator", "supervisor", "intake_worker", "operator")
MOST = 1_000_000


class NewSurvey(Body):
    """`positive` of `answered` said that somebody nearby would help (市民実感度調査)."""

    surveyed_on: date
    answered: int = Field(ge=1, le=MOST)
    positive: int = Field(ge=0, le=MOST)

    @model_validator(mode="after")
    def _of_those_who_answered(self) -> "NewSurvey":
        if self.positive > self.answered:
            raise ValueError("positive is more than answered / 肯定数が回答数より多いです")
        return self


class NewCourse(Body):
    """An あいサポーター course and how many completed it."""

    held_on: date
    completed: int = Field(ge=0, le=MOST)


class SurveyShown(BaseModel):
    id: UUID
    surveyed_on: date
    answered: int
    positive: int


class CourseShown(BaseModel):
    id: UUID
    held_on: date
    completed: int


class IndicatorShown(BaseModel):
    """`value` null: nothing is known for that year. `base` and `target` are the plan's.

    `by_kind` shows a sitting under each body that it served (so its sum may be higher than the
    value), `combined` how many served several. `confirmed` false: 要確認, the city has not agreed
    to the counting rule yet.
    """

    id: str
    code: str
    name: str
    definition: str
    unit: str
    fiscal_year: int
    value: Number | None
    base: Number
    target: Number
    target_fiscal_year: int
    by_kind: dict[str, int] | None = None
    combined: int | None = None
    confirmed: bool


class Figures(BaseModel):
    """Running figures of the year; see `services.metrics.view.Year` for what each one means."""

    contacts: int
    records: dict[str, dict[str, int]]
    cases_opened: int
    cases_open: int
    referrals: dict[str, int]
    median_days_request_to_start: float | None
    meetings: dict[str, int]


class IndicatorsShown(BaseModel):
    """`running`: how figures are counted that are not the plan's."""

    fiscal_year: int
    indicators: list[IndicatorShown]
    figures: Figures
    running: list[Running]


async def writer(call: Caller) -> Call:
    call.need(*WRITERS)
    return call


async def reader(call: Caller) -> Call:
    call.need(*READERS)
    return call


Writer = Annotated[Call, Depends(writer)]
Reader = Annotated[Call, Depends(reader)]
FiscalYear = Annotated[int | None, Query(ge=1990, le=2200)]


@router.post("/v1/surveys", status_code=201)
async def record_survey(call: Writer, body: NewSurvey) -> Receipt:
    id = uuid7()
    event = SurveyRecorded(survey=id, **body.model_dump(exclude={"occurred_at"}))

    async def check() -> None:
        _not_ahead(call, "body.surveyed_on", body.surveyed_on)

    return await call.handle(
        entry.DECIDER,
        f"survey/{id}",
        str(id),
        event,
        body,
        check=check,
        location="/v1/surveys/{id}",
    )


@router.get("/v1/surveys/{id}")
async def get_survey(id: PathId, call: Reader) -> SurveyShown:
    event = await _written(call, f"survey/{to_uuid(id)}")
    assert isinstance(event, SurveyRecorded)
    return SurveyShown(id=event.survey, **event.model_dump(exclude={"survey"}))


@router.post("/v1/courses", status_code=201)
async def record_course(call: Writer, body: NewCourse) -> Receipt:
    id = uuid7()
    event = CourseHeld(course=id, **body.model_dump(exclude={"occurred_at"}))

    async def check() -> None:
        _not_ahead(call, "body.held_on", body.held_on)

    return await call.handle(
        entry.DECIDER,
        f"course/{id}",
        str(id),
        event,
        body,
        check=check,
        location="/v1/courses/{id}",
    )


@router.get("/v1/courses/{id}")
async def get_course(id: PathId, call: Reader) -> CourseShown:
    event = await _written(call, f"course/{to_uuid(id)}")
    assert isinstance(event, CourseHeld)
    return CourseShown(id=event.course, **event.model_dump(exclude={"course"}))


@router.get("/v1/indicators")
async def list_indicators(call: Reader, fiscal_year: FiscalYear = None) -> IndicatorsShown:
    """All three and the running figures, of this fiscal year if none is named."""
    shown = fiscal_year or _this_year(call)
    year = await view.year(call.rt.reads, shown)
    return IndicatorsShown(
        fiscal_year=shown,
        indicators=[_shown(one, shown, year) for one in indicators().values()],
        figures=Figures(
            contacts=year.contacts,
            records=year.records,
            cases_opened=year.cases_opened,
            cases_open=year.cases_open,
            referrals=year.referrals,
            median_days_request_to_start=year.days,
            meetings=year.meetings,
        ),
        running=list(running()),
    )


@router.get("/v1/indicators/{id}")
async def get_indicator(id: str, call: Reader, fiscal_year: FiscalYear = None) -> IndicatorShown:
    if id not in indicators():
        raise not_found()
    shown = fiscal_year or _this_year(call)
    return _shown(indicators()[id], shown, await view.year(call.rt.reads, shown))


def _shown(plan: Indicator, fiscal_year: int, year: view.Year) -> IndicatorShown:
    shown = IndicatorShown(
        fiscal_year=fiscal_year,
        value=None,
        **plan.model_dump(exclude={"counting"}),
    )
    match plan.id:
        case "I":
            counted = view.counted(fiscal_year)
            shown.value = year.sittings
            shown.by_kind = {code: n for code, n in year.meetings.items() if code in counted}
            shown.combined = year.combined
        case "II":
            shown.value = year.share
        case "III":
            shown.value = plan.counting.opening_balance + year.completed
    return shown


def _this_year(call: Call) -> int:
    return fiscal_year(call.now())


async def _written(call: Call, stream: str) -> SurveyRecorded | CourseHeld:
    state: entry.Entry = (await call.load(stream)).fold(entry.DECIDER)
    if state.written is None:
        raise not_found()
    return state.written


def _not_ahead(call: Call, field: str, day: date) -> None:
    if day > call.now().astimezone(TOKYO).date():
        raise bad_input(field, "lies in the future / 未来の日付です")
