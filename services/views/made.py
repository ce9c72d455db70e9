"""Documents that were judged a moment ago, by their digest: to be sent, they need not be made again."""

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

    def of(self, name: Name) -> bytes | None:
        until, content = self._made.get(name, (0.0, None))
        return content if until > time.monotonic() else None
