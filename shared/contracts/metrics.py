"""Events of metrics: the small inputs behind indicators II and III."""

from datetime import date
from typing import Annotated

from .event import Event, Id, S, event


@event("survey.recorded")
class SurveyRecorded(Event):
    """Result of the 市民実感度調査: `positive` of `answered` say that somebody nearby would help."""

    TOPIC = "metrics"
    STREAM = "survey"
    survey: Id
    surveyed_on: Annotated[date, S]
    answered: Annotated[int, S]
    positive: Annotated[int, S]


@event("course.held")
class CourseHeld(Event):
    """An あいサポーター course; `completed` counts those who finished it."""

    TOPIC = "metrics"
    STREAM = "course"
    course: Id
    held_on: Annotated[date, S]
    completed: Annotated[int, S]
