"""A batch of records into the copy, in one transaction: applied, or kept aside with the reason."""

import logging
from collections.abc import Sequence

from joserfc.jwk import KeySet

from agency.copy import Copy, Position, Refusal
from agency.sealed import Change, Poison, Record, heartbeat_at, opened

log = logging.getLogger("agency")


def take(
    copy: Copy,
    records: Sequence[Record],
    keys: KeySet,
    topic: str,
    *,
    move: bool = True,
    owe: bool = False,
) -> list[Change]:
    """What was taken over. With `move` the place in the topic goes behind the last record; `owe` notes
    a receipt for each document.
    """
    changes: list[tuple[int, Change]] = []
    refusals: list[Refusal] = []
    beat: str | None = None
    for record in records:
        try:
            if record.heartbeat:
                beat = heartbeat_at(record) or beat
            else:
                changes.append((record.offset, opened(record, keys)))
        except Poison as poison:
            handle = (record.key or b"").decode("utf-8", "replace")
            refusals.append(Refusal(record, handle, str(poison)))
            log.error("record %d is kept aside: %s", record.offset, poison)
    last = records[-1]
    position = Position(last.offset + 1, last.header("ce_id"), beat) if move else None
    return copy.apply(changes, refusals, topic=topic, position=position, owe=owe)
