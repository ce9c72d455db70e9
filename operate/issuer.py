"""The development issuer: one key pair a state folder, and tokens signed with it."""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Sequence
from pathlib import Path

from operate.install import locked
from operate.places import Places, write_private

AUDIENCE = "tsunagu"


def issuer(base_port: int) -> str:
    return f"http://127.0.0.1:{base_port}"


def keys(state: Path) -> tuple[Path, Path]:
    """The files of the private and the public key set (JWKS), made on the first call."""
    from joserfc.jwk import ECKey

    private, public = Places(state).issuer / "private.jwks", Places(state).issuer / "public.jwks"
    with locked(private.parent, "waiting for the issuer's key"):
        if not private.exists():
            key = ECKey.generate_key("P-256", {"use": "sig", "alg": "ES256"}, auto_kid=True)
            write_private(public, json.dumps({"keys": [key.as_dict(private=False)]}))
            write_private(private, json.dumps({"keys": [key.as_dict(private=True)]}))
    return private, public


def token(
    state: Path,
    agency: str,
    roles: Sequence[str],
    subject: str = "developer",
    *,
    acr: str = "aal2",
    hours: float = 8.0,
) -> str:
    """A token that the services of this state folder take; `hours` long."""
    from joserfc import jwt
    from joserfc.jwk import ECKey

    private, _ = keys(state)
    key = ECKey.import_key(json.loads(private.read_text())["keys"][0])
    now = int(time.time())
    claims = {
        "iss": issuer(int(Places(state).settings.get("base_port", 8100))),
        "aud": AUDIENCE,
        "sub": subject,
        "agency": agency,
        "roles": list(roles),
        "acr": acr,
        "iat": now,
        "exp": now + int(hours * 3600),
        "jti": str(uuid.uuid4()),
    }
    return jwt.encode({"alg": "ES256", "kid": key.kid, "typ": "at+jwt"}, claims, key)
