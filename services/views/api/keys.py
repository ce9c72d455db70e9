"""Public keys that documents can be sealed to: what is taken as one, and its thumbprint."""

import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Mapping
from typing import Annotated

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from joserfc.jwk import OKPKey
from pydantic import BaseModel, Field

from shared.problems import bad_input

FIELD, X = "body.public_key", r"^[A-Za-z0-9_-]{43}$"


class PublicKey(BaseModel):
    """X25519 public key as JWK (RFC 8037). Looked at by `checked`, so that what is none goes on record."""

    model_config = {"extra": "ignore"}
    kty: Annotated[str, Field(max_length=1000, json_schema_extra={"const": "OKP"})] = ""
    crv: Annotated[str, Field(max_length=1000, json_schema_extra={"const": "X25519"})] = ""
    x: Annotated[str, Field(max_length=1000, json_schema_extra={"pattern": X})] = ""


def checked(key: Mapping[str, str]) -> None:
    """422 for a point of small order: whatever is sealed to it can be opened by anybody (RFC 7748,
    6.1); and for another spelling of a key, by which a retired one would come back unseen.
    """
    if (key["kty"], key["crv"]) != ("OKP", "X25519") or not re.fullmatch(X, key["x"]):
        raise bad_input(FIELD, "not an X25519 key / X25519 の鍵ではありません")
    raw = urlsafe_b64decode(key["x"] + "=")
    if urlsafe_b64encode(raw).rstrip(b"=").decode() != key["x"] or raw[-1] & 0x80:
        raise bad_input(FIELD, "not spelt as RFC 7748 and 7515 say / 鍵の表記が不正です")
    try:
        X25519PrivateKey.generate().exchange(X25519PublicKey.from_public_bytes(raw))
    except ValueError:
        raise bad_input(FIELD, "not a key that anything can be sealed to / 鍵が不正です") from None


def thumbprint(key: Mapping[str, str]) -> str:
    """SHA-256 as in RFC 7638."""
    return str(OKPKey.import_key(dict(key)).thumbprint())
