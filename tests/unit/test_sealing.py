"""Sealing: what goes in comes out, or is erased, shut, poison, or waits for the keyring; nothing else."""

import hashlib
from base64 import b64decode, b64encode
from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from hypothesis import given
from hypothesis import strategies as st

from shared.contracts import (
    ERASED,
    SHUT,
    UPCASTS,
    Envelope,
    Event,
    Recorded,
    Unreadable,
    sealed_fields,
)
from shared.contracts.codes import labels
from shared.contracts.intake import CaseScreened, ContactRecorded, PersonDescribed, WorriesRecorded
from shared.sealing import PAD, Codec, ErasedKey, Poison, bound_to, named, placed, upcast
from tests.contracts.goldens import FixedKeyring

CASE, HANA = UUID(int=1), UUID(int=2)
CODES, TEXT, PERSON = f"codes/{CASE}", f"text/{CASE}", f"person/{HANA}"
KEYS = {name: hashlib.sha256(name.encode()).digest() for name in (CODES, TEXT, PERSON)}
HERE = PersonDescribed(case=CASE, person=HANA, name="𠮷田 葛󠄀花", sex="female")
WORDS = st.text(st.characters(codec="utf-8"))


def envelope(event: Event) -> Envelope:
    at = datetime(2026, 5, 1, tzinfo=UTC)
    return Envelope(
        id=UUID(int=9), stream=f"case/{CASE}", version=1, key=str(CASE), type=event.TYPE, at=at,
        occurred_at=at, actor="tanaka", agency="city-fukushi", correlation=UUID(int=10),
    )  # fmt: skip


def codec(**instead: bytes | Unreadable) -> Codec:
    known: dict[str, bytes | Unreadable] = {**KEYS}
    for name, key in instead.items():
        known |= {key_id: key for key_id in KEYS if key_id.startswith(name)}
    return Codec(FixedKeyring(known))


async def seal(event: Event, by: Codec | None = None) -> dict[str, Any]:
    (wire,) = await (by or codec()).seal([(event, envelope(event))])
    return wire


async def open_(event: Event, wire: dict[str, Any], by: Codec | None = None) -> Recorded | Poison:
    (found,) = await (by or codec()).open([(envelope(event), wire)])
    return found


@given(name=st.none() | WORDS, living_with=st.none() | st.lists(WORDS).map(tuple))
async def test_what_is_sealed_opens(name: str | None, living_with: tuple[str, ...] | None) -> None:
    event = PersonDescribed(case=CASE, person=HANA, name=name, living_with=living_with)
    found = await open_(event, await seal(event))
    assert isinstance(found, Recorded)
    assert found.event == event


@given(WORDS.filter(lambda text: len(text) > 3))
async def test_nothing_of_it_stands_in_the_wire_form(text: str) -> None:
    event = ContactRecorded(record=UUID(int=3), case=CASE, method="visit", text=text)
    wire = await seal(event)
    raw = b64decode(wire["text"])
    assert text.encode() not in raw
    assert (len(raw) - 12 - 16) % PAD == 0


async def test_the_length_of_a_sealed_code_tells_nothing() -> None:
    wires = [await seal(CaseScreened(case=CASE, outcome=code)) for code in labels("screening")]
    assert len({wire["outcome"] for wire in wires}) > 1
    assert len({len(wire["outcome"]) for wire in wires}) == 1


async def test_the_same_value_never_looks_the_same() -> None:
    assert (await seal(HERE))["name"] != (await seal(HERE))["name"]


async def test_what_is_not_known_stays_empty() -> None:
    wire = await seal(HERE)
    assert wire["phone"] is None
    assert wire["person"] == str(HANA)
    assert wire["not_to"] == []


async def test_each_field_has_the_key_of_its_declaration() -> None:
    """Codes stay with the case, a person's words with the person, the rest with the household."""
    event = WorriesRecorded(case=CASE, concerns=("care",), text="眠れない")
    wire = await seal(event)
    found = await open_(event, wire, codec(text=ERASED))
    assert isinstance(found, Recorded)
    values = vars(found.event)
    assert (values["text"], values["concerns"]) == (ERASED, ("care",))


async def test_an_erased_person_leaves_the_codes() -> None:
    found = await open_(HERE, await seal(HERE), codec(person=ERASED))
    assert isinstance(found, Recorded)
    values = vars(found.event)
    assert (values["name"], values["sex"]) == (ERASED, "female")
    assert found.wire["name"] is not None


async def test_who_may_not_open_gets_a_value_not_an_error() -> None:
    found = await open_(HERE, await seal(HERE), codec(person=SHUT, text=SHUT))
    assert isinstance(found, Recorded)
    values = vars(found.event)
    assert (values["name"], values["sex"]) == (SHUT, "female")


async def test_nothing_more_is_written_of_an_erased_person() -> None:
    with pytest.raises(ErasedKey):
        await seal(HERE, codec(person=ERASED))


async def test_a_missing_key_is_poison_for_its_event_only() -> None:
    other = CaseScreened(case=CASE, outcome="multi_agency_request")
    rows = [(envelope(e), await seal(e)) for e in (HERE, other)]
    without = FixedKeyring({CODES: KEYS[CODES]})
    lost, found = await Codec(without).open(rows)
    assert isinstance(lost, Poison)
    assert isinstance(found, Recorded)
    assert found.event == other


async def test_an_unreachable_keyring_is_no_poison() -> None:
    """It waits: the error goes up to whoever can try again."""

    class Away(FixedKeyring):
        def __init__(self) -> None:
            super().__init__({})

        async def fetch(
            self, ids: Iterable[str], *, make: bool = False
        ) -> dict[str, AESGCM | Unreadable]:
            raise ConnectionRefusedError

    wire = await seal(HERE)
    with pytest.raises(ConnectionRefusedError):
        await open_(HERE, wire, Codec(Away()))
    with pytest.raises(ConnectionRefusedError):
        await seal(HERE, Codec(Away()))


@pytest.mark.parametrize(
    "value",
    ["", "AAAA", "not base64!", "名前", 5, True, [], ["AAAA"], {}, b64encode(b"x" * 200).decode()],
    ids=repr,
)
async def test_anything_else_in_a_sealed_field_is_poison(value: Any) -> None:
    wire = await seal(HERE)
    assert isinstance(await open_(HERE, {**wire, "name": value}), Poison)


@pytest.mark.parametrize("field", ["case", "person"])
@pytest.mark.parametrize("value", [None, "", "x", 5, [], str(UUID(int=77))], ids=repr)
async def test_a_wrong_structural_field_is_poison(field: str, value: Any) -> None:
    wire = await seal(HERE)
    assert isinstance(await open_(HERE, {**wire, field: value}), Poison)
    assert isinstance(await open_(HERE, {k: v for k, v in wire.items() if k != field}), Poison)


async def test_an_unknown_type_is_poison() -> None:
    strange = envelope(HERE)._replace(type="jp.tsunagu.case.abducted.v1")
    (found,) = await codec().open([(strange, await seal(HERE))])
    assert isinstance(found, Poison)
    assert "unknown event type" in str(found)


async def test_poison_says_where_and_never_what() -> None:
    loose: dict[str, Any] = {"case": CASE, "person": HANA, "name": ["秘密"], "not_to": ()}
    event = PersonDescribed.model_construct(**loose)
    found = await open_(event, await seal(event))
    assert isinstance(found, Poison)
    assert "name" in str(found)
    assert "秘密" not in str(found)


async def test_one_bad_record_leaves_the_others_and_their_order() -> None:
    good = await seal(HERE)
    rows = [(envelope(HERE), wire) for wire in (good, {**good, "name": "AAAA"}, {}, good)]
    found = await codec().open(rows)
    assert [type(one) for one in found] == [Recorded, Poison, Poison, Recorded]


async def test_nothing_to_open_needs_no_keyring() -> None:
    assert await Codec(FixedKeyring({})).open([]) == []
    assert await Codec(FixedKeyring({})).seal([]) == []


def test_associated_data_differ_wherever_anything_differs() -> None:
    mark = sealed_fields(PersonDescribed)["name"]
    own = envelope(HERE)
    all_of_it = {
        bound_to(named(own), placed("name", mark), PERSON),
        bound_to(named(own._replace(id=UUID(int=99))), placed("name", mark), PERSON),
        bound_to(named(own._replace(stream=f"case/{HANA}")), placed("name", mark), PERSON),
        bound_to(named(own._replace(version=2)), placed("name", mark), PERSON),
        bound_to(
            named(own._replace(type="jp.tsunagu.case.other.v1")), placed("name", mark), PERSON
        ),
        bound_to(named(own), placed("kana", mark), PERSON),
        bound_to(named(own), placed("name", replace(mark, data_class="money")), PERSON),
        bound_to(named(own), placed("name", mark), TEXT),
    }
    assert len(all_of_it) == 8


def test_old_types_are_lifted_step_by_step(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(
        UPCASTS, "jp.tsunagu.case.closed.v0", lambda data: ("jp.tsunagu.case.ended.v1", data)
    )
    monkeypatch.setitem(
        UPCASTS,
        "jp.tsunagu.case.ended.v1",
        lambda data: (CaseScreened.TYPE, {**data, "note": None}),
    )
    model, data = upcast("jp.tsunagu.case.closed.v0", {"case": str(CASE), "outcome": "x"})
    assert model is CaseScreened
    assert data == {"case": str(CASE), "outcome": "x", "note": None}
