"""A document sealed to one agency, as every way but its own reading carries it: a JWE, padded.

Compact (RFC 7516), ECDH-ES with X25519 (RFC 7518 4.6, RFC 8037), A256GCM; composed here for its speed
(decision 0065). What is sealed is opened with the library, by agencies and in our tests.
"""

import os
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable
from functools import lru_cache
from hashlib import sha256
from typing import Any

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from .domain.document import padded

HEADER = (
    '{{"alg":"ECDH-ES","cty":"application/json","enc":"A256GCM",'
    '"epk":{{"crv":"X25519","kty":"OKP","x":"{}"}}}}'
)
ROUND = (1).to_bytes(4, "big")
OTHER_INFO = b"".join(
    (
        *((7).to_bytes(4, "big"), b"A256GCM"),  # AlgorithmID
        *(bytes(4), bytes(4)),  # PartyUInfo and PartyVInfo: none
        (256).to_bytes(4, "big"),  # SuppPubInfo: bits of the key
    )
)
"""Concat KDF (RFC 7518 4.6.2): one round of SHA-256 gives all 256 bits."""
TAG = 16

Seal = Callable[[dict[str, Any], bytes], str]
"""By the public key of an agency, what it alone can open."""


def sealed_to(public_key: dict[str, Any], plain: bytes) -> str:
    """With a key of its own for each document. Raises ValueError for what is no X25519 key."""
    once = X25519PrivateKey.generate()
    header = _text(HEADER.format(_text(once.public_key().public_bytes_raw())).encode())
    shared = once.exchange(_point(public_key["x"]))
    key = sha256(ROUND + shared + OTHER_INFO).digest()
    nonce = os.urandom(12)
    made = AESGCM(key).encrypt(nonce, padded(plain), header.encode())
    return ".".join((header, "", _text(nonce), _text(made[:-TAG]), _text(made[-TAG:])))


@lru_cache(1_000)
def _point(x: str) -> X25519PublicKey:
    return X25519PublicKey.from_public_bytes(urlsafe_b64decode(x + "="))


def _text(raw: bytes) -> str:
    return urlsafe_b64encode(raw).rstrip(b"=").decode()
