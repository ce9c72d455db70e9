"""The つなぐシート in sections: each saved partial, in any order, by several people."""

from collections.abc import Iterable
from datetime import date
from typing import Annotated
from uuid import UUID

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    model_validator,
)

from shared.calendar import TOKYO
from shared.contracts import Event
from shared.contracts.codes import OneOf
from shared.contracts.intake import (
    HealthRecorded,
    InvolvedRecorded,
    LivingRecorded,
    PersonDescribed,
    PersonJoined,
    ReporterRecorded,
    SituationRecorded,
    UrgencyJudged,
    WorriesRecorded,
)
from shared.http import Call, Line, Text
from shared.ids import uuid7
from shared.problems import bad_input

from .common import Agency

MEIJI = 1868
Phone = Annotated[str, StringConstraints(pattern=r"^[0-9+() -]{3,30}$")]


def _there_is_such_a_day(text: str) -> str:
    year, month, day = (*map(int, text.split("-")), 1, 1)[:3]
    try:
        date(year, month, day)
    except ValueError:
        raise ValueError("there is no such day / その日付はありません") from None
    if year < MEIJI:
        raise ValueError("before 明治元年 (1868) / 明治元年(1868年)より前です")
    return text


PartialDate = Annotated[
    str,
    StringConstraints(pattern=r"^[0-9]{4}(-[0-9]{2}(-[0-9]{2})?)?$"),
    AfterValidator(_there_is_such_a_day),
]
"""YYYY, YYYY-MM or YYYY-MM-DD: as much as is known (GIF DS-441)."""
NotTo = Annotated[list[Agency], Field(max_length=70)]


class Part(BaseModel):
    model_config = ConfigDict(extra="forbid")

    def events(self, case: UUID) -> list[Event]:
        raise NotImplementedError


class Person(Part):
    """One member of the household; everything but the relation may stay unknown."""

    id: UUID = Field(default_factory=uuid7)
    relation: Annotated[str, *OneOf("relation")] = "self"
    name: Line | None = None
    kana: Line | None = None
    common_name: Line | None = None
    former_name: Line | None = None
    sex: Annotated[str, *OneOf("sex")] | None = None
    gender: Line | None = None
    birth: PartialDate | None = None
    address: Line | None = None
    phone: Phone | None = None
    living_with: list[Annotated[str, *OneOf("relation")]] | None = Field(None, max_length=20)
    not_to: NotTo = []

    def events(self, case: UUID) -> list[Event]:
        described = self.model_dump(exclude={"id", "relation"})
        return [
            PersonJoined(case=case, person=self.id, relation=self.relation),
            PersonDescribed(case=case, person=self.id, **described),
        ]


class Situation(Part):
    """The short summary of one person that can be shared, class by class (L4)."""

    person: UUID
    health: Text | None = None
    work: Text | None = None
    money: Text | None = None
    welfare_use: Text | None = None
    history: Text | None = None
    source: Annotated[str, *OneOf("source")] = "person"
    matter: UUID | None = None
    not_to: NotTo = []

    @model_validator(mode="after")
    def _from_meeting(self) -> "Situation":
        if (self.source == "meeting") != (self.matter is not None):
            raise ValueError(
                "source meeting and its matter go together / 会議と事案は一緒に指定します"
            )
        return self

    def events(self, case: UUID) -> list[Event]:
        return [SituationRecorded(case=case, **self.model_dump())]

    def texts(self) -> str:
        found = (self.health, self.work, self.money, self.welfare_use, self.history)
        return "\n".join(text for text in found if text)


class Living(Part):
    person: UUID
    work: Annotated[str, *OneOf("work")] | None = None
    housing: Annotated[str, *OneOf("housing")] | None = None
    insurance: Annotated[str, *OneOf("insurance")] | None = None
    pension: Annotated[str, *OneOf("pension")] | None = None
    income: Line | None = None
    not_to: NotTo = []

    def events(self, case: UUID) -> list[Event]:
        return [LivingRecorded(case=case, **self.model_dump())]


class Health(Part):
    person: UUID
    handbooks: list[Annotated[str, *OneOf("handbook")]] | None = Field(None, max_length=4)
    care_level: Annotated[str, *OneOf("care_level")] | None = None
    illness: Line | None = None
    clinic: Line | None = None
    not_to: NotTo = []

    def events(self, case: UUID) -> list[Event]:
        return [HealthRecorded(case=case, **self.model_dump())]


class Worries(Part):
    """◎ is `main_concern`, ○ the others. Free text is about the household unless subjects say so."""

    subjects: list[UUID] = Field([], max_length=20)
    concerns: list[Annotated[str, *OneOf("concern")]] = Field([], max_length=16)
    main_concern: Annotated[str, *OneOf("concern")] | None = None
    text: Text | None = None
    wishes: Text | None = None

    def events(self, case: UUID) -> list[Event]:
        return [WorriesRecorded(case=case, **self.model_dump())]


class Involved(Part):
    """Agencies that help already, in the words of who tells it."""

    subjects: list[UUID] = Field([], max_length=20)
    agencies: list[Line] = Field(min_length=1, max_length=30)

    def events(self, case: UUID) -> list[Event]:
        return [InvolvedRecorded(case=case, **self.model_dump())]


class Urgency(Part):
    urgency: Annotated[str, *OneOf("urgency")]
    reason: Text | None = None

    def events(self, case: UUID) -> list[Event]:
        return [UrgencyJudged(case=case, **self.model_dump())]


class Reporter(Part):
    """Who told, by which way; seen by the receiving desk and named officers only (L22)."""

    route: Annotated[str, *OneOf("route")] | None = None
    relation: Annotated[str, *OneOf("relation")] | None = None
    name: Line | None = None
    phone: Phone | None = None

    def events(self, case: UUID) -> list[Event]:
        return [ReporterRecorded(case=case, **self.model_dump())]


def check(call: Call, part: Part) -> None:
    """422 for what the model cannot know: the caller's own agency, today."""
    if call.who.agency in getattr(part, "not_to", ()):
        raise bad_input(
            "body.not_to", "you record it, so you hold it / 記録する機関は指定できません"
        )
    if isinstance(part, Person):
        not_to_come(call, [part.birth], "body.person.birth")


def not_to_come(call: Call, days: Iterable[str | None], field: str) -> None:
    """422 for a partial date that lies in the future, as far as it is known."""
    today = call.now().astimezone(TOKYO).date().isoformat()
    if any(day > today[: len(day)] for day in days if day):
        raise bad_input(field, "lies in the future / 未来の日付です")
