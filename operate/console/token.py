"""The console's own access tokens: short-lived, of the development issuer, for figures only."""

import json
import time
import uuid

from joserfc import jwt
from joserfc.jwk import ECKey

from operate.console.settings import Settings

ROLES = ["operator", "planner"]
"""Neither may see content of a case."""
SECONDS = 300


class Tokens:
    """One token at a time, made anew in the last fifth of its life."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        keys = json.loads(settings.console_private_jwks.read_text("utf-8"))["keys"]
        self._key = ECKey.import_key(keys[0])
        self._token, self._until = "", 0.0

    def current(self) -> str:
        now = time.time()
        if now > self._until - SECONDS / 5:
            self._until = now + SECONDS
            claims = {
                "iss": self._settings.oidc_issuer,
                "aud": self._settings.oidc_audience,
                "sub": "console",
                "agency": "console",
                "roles": ROLES,
                "iat": int(now),
                "exp": int(self._until),
                "jti": str(uuid.uuid4()),
            }
            header = {"alg": "ES256", "kid": self._key.kid, "typ": "at+jwt"}
            self._token = jwt.encode(header, claims, self._key)
        return self._token
