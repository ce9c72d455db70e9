"""Every event ever written opens for ever to the same values, and only as the event that it is."""

import random
from collections.abc import Iterator
from dataclasses import replace
from itertools import permutations
from typing import Annotated, Any
from uuid import uuid4

import pytest
from jsonschema import Draft202012Validator
from pydantic import create_model
from pydantic_core import to_jsonable_python

from shared.broker import event_message
from shared.contracts import (
    CONSENTABLE,
    ERASED,
    EVENTS,
    SHUT,
    UPCASTS,
    Coded,
    Envelope,
    Event,
    Personal,
    Recorded,
    Unreadable,
    sealed_fields,
)
from shared.sealing import Codec, Poison, wire_schema
from tests.contracts.goldens import FixedKeyring, Golden, goldens, shape

GOLDENS = goldens()
PRESENT = [one for one in GOLDENS if one.type in EVENTS]
WITH_SECRETS = [one for one in PRESENT if one.keys]


def named(found: list[Golden]) -> Any:
    return pytest.mark.parametrize("golden", [pytest.param(one, id=one.name) for one in found])


async def opened(
    golden: Golden,
    envelope: Envelope | None = None,
    value: dict[str, Any] | None = None,
    keyring: FixedKeyring | None = None,
) -> Recorded | Poison:
    codec = Codec(keyring or golden.keyring)
    (found,) = await codec.open([(envelope or golden.envelope, value or golden.value)])
    return found


def sealed_in(golden: Golden) -> Iterator[tuple[str, Coded | Personal]]:
    for field, mark in sealed_fields(EVENTS[golden.type]).items():
        if golden.value.get(field) is not None:
            yield field, mark


def test_every_event_has_a_golden_of_its_present_shape() -> None:
    """`python -m tests.contracts.make` adds what is missing here."""
    shapes = {type_: [one.shape for one in GOLDENS if one.type == type_] for type_ in EVENTS}
    assert [type_ for type_, model in EVENTS.items() if shape(model) not in shapes[type_]] == []


def test_no_type_ever_leaves() -> None:
    assert {one.type for one in GOLDENS} <= EVENTS.keys() | UPCASTS.keys()


@named(GOLDENS)
async def test_opens_to_the_same_values(golden: Golden) -> None:
    found = await opened(golden)
    assert isinstance(found, Recorded), found
    assert found.wire == golden.value
    if golden.type in EVENTS:
        values = to_jsonable_python(found.event)
        assert _as_of_its_day(values, golden.opened) == golden.opened


def _as_of_its_day(now: Any, then: Any) -> Any:
    """Less the optional fields that were added since, within values too."""
    if isinstance(now, dict) and isinstance(then, dict):
        return {name: _as_of_its_day(now[name], then[name]) for name in then}
    if isinstance(now, list) and isinstance(then, list) and len(now) == len(then):
        return [_as_of_its_day(one, other) for one, other in zip(now, then, strict=True)]
    return now


@named(GOLDENS)
def test_reads_and_writes_the_same_record(golden: Golden) -> None:
    message = event_message(golden.topic, golden.envelope, golden.value)
    headers = {name: value.decode() for name, value in message.headers}
    assert headers | golden.headers == headers
    assert message.key == golden.key.encode()


@named(PRESENT)
def test_fits_its_schema(golden: Golden) -> None:
    schema = wire_schema(EVENTS[golden.type])
    Draft202012Validator.check_schema(schema)
    Draft202012Validator(schema).validate(golden.value)


@named(PRESENT)
async def test_unknown_fields_are_ignored(golden: Golden) -> None:
    later = {"later": {"deep": [1]}, "another_secret": "c2VhbGVk"}
    found, before = await opened(golden, value={**golden.value, **later}), await opened(golden)
    assert isinstance(found, Recorded)
    assert isinstance(before, Recorded)
    assert found.event == before.event


@named(WITH_SECRETS)
async def test_a_sealed_value_opens_in_its_own_event_only(golden: Golden) -> None:
    own = golden.envelope
    for other in (
        own._replace(id=uuid4()),
        own._replace(stream=own.stream[:-1] + "f"),
        own._replace(version=own.version + 1),
    ):
        assert isinstance(await opened(golden, other), Poison)


@named(WITH_SECRETS)
async def test_a_sealed_value_is_bound_to_its_type(
    golden: Golden, monkeypatch: pytest.MonkeyPatch
) -> None:
    twin = "jp.tsunagu.test.twin.v1"
    monkeypatch.setitem(UPCASTS, twin, lambda data: (golden.type, data))
    found = await opened(golden, golden.envelope._replace(type=twin))
    assert isinstance(found, Poison)
    assert "does not belong" in str(found)


@named(WITH_SECRETS)
async def test_a_sealed_value_is_bound_to_its_field(golden: Golden) -> None:
    for (one, _), (other, _) in permutations(sealed_in(golden), 2):
        swapped = {**golden.value, one: golden.value[other]}
        assert isinstance(await opened(golden, value=swapped), Poison)


@named(WITH_SECRETS)
async def test_a_sealed_value_is_bound_to_its_class(
    golden: Golden, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = EVENTS[golden.type]
    for field, mark in sealed_in(golden):
        other = next(name for name in CONSENTABLE if name != mark.data_class)
        _redeclared(monkeypatch, model, field, replace(mark, data_class=other))
        assert "does not belong" in str(await opened(golden)), field


@named(WITH_SECRETS)
async def test_a_sealed_value_is_bound_to_its_key(
    golden: Golden, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Even where the key itself is the same: the name of the key is bound as well."""
    model = EVENTS[golden.type]
    keyring = golden.keyring
    for field, mark in sealed_in(golden):
        key = keyring.keys[mark.key_id(golden.value)]
        for kind in (Personal, Coded):
            other = kind(mark.data_class, owner=mark.owner)
            if type(other) is not type(mark) or other != mark:
                _redeclared(monkeypatch, model, field, other)
                keys = {**keyring.keys, other.key_id(golden.value): key}
                found = await opened(golden, keyring=FixedKeyring(keys))
                assert "does not belong" in str(found), field


@named(WITH_SECRETS)
async def test_a_changed_bit_is_poison(golden: Golden) -> None:
    chance = random.Random(golden.name)
    for field, _ in sealed_in(golden):
        text = golden.value[field]
        place = chance.randrange(len(text) - 4)
        other = "A" if text[place] != "A" else "B"
        changed = {**golden.value, field: text[:place] + other + text[place + 1 :]}
        assert isinstance(await opened(golden, value=changed), Poison)


@named(WITH_SECRETS)
@pytest.mark.parametrize("shut", [ERASED, SHUT], ids=repr)
async def test_what_stays_shut_is_a_value(golden: Golden, shut: Unreadable) -> None:
    found = await opened(golden, keyring=FixedKeyring(dict.fromkeys(golden.keys, shut)))
    assert isinstance(found, Recorded)
    for field, _ in sealed_in(golden):
        assert getattr(found.event, field) is shut


@named(WITH_SECRETS)
def test_nothing_sealed_stands_in_clear(golden: Golden) -> None:
    record = repr(event_message(golden.topic, golden.envelope, golden.value))
    for field, _ in sealed_in(golden):
        for text in _texts(golden.opened[field]):
            assert len(text) < 4 or text not in record, field


@named(WITH_SECRETS)
def test_sealed_codes_have_one_length(golden: Golden) -> None:
    """Its length would tell the code."""
    lengths = {
        len(golden.value[field])
        for field, mark in sealed_in(golden)
        if isinstance(mark, Coded) and len(repr(golden.opened[field])) < 60
    }
    assert len(lengths) <= 1


def test_difficult_characters_survive() -> None:
    """𠮷 takes four bytes in UTF-8; 葛󠄀 and 辻󠄀 are two code points each; nothing is normalised."""
    (golden,) = (one for one in GOLDENS if one.name == "jp.tsunagu.case.person_described.v1.1")
    assert golden.opened["name"] == "\U00020bb7田 \u845b\U000e0100花"
    assert golden.opened["address"] == "生駒市\U00029e3d町\u8fbb\U000e01001-2 \u9ad9﨑方"


def _redeclared(
    monkeypatch: pytest.MonkeyPatch, model: type[Event], field: str, mark: Coded | Personal
) -> None:
    """The same event with another declaration of one field."""
    default = model.model_fields[field].default
    fields: dict[str, Any] = {field: (Annotated[Any, mark], default)}
    monkeypatch.setitem(EVENTS, model.TYPE, create_model("Twin", __base__=model, **fields))


def _texts(value: Any) -> list[str]:
    return [str(value)] if isinstance(value, str | int) else list(value)
