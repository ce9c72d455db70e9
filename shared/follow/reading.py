"""Records as the events that they are, or as what they cannot be: a whole batch at once."""

import asyncio
from collections.abc import Sequence
from typing import Any

from pydantic_core import from_json

from shared.broker import BETWEEN, envelope_told, place_in, told_in
from shared.contracts import EVENTS, Envelope
from shared.sealing import BREATH, Codec, Poison
from shared.views import View

from .record import Read, Record

COMING = Read(Record("", 0, 0, None, None, ()), None, 0, None)
"""In the place of one that is being opened."""


async def read(codec: Codec, view: View, records: Sequence[Record]) -> list[Read]:
    """Each as what it is, or the Poison that it is. Of a type that the view does not read, and of what it
    knows already, only the place in its stream is looked at; a type that nobody knows may be read one
    day. Raises errors of the keyring. What else there is to do, the batch before this one, does not
    wait for all of it.
    """
    passed = frozenset[bytes]()
    if view.read is not None:
        passed = frozenset(name.encode() for name in EVENTS.keys() - view.read)
    reads: list[Read] = []
    for n in range(0, len(records), BREATH):
        reads += await _some(codec, view, passed, records[n : n + BREATH])
        await asyncio.sleep(0)
    return reads


async def _some(
    codec: Codec, view: View, passed: frozenset[bytes], records: Sequence[Record]
) -> list[Read]:
    known, kept = view.known, view.kept
    reads: list[Read] = []
    sealed: list[tuple[Envelope, dict[str, Any]]] = []
    ready: list[tuple[int, Record, bytes | None]] = []
    for record in records:
        try:
            headers = dict(record.headers)
            if headers.get("ce_type") in passed or known(headers.get("ce_id")):
                reads.append(Read(record, *place_in(headers), None))
                continue
            told = told_in(headers, record.key)
            envelope = envelope_told(told)
        except (ValueError, KeyError) as error:
            poison = Poison(f"not one of our events: {type(error).__name__}")
            reads.append(Read(record, None, 0, poison))
            continue
        value = record.value or b""
        try:
            wire = from_json(value)
            if not isinstance(wire, dict):
                raise ValueError
        except (ValueError, RecursionError):
            poison = Poison("the value is not a JSON object")
            reads.append(Read(record, envelope.stream, envelope.version, poison))
            continue
        line = None
        if envelope.type in kept and b"\n" not in value:  # what was laid out in lines is made anew
            line = b"%b%b%b" % (told, BETWEEN, value)
        ready.append((len(reads), record, line))
        sealed.append((envelope, wire))
        reads.append(COMING)
    events = await codec.open(sealed, only=view.opens)
    for (n, record, line), (envelope, _), event in zip(ready, sealed, events, strict=True):
        place = envelope.stream, envelope.version
        reads[n] = tuple.__new__(Read, (record, *place, event, line))
    return reads
