"""An agency's own system: the key that its documents are sealed to."""

from typing import Annotated, Literal

from fastapi import APIRouter
from joserfc.errors import JoseError
from joserfc.jwk import OKPKey
from pydantic import BaseModel, StringConstraints

from shared.contracts.views import SubscriptionRegistered
from shared.http import Body, Caller, Receipt, Route
from shared.problems import bad_input, not_found

from ..domain import subscription
from .common import Code

router = APIRouter(route_class=Route)


class PublicKey(BaseModel):
    """X25519 public key as JWK (RFC 8037)."""

    model_config = {"extra": "ignore"}
    kty: Literal["OKP"]
    crv: Literal["X25519"]
    x: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{43}$")]


class NewSubscription(Body):
    public_key: PublicKey


@router.put("/v1/subscriptions/{code}")
async def subscribe(code: Code, call: Caller, body: NewSubscription) -> Receipt:
    """From now on documents are sealed to this key; the present ones are sent again with it."""
    if call.who.agency != code and "operator" not in call.who.roles:
        raise not_found()
    call.need("operator", "system")
    key = body.public_key.model_dump()

    async def check() -> None:
        try:
            OKPKey.import_key(key)
        except (JoseError, ValueError):
            raise bad_input("body.public_key", "not an X25519 public key / 鍵が不正です") from None

    event = SubscriptionRegistered(agency=code, public_key=key)
    return await call.handle(
        subscription.DECIDER, f"subscription/{code}", code, event, body, check=check
    )
