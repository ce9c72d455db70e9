"""How much of what cannot be applied a view takes, before somebody has to look."""

from shared.db import Connection
from shared.settings import Limits

from .parked import HOW_MANY_PARKED
from .record import Outcome


class TooMuchInvalid(Exception):
    """Somebody has to look before this view reads on."""


class Tolerance:
    """Of one view, in this process."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._invalid = 0  # new ones in a row

    async def bears(self, db: Connection, view: str, outcome: Outcome) -> int:
        """How many new ones in a row are invalid now, to be told to `kept`. Raises TooMuchInvalid."""
        invalid = 0 if outcome.fresh else self._invalid + outcome.invalid()
        if invalid > self._limits.invalid_in_a_row:
            most = self._limits.invalid_in_a_row
            raise TooMuchInvalid(f"more than {most} records in a row cannot be applied")
        if outcome.parked:
            most = self._limits.parked
            if await db.fetchval(HOW_MANY_PARKED, view) > most:
                raise TooMuchInvalid(f"more than {most} records are parked")
        return invalid

    def kept(self, invalid: int) -> None:
        """The batch is committed."""
        self._invalid = invalid
