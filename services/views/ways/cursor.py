"""A cursor: how far an agency has read its feed; opaque, and of use to that agency only."""

import hmac
from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import dataclass
from hashlib import sha256
from uuid import UUID

MAC = 16
NO_ERA = UUID(int=0)


class Foreign(Exception):
    """Not a cursor that was given to this agency."""


@dataclass(frozen=True)
class Cursor:
    """The place reached, in one era of the agency's feed."""

    era: UUID = NO_ERA
    place: int = 0

    def text(self, key: bytes, agency: str) -> str:
        plain = self.place.to_bytes(8) + self.era.bytes
        return urlsafe_b64encode(plain + _mac(key, agency, plain)).decode()

    @classmethod
    def of(cls, text: str, key: bytes, agency: str) -> "Cursor":
        """Raises Foreign."""
        try:
            found = urlsafe_b64decode(text.encode("ascii"))
        except ValueError:
            raise Foreign from None
        plain, mac = found[:-MAC], found[-MAC:]
        if not hmac.compare_digest(mac, _mac(key, agency, plain)) or len(plain) != 24:
            raise Foreign
        return cls(UUID(bytes=plain[8:]), int.from_bytes(plain[:8]))


def _mac(key: bytes, agency: str, plain: bytes) -> bytes:
    return hmac.digest(key, f"cursor\n{agency}\n".encode() + plain, sha256)[:MAC]
