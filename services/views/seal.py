"""A document sealed to one agency, as every way but its own reading carries it: a JWE, padded."""

from collections.abc import Callable
from functools import lru_cache
from typing import Any

from joserfc import jwe
from joserfc.jwk import OKPKey

from .domain.document import padded

HEADER = {"alg": "ECDH-ES", "enc": "A256GCM", "cty": "application/json"}
ALGORITHMS = [HEADER["alg"], HEADER["enc"]]

Seal = Callable[[dict[str, Any], bytes], str]
"""By the public key of an agency, what it alone can open."""


def sealed_to(public_key: dict[str, Any], plain: bytes) -> str:
    """Compact (RFC 7516), with a key of its own for each document. Raises ValueError for what is no X25519
    key.
    """
    key = _key(public_key["x"])
    return jwe.encrypt_compact(dict(HEADER), padded(plain), key, algorithms=ALGORITHMS)


@lru_cache(1_000)
def _key(x: str) -> OKPKey:
    return OKPKey.import_key({"kty": "OKP", "crv": "X25519", "x": x})
