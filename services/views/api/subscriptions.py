"""An agency's subscription: its key, a pause, a quarantine, its end."""

from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends
from pydantic import BaseModel

from shared.contracts.codes import OneOf
from shared.contracts.views import (
    KeyRevoked,
    LoginRenewed,
    SubscriptionEnded,
    SubscriptionPaused,
    SubscriptionQuarantined,
    SubscriptionReleased,
    SubscriptionResumed,
)
from shared.http import After, Body, Call, Caller, Limit, Page, Receipt, Route
from shared.journal import Past
from shared.problems import Problem, not_found

from .. import view
from ..domain import subscription
from ..judge import Judge
from ..refusals import put_on_record
from .common import Code
from .keys import PublicKey, checked, thumbprint

router = APIRouter(route_class=Route)


class NewSubscription(Body):
    public_key: PublicKey


class Act(Body):
    pass


class Quarantine(Body):
    reason: Annotated[str, *OneOf("quarantine")]


class SubscriptionShown(BaseModel):
    """`key`: RFC 7638 thumbprint of the present one. `paused_by`: all of them have to resume it.
    `reason`: of a quarantine. `listed`: the agency is in the directory.
    """

    agency: str
    state: subscription.Status
    since: datetime
    key: str | None
    key_since: datetime | None
    paused_by: list[str]
    reason: str | None
    listed: bool


class OnSubscription:
    def __init__(self, call: Call, agency: str, past: Past) -> None:
        self.call, self.agency, self.past = call, agency, past

    async def write(self, command: subscription.Command, body: Body, **more: Any) -> Receipt:
        stream = f"subscription/{self.agency}"
        return await self.call.handle(
            subscription.DECIDER, stream, self.agency, command, body, past=self.past, **more
        )

    @property
    def by(self) -> Any:
        return "operator" if "operator" in self.call.who.roles else "agency"


async def on_subscription(code: Code, call: Caller) -> OnSubscription:
    """For the agency's own system and for operators (404 for anybody else)."""
    if call.who.agency != code and "operator" not in call.who.roles:
        raise not_found()
    call.need("operator", "system")
    return OnSubscription(call, code, await call.load(f"subscription/{code}"))


async def on_known(on: Annotated[OnSubscription, Depends(on_subscription)]) -> OnSubscription:
    """404 for an agency that neither subscribed nor is in the directory."""
    if not await known(on.call, on.agency, on.past):
        raise not_found()
    return on


async def by_operator(on: Annotated[OnSubscription, Depends(on_known)]) -> OnSubscription:
    on.call.need("operator")
    return on


On = Annotated[OnSubscription, Depends(on_known)]
ByOperator = Annotated[OnSubscription, Depends(by_operator)]


@router.put("/v1/subscriptions/{code}")
async def subscribe(
    on: Annotated[OnSubscription, Depends(on_subscription)], body: NewSubscription
) -> Receipt:
    """From now on documents are sealed to this key; the present ones are sent again with it."""
    key = body.public_key.model_dump()

    async def check() -> None:
        try:
            checked(key)
        except Problem:
            if await known(on.call, on.agency, on.past):
                await put_on_record(on.call, on.agency, "key")
            raise

    return await on.write(subscription.Register(on.agency, key), body, check=check)


@router.get("/v1/subscriptions")
async def list_subscriptions(
    call: Caller, after: After = None, limit: Limit = 50
) -> Page[SubscriptionShown]:
    call.need("operator")
    codes = await view.subscribed_agencies(call.rt, after or "", limit)
    listed = await _listed(call)
    pasts = await call.loads(*(f"subscription/{code}" for code in codes))
    items = [_shown(code, past, listed) for code, past in zip(codes, pasts, strict=True)]
    return Page(items=items, next=codes[-1] if len(codes) == limit else None)


@router.get("/v1/subscriptions/{code}")
async def get_subscription(on: On) -> SubscriptionShown:
    if not on.past.events:
        raise not_found()
    on.call.shows(on.past.version)
    return _shown(on.agency, on.past, await _listed(on.call))


@router.post("/v1/subscriptions/{code}/key-revocation")
async def revoke_key(on: On, body: Act) -> Receipt:
    """Nothing is sealed until there is a new key; login and rights at the broker go within seconds, and
    an open session ends within 45 s.
    """
    return await on.write(KeyRevoked(agency=on.agency), body)


@router.post("/v1/subscriptions/{code}/login-renewal")
async def renew_login(on: On, body: Act) -> Receipt:
    """Another login at the broker, the same key: within a minute the old one is refused. The new one comes
    by the way by which the first one came.
    """
    return await on.write(LoginRenewed(agency=on.agency), body)


@router.post("/v1/subscriptions/{code}/pause")
async def pause(on: On, body: Act) -> Receipt:
    """Nothing new is sent; what takes content away is."""
    return await on.write(SubscriptionPaused(agency=on.agency, by=on.by), body)


@router.post("/v1/subscriptions/{code}/resumption")
async def resume(on: On, body: Act) -> Receipt:
    """The newest state is sent, not what it was meanwhile. An operator's pause ends by an operator."""
    return await on.write(SubscriptionResumed(agency=on.agency, by=on.by), body)


@router.post("/v1/subscriptions/{code}/quarantine")
async def quarantine(on: ByOperator, body: Quarantine) -> Receipt:
    """Nothing is sent, nothing is read over HTTP."""
    return await on.write(SubscriptionQuarantined(agency=on.agency, reason=body.reason), body)


@router.post("/v1/subscriptions/{code}/release")
async def release(on: ByOperator, body: Act) -> Receipt:
    return await on.write(SubscriptionReleased(agency=on.agency), body)


@router.post("/v1/subscriptions/{code}/ending")
async def end(on: On, body: Act) -> Receipt:
    """Its topic, login and rights are taken away. It may subscribe again, with a new key."""
    return await on.write(SubscriptionEnded(agency=on.agency), body)


async def known(call: Call, code: str, past: Past) -> bool:
    """Did this agency ever subscribe, or is it in the directory?"""
    return bool(past.events) or code in await _listed(call)


async def _listed(call: Call) -> set[str]:
    judge: Judge = call.rt.state["judge"]
    return set((await judge.world(call.rt.reads)).agencies)


def _shown(agency: str, past: Past, listed: set[str]) -> SubscriptionShown:
    """Since when the state and the key are what they are; the newest reason of a quarantine."""
    at, keyed_at, reason = None, None, None
    state, before = subscription.DECIDER.initial, subscription.DECIDER.initial
    for recorded in past.events:
        before, state = state, subscription.DECIDER.evolve(state, recorded.event)
        at = recorded.envelope.at if at is None or state.status != before.status else at
        keyed_at = recorded.envelope.at if state.public_key != before.public_key else keyed_at
        if isinstance(recorded.event, SubscriptionQuarantined):
            reason = recorded.event.reason
    assert at
    return SubscriptionShown(
        agency=agency,
        state=state.status,
        since=at,
        key=thumbprint(state.public_key) if state.public_key else None,
        key_since=keyed_at if state.public_key else None,
        paused_by=sorted(state.paused),
        reason=reason if state.quarantined else None,
        listed=agency in listed,
    )
