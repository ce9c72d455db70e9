"""What this process made a moment ago: documents by their digest, to be sent as they are, and the events
that it wrote itself, whose effects were made with them.
"""

import time
from collections.abc import Iterable
from uuid import UUID

MADE_SECONDS = 5.0
"""With the keyring's own time it stays far below the 60 s in which a destroyed key is forgotten."""
MOST = 10_000

Name = tuple[str, UUID, str]
"""Agency, case, digest: what has this name has this content, whether or not its record was committed."""


class Made:
    """Only who has seen that the case was not changed since, and that no time came at which something
    ends, may use what is here: what a basis allows is not remembered, it is asked anew.
    """

    def __init__(self) -> None:
        self._made: dict[Name, tuple[float, bytes]] = {}
        self._written: dict[bytes, float] = {}

    def keep(self, documents: Iterable[tuple[Name, bytes]]) -> None:
        """Each with its canonical content."""
        now = time.monotonic()
        for name, (until, _) in list(self._made.items()):  # the oldest stand first
            if until > now and len(self._made) < MOST:
                break
            del self._made[name]
        for name, content in documents:
            self._made.pop(name, None)
            self._made[name] = now + MADE_SECONDS, content

    def wrote(self, events: Iterable[UUID]) -> None:
        """Records of documents; what was written in a transaction that is lost never comes back."""
        now = time.monotonic()
        for id, until in list(self._written.items()):
            if until > now and len(self._written) < MOST:
                break
            del self._written[id]
        self._written |= {str(id).encode(): now + MADE_SECONDS for id in events}

    def seen(self, id: bytes | None) -> bool:
        """Of a record that comes from the topic: was it written here? It is asked for once: what comes
        again comes from a database that was set back, and is told anew.
        """
        return id is not None and self._written.pop(id, 0.0) > time.monotonic()

    def of(self, name: Name) -> bytes | None:
        until, content = self._made.get(name, (0.0, None))
        return content if until > time.monotonic() else None
