"""Ids are what the standard library has under that name, whoever made them."""

import uuid

import uuid_utils.compat
from hypothesis import given
from hypothesis.strategies import binary
from pydantic import TypeAdapter

from shared.ids import uuid7, uuid8, uuid_in


def test_ids_are_in_the_order_in_which_they_were_made() -> None:
    made = [uuid7() for _ in range(1000)]
    assert sorted(made) == made
    assert {(one.version, one.variant) for one in made} == {(7, uuid.RFC_4122)}


@given(binary(min_size=16, max_size=64))
def test_the_name_of_a_command_is_that_of_its_bytes(told: bytes) -> None:
    parts = (told[:6], told[6:8], told[8:16])
    assert uuid8(told) == uuid_utils.compat.uuid8(*map(int.from_bytes, parts))


def test_one_equals_that_of_the_standard_library_and_is_found_by_it() -> None:
    other = uuid.uuid4()
    one = uuid_in(str(other))
    assert (one, str(one), one.int) == (other, str(other), other.int)
    assert {other: "there"}[one] == "there"
    assert TypeAdapter(uuid.UUID).validate_python(one) == other
