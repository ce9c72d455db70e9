"""Records as the events that they are, or as what they cannot be: a whole batch at once."""

from collections.abc import Container, Iterable
from typing import Any

from pydantic_core import from_json

from shared.broker import envelope_in
from shared.contracts import Envelope, Recorded
from shared.sealing import Codec, Poison

from .record import Read, Record


async def read(codec: Codec, records: Iterable[Record], only: Container[str] | None) -> list[Read]:
    """Each as what it is, or the Poison that it is; sealed fields of types among `only` are opened.
    Raises errors of the keyring.
    """
    reads: list[Read | None] = []
    sealed: list[tuple[Envelope, dict[str, Any]]] = []
    kept: list[Record] = []
    for record in records:
        try:
            envelope = envelope_in(record.headers, record.key)
        except (ValueError, KeyError, UnicodeDecodeError) as error:
            poison = Poison(f"not one of our events: {type(error).__name__}")
            reads.append(Read(record, None, poison))
            continue
        try:
            wire = from_json(record.value or b"")
            if not isinstance(wire, dict):
                raise ValueError
        except (ValueError, RecursionError):
            reads.append(Read(record, envelope, Poison("the value is not a JSON object")))
            continue
        kept.append(record)
        sealed.append((envelope, wire))
        reads.append(None)
    events = await codec.open(sealed, only=only)
    opened = zip(kept, sealed, events, strict=True)
    return [
        one if one else Read(record, envelope, event)
        for one, record, envelope, event in _merge(reads, opened)
    ]


def _merge(
    reads: Iterable[Read | None],
    opened: Iterable[tuple[Record, tuple[Envelope, Any], Recorded | Poison]],
) -> Iterable[tuple[Read | None, Any, Any, Any]]:
    rest = iter(opened)
    for read in reads:
        if read:
            yield read, None, None, None
        else:
            record, (envelope, _), event = next(rest)
            yield None, record, envelope, event
