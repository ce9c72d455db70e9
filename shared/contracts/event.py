"""What an event is: its base class, the three declarations of a field, the registry of types."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, NamedTuple, TypeVar
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, ConfigDict, GetCoreSchemaHandler, StringConstraints
from pydantic_core import CoreSchema, core_schema

if TYPE_CHECKING:
    from pydantic._internal._model_construction import ModelMetaclass
else:
    ModelMetaclass = type(BaseModel)

TYPE_PREFIX = "jp.tsunagu."

Consentable = Literal[
    "contact", "health_disability", "work_school", "money", "welfare_use", "life_history"
]
DataClass = Literal[
    "contact",
    "health_disability",
    "work_school",
    "money",
    "welfare_use",
    "life_history",
    "judgement",
    "reporter",
    "sealed",
]
CONSENTABLE: tuple[Consentable, ...] = (
    "contact",
    "health_disability",
    "work_school",
    "money",
    "welfare_use",
    "life_history",
)


class Unreadable:
    """A sealed value that stays shut here. A value, not an error."""

    __slots__ = ("why",)

    def __init__(self, why: str) -> None:
        self.why = why

    def __repr__(self) -> str:
        return f"<{self.why}>"


def readable(value: Any) -> Any:
    """The value as it is shown: None where it stays shut or its key was destroyed."""
    return None if isinstance(value, Unreadable) else value


ERASED = Unreadable("erased")
"""The key was destroyed: the person's right to be forgotten was carried out."""
SHUT = Unreadable("shut")
"""This service holds no right to the key (metrics opens codes only)."""


@dataclass(frozen=True)
class Structural:
    """Clear on the bus: ids, times, versions, agency codes. Says nothing of a person."""


@dataclass(frozen=True)
class _Sealed:
    data_class: DataClass

    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        """As declared; a value that is opened may be Unreadable instead."""
        inner, unreadable = handler(source), core_schema.is_instance_schema(Unreadable)
        either = core_schema.union_schema([inner, unreadable], mode="left_to_right")
        return core_schema.json_or_python_schema(inner, either)

    @property
    def key(self) -> tuple[str, str]:
        """Kind of the key under which it is sealed, and the field that names whose it is."""
        raise NotImplementedError

    def key_id(self, values: Mapping[str, Any]) -> str:
        kind, field = self.key
        return f"{kind}/{values[field]}"


@dataclass(frozen=True)
class Coded(_Sealed):
    """A value of a closed list, sealed under the codes key of the case (or what `owner` names)."""

    owner: str = "case"

    @property
    def key(self) -> tuple[str, str]:
        return "codes", self.owner


@dataclass(frozen=True)
class Personal(_Sealed):
    """Personal content, sealed under the key of the person in field `of`, else of the household of
    the case (or what `owner` names).
    """

    of: str | None = None
    owner: str = "case"

    @property
    def key(self) -> tuple[str, str]:
        return ("person", self.of) if self.of else ("text", self.owner)


Declaration = Structural | Coded | Personal

S = Structural()
CaseId = Annotated[UUID, S]
PersonId = Annotated[UUID, S]
Id = Annotated[UUID, S]
AGENCY, SUBJECT = r"^[a-z0-9-]{1,60}$", r"^[A-Za-z0-9._:@-]{1,120}$"
"""What the code of an agency, a desk or a programme looks like, and the name of a person who acts."""
AgencyCode = Annotated[str, StringConstraints(pattern=AGENCY), S]
Agencies = Annotated[tuple[AgencyCode, ...], S]
People = Annotated[tuple[PersonId, ...], S]
Subject = Annotated[str, StringConstraints(pattern=SUBJECT), S]
Moment = Annotated[AwareDatetime, S]


class _Plain(ModelMetaclass):
    """Classes that nobody registers with: `match` asks for the class of an event many times, and an
    abstract one answers in Python, ten times slower.
    """

    __instancecheck__ = type.__instancecheck__


class Event(BaseModel, metaclass=_Plain):
    """A fact that happened. Readers ignore fields that they do not know yet."""

    model_config = ConfigDict(frozen=True, extra="ignore", arbitrary_types_allowed=True)
    TYPE: ClassVar[str]
    TOPIC: ClassVar[str]
    STREAM: ClassVar[str]
    """The kind of stream, `case` in `case/<uuid>`."""
    FORMERLY: ClassVar[str | None] = None
    """The kind of stream on which it stood once; those of then stand there still."""
    SLOT: ClassVar[str | None] = None
    """Newest value replaces older ones of the same slot; None: each event stands beside others."""


EVENTS: dict[str, type[Event]] = {}
UPCASTS: dict[str, Callable[[dict[str, Any]], tuple[str, dict[str, Any]]]] = {}
"""Old type → (newer type, its data). Pure; chained until the type is in EVENTS."""


E = TypeVar("E", bound=type[Event])


def event(name: str, version: int = 1) -> Callable[[E], E]:
    """Register an event type: `event("case.opened")` makes `jp.tsunagu.case.opened.v1`."""

    def register(model: E) -> E:
        model.TYPE = f"{TYPE_PREFIX}{name}.v{version}"
        EVENTS[model.TYPE] = model
        return model

    return register


@cache
def declared(model: type[Event]) -> dict[str, Declaration]:
    """The one declaration of each field; TypeError names a field that has none or two."""
    found: dict[str, Declaration] = {}
    for name, info in model.model_fields.items():
        marks = [m for m in info.metadata if isinstance(m, Structural | Coded | Personal)]
        if len(marks) != 1:
            raise TypeError(f"{model.__name__}.{name}: exactly one declaration, found {marks}")
        found[name] = marks[0]
    return found


@cache
def sealed_fields(model: type[Event]) -> dict[str, Coded | Personal]:
    return {n: d for n, d in declared(model).items() if not isinstance(d, Structural)}


class Envelope(NamedTuple):
    """Everything about an event but its content. `at` is recorded, `occurred_at` valid time."""

    id: UUID
    stream: str
    version: int
    key: str
    type: str
    at: datetime
    occurred_at: datetime
    actor: str
    agency: str
    correlation: UUID
    basis: str | None = None
    causation: UUID | None = None
    traceparent: str | None = None


class Recorded(NamedTuple):
    """An event as read back: opened content beside the wire form it was read from."""

    event: Event
    envelope: Envelope
    wire: dict[str, Any]
