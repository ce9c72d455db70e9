"""Who calls: OIDC access tokens (JWT) checked against the issuer's keys, asymmetric only."""

import json
import re
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import structlog
from anyio import Path as AsyncPath
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from shared.contracts.event import AGENCY, SUBJECT
from shared.settings import Oidc

ALGORITHMS = ["ES256", "ES384", "RS256", "PS256", "EdDSA", "Ed25519"]
REFRESH_SECONDS = 300.0
KNOWN_SECONDS, KNOWN_TOKENS = 30.0, 10_000
REFETCH_SECONDS = 5.0
"""At most one fetch in this time for keys that we do not know: forged ids cost nothing."""
NO_NAME = (
    "`sub` takes 1 to 120 of A-Z a-z 0-9 . _ : @ -, `agency` 1 to 60 of a-z 0-9 - / "
    "トークンの sub は英数字と . _ : @ - (1〜120文字)、agency は英小文字・数字・- (1〜60文字)です"
)

log = structlog.get_logger()


class NoToken(Exception):
    """No valid token (401). With a text only where the issuer signed what we cannot take."""


@dataclass(frozen=True)
class Principal:
    subject: str
    agency: str
    roles: frozenset[str]
    acr: str | None = None


class Issuer:
    """The keys of one OIDC issuer, fetched when needed and kept a while."""

    def __init__(self, oidc: Oidc) -> None:
        self._oidc = oidc
        self._keys: KeySet | None = None
        self._fetched = self._tried = 0.0
        self._known: dict[str, tuple[float, Principal]] = {}
        self._claims = jwt.JWTClaimsRegistry(
            leeway=30,
            iss={"essential": True, "value": oidc.issuer},
            aud={"essential": True, "value": oidc.audience},
            exp={"essential": True},
            sub={"essential": True},
            agency={"essential": True},
        )

    async def principal(self, token: str) -> Principal:
        """Raises NoToken; never says why before the signature is known, the caller may be anybody.

        A token that was checked is believed for 30 s more, within its own life.
        """
        now = time.time()
        kept = self._known.get(token)
        if kept and kept[0] > now:
            return kept[1]
        try:
            claims = await self._decode(token)
            self._claims.validate(claims)
            roles = claims.get("roles", [])
            if not isinstance(roles, list) or not all(isinstance(role, str) for role in roles):
                raise NoToken
            subject, agency = claims["sub"], claims["agency"]
            # As events take them: told at the door, and not where something is written.
            if not (re.fullmatch(SUBJECT, subject) and re.fullmatch(AGENCY, agency)):
                raise NoToken(NO_NAME)
            principal = Principal(subject, agency, frozenset(roles), claims.get("acr"))
            if len(self._known) >= KNOWN_TOKENS:
                self._known.clear()
            self._known[token] = min(now + KNOWN_SECONDS, float(claims["exp"])), principal
            return principal
        except (
            JoseError, ValueError, TypeError, KeyError, AttributeError, OverflowError, RecursionError
        ) as error:  # fmt: skip
            raise NoToken from error

    async def _decode(self, token: str) -> dict[str, Any]:
        if self._keys is None or time.monotonic() - self._fetched > REFRESH_SECONDS:
            await self._refresh()
        assert self._keys is not None
        try:
            return jwt.decode(token, self._keys, algorithms=ALGORITHMS).claims
        except (JoseError, ValueError):
            if time.monotonic() - self._tried < REFETCH_SECONDS:
                raise
            await self._refresh()
            return jwt.decode(token, self._keys, algorithms=ALGORITHMS).claims

    async def _refresh(self) -> None:
        """Known keys go on while the issuer is out of reach; without any, ConnectionError (503)."""
        if self._keys is not None and time.monotonic() - self._tried < REFETCH_SECONDS:
            return
        self._tried = time.monotonic()
        try:
            await self._fetch()
        except (httpx.HTTPError, OSError, ValueError, TypeError, KeyError, JoseError) as error:
            if self._keys is None:
                raise ConnectionError("the issuer's keys are out of reach") from error
            log.warning("issuer.waits", error=type(error).__name__)

    async def _fetch(self) -> None:
        if self._oidc.jwks.startswith(("http://", "https://")):
            async with httpx.AsyncClient(timeout=5) as client:
                answer = await client.get(self._oidc.jwks)
                answer.raise_for_status()
                keys = answer.json()
        else:
            keys = json.loads(await AsyncPath(Path(self._oidc.jwks)).read_text("utf-8"))
        self._keys, self._fetched = KeySet.import_key_set(keys), time.monotonic()
