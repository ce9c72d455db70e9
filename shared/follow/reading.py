"""Records as the events that they are, or as what they cannot be: a whole batch at once."""

from collections.abc import Iterable
from typing import Any

from pydantic_core import from_json

from shared.broker import BETWEEN, envelope_told, place_in, told_in
from shared.contracts import EVENTS, Envelope
from shared.sealing import Codec, Poison
from shared.views import View

from .record import Read, Record

SHUT = Read(Record("", 0, 0, None, None, ()), None, 0, None)


async def read(codec: Codec, view: View, records: Iterable[Record]) -> list[Read]:
    """Each as what it is, or the Poison that it is. Of a type that the view does not read, and of what it
    knows already, only the place in its stream is looked at; a type that nobody knows may be read one
    day. Raises errors of the keyring.
    """
    passed, kept = frozenset[bytes](), view.kept
    if view.read is not None:
        passed = frozenset(name.encode() for name in EVENTS.keys() - view.read)
    reads: list[Read] = []
    sealed: list[tuple[Envelope, dict[str, Any]]] = []
    ready: list[tuple[int, Record, Envelope, bytes | None]] = []
    for record in records:
        try:
            headers = dict(record.headers)
            if headers.get("ce_type") in passed or view.known(headers.get("ce_id")):
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
        ready.append((len(reads), record, envelope, line))
        sealed.append((envelope, wire))
        reads.append(SHUT)
    events = await codec.open(sealed, only=view.opens)
    for (n, record, envelope, line), event in zip(ready, events, strict=True):
        reads[n] = Read(record, envelope.stream, envelope.version, event, line)
    return reads
