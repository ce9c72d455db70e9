"""Ids: UUIDs of the standard library, made, read and written in C. A command tells a dozen of them."""

from collections.abc import Callable
from uuid import UUID

import uuid_utils
from asyncpg.pgproto.pgproto import UUID as Made

uuid_in: Callable[[str], UUID] = Made
"""Of 32 hexadecimal digits, with dashes or without. Raises ValueError."""


def uuid7() -> UUID:
    return Made(uuid_utils.uuid7().bytes)


def uuid8(told: bytes) -> UUID:
    """Of the first 16 of these bytes, as far as version and variant leave them."""
    made = bytearray(told[:16])
    made[6] = made[6] & 0x0F | 0x80
    made[8] = made[8] & 0x3F | 0x80
    return Made(bytes(made))
