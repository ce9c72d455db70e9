"""Whatever is asked of a stream of intake, in whatever order: it is done, or refused with a reason."""

import inspect
import re
import types
from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from datetime import UTC, date, datetime, timedelta
from importlib import import_module
from pkgutil import iter_modules
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints
from uuid import UUID

import pytest
from hypothesis import given as for_all
from hypothesis import settings
from hypothesis import strategies as st
from pydantic import AwareDatetime, BaseModel, ValidationError

from services.intake import domain
from shared.contracts import Event
from shared.contracts.intake import TransferProposed
from shared.decider import Refused

START = datetime(2026, 4, 1, tzinfo=UTC)
DECIDERS = {
    found.name: module
    for found in iter_modules(domain.__path__)
    if hasattr(module := import_module(f"{domain.__name__}.{found.name}"), "DECIDER")
}
ENDED = {"case": ("disposed",), "consent": ("ended",), "basis": ("ended",), "merge": ("undone",)}
PLAIN: dict[Any, st.SearchStrategy[Any]] = {
    UUID: st.sampled_from([UUID(int=n) for n in (1, 2)]),
    str: st.sampled_from(("city", "care")),
    bool: st.booleans(),
    int: st.integers(0, 3),
    float: st.floats(0, 1),
    bytes: st.just(b""),
    datetime: st.sampled_from([START + timedelta(days=n) for n in (0, 10, 20)]),
    date: st.sampled_from([START.date() + timedelta(days=n) for n in (0, 10, 20)]),
    type(None): st.none(),
}
"""Few values each, so that commands often speak of the same."""


def valid(kind: Any) -> st.SearchStrategy[Any]:
    """Values of a type: of dataclasses and events too."""
    origin, args = get_origin(kind), get_args(kind)
    if kind is AwareDatetime:
        return PLAIN[datetime]
    if kind in PLAIN:
        return PLAIN[kind]
    if origin is Annotated:
        return valid(args[0])
    if origin in (Union, types.UnionType):
        return st.one_of([valid(arg) for arg in args])
    if origin is Literal:
        return st.sampled_from(args)
    if origin in (tuple, list, set, frozenset):
        return st.lists(valid(args[0]), max_size=3).map(origin)
    if kind is Event:
        return st.nothing()
    if is_dataclass(kind):
        hints = get_type_hints(kind)
        return st.builds(kind, **{field.name: valid(hints[field.name]) for field in fields(kind)})
    if inspect.isclass(kind) and issubclass(kind, BaseModel):
        if kind.__subclasses__() and not hasattr(kind, "TYPE"):
            return st.one_of([valid(sub) for sub in kind.__subclasses__()])
        hints = get_type_hints(kind, include_extras=False)
        parts = {name: valid(hints[name]) for name in kind.model_fields}
        return st.fixed_dictionaries(parts).map(lambda known: made(kind, known))
    raise TypeError(f"{kind}: say how it is drawn")


def made(kind: type[BaseModel], known: dict[str, Any]) -> Any:
    """An event that its own rules refuse could not be decided on: the plain one stands for it."""
    if kind is TransferProposed:
        known["successors"] = ("care",) * len(known["cases"])
    try:
        return kind.model_validate(known)
    except ValidationError:
        return kind.model_construct(**known)


def commands(name: str) -> st.SearchStrategy[Any]:
    if name == "case":
        sheet = [kind for kind in all_events() if kind.TYPE.startswith("jp.tsunagu.case.")]
        PLAIN[tuple[Event, ...]] = st.lists(st.one_of(map(valid, sheet)), max_size=3).map(tuple)
    return valid(get_type_hints(DECIDERS[name].decide)["command"])


def all_events() -> Iterator[type[Event]]:
    from shared.contracts import EVENTS

    return iter(EVENTS.values())


@pytest.mark.parametrize("name", DECIDERS)
def test_it_is_done_or_refused_and_the_state_is_that_of_its_events(name: str) -> None:
    decider, known = DECIDERS[name].DECIDER, getattr(DECIDERS[name], "ALLOWED", None)
    some, done = commands(name), set()

    @settings(max_examples=60)
    @for_all(st.lists(some, min_size=4, max_size=12))
    def sequence(asked: list[Any]) -> None:
        events: list[Event] = []
        reasons: set[str] = set()
        state = decider.initial
        for command in asked:
            status = getattr(state, "status", None)
            before = repr(state)
            try:
                written = list(decider.decide(state, command))
            except Refused as refusal:
                written, reasons = [], {*reasons, refusal.reason}
            else:
                ended = status in ENDED.get(name, ())
                assert not (ended and written), (status, command)
                assert list(decider.decide(state, command)) == written, "pure: the same again"
            assert repr(state) == before, "what is decided on does not change"
            done.update(type(event) for event in written)
            events += written
            for event in written:
                state = decider.evolve(state, event)
            assert state == decider.fold(events)
            if known and getattr(state, "status", None) is not None:
                assert state.status in known, state
        assert all(re.fullmatch("[a-z_-]+", reason) for reason in reasons)

    sequence()
    assert done
