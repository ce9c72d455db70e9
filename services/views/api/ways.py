"""The webhook of an agency's own system: where to, how it fares, told again from the start."""

import re
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Annotated
from urllib.parse import urlsplit

from fastapi import APIRouter, Depends
from pydantic import BaseModel, Field

from shared.contracts.views import WebhookRegistered
from shared.contracts.views.way import URL
from shared.http import Body, Call, Caller, Receipt, Route
from shared.ids import uuid7
from shared.problems import bad_input, not_found

from ..domain import way
from ..refusals import put_on_record
from ..ways.endpoints import states
from ..ways.outside import Forbidden, addresses
from ..ways.post import secret, shown
from .common import Code
from .subscriptions import known

WRONG = "must be https and lead to a public address / 公開アドレスの https に限ります"
Check = Callable[[], Awaitable[None]]
router = APIRouter(route_class=Route, prefix="/v1/subscriptions/{code}/webhook")


class NewWebhook(Body):
    """An https address without user, query or fragment; in development http to this machine too."""

    url: Annotated[str, Field(max_length=600, json_schema_extra={"pattern": URL})]


class Parked(BaseModel):
    document: int
    handle: str
    reason: str
    at: datetime


class Webhook(BaseModel):
    """`secret` (Standard Webhooks) is shown to the agency's own system only. `trouble`: why nothing is
    sent to it just now; `parked`: documents that it refused for themselves.
    """

    url: str
    secret: str | None
    behind: int
    confirmed_at: datetime | None
    trouble: str | None
    troubled_since: datetime | None
    retry_at: datetime | None
    parked: list[Parked]


class Nothing(Body):
    pass


async def subscriber(code: Code, call: Caller) -> Call:
    if call.who.agency != code and "operator" not in call.who.roles:
        raise not_found()
    call.need("operator", "system")
    if not await known(call, code, await call.load(f"subscription/{code}")):
        raise not_found()
    return call


Subscriber = Annotated[Call, Depends(subscriber)]


@router.put("")
async def register(code: Code, call: Subscriber, body: NewWebhook) -> Receipt:
    """Documents are posted here, sealed and signed, from the first one on. A repeat changes nothing;
    another address begins anew with another secret.
    """

    async def check() -> None:
        if not await _leads_outside(call, body.url):
            await put_on_record(call, code, "webhook")
            raise bad_input("body.url", WRONG)

    made = WebhookRegistered.model_construct(agency=code, way=uuid7(), url=body.url)
    return await _handle(code, call, made, body, check)


@router.get("")
async def get_webhook(code: Code, call: Subscriber) -> Webhook:
    row = (await states(call.rt, code)).get(code)
    if not row:
        raise not_found()
    own = call.who.agency == code and "system" in call.who.roles
    key = secret(call.rt.keys.index_key, row["way"])
    return Webhook.model_validate({**row, "secret": shown(key) if own else None})


@router.delete("")
async def remove(code: Code, call: Subscriber) -> Receipt:
    return await _handle(code, call, way.Remove(), Nothing())


@router.post("/restart")
async def restart(code: Code, call: Subscriber, body: Nothing) -> Receipt:
    """All documents again, from the first one, those that were refused included."""
    return await _handle(code, call, way.Restart(), body)


async def _handle(
    code: str, call: Call, command: way.Command, body: Body, check: Check | None = None
) -> Receipt:
    return await call.handle(way.DECIDER, f"subscription/{code}", code, command, body, check=check)


async def _leads_outside(call: Call, url: str) -> bool:
    """To public addresses that exist, and nowhere else; in development to this machine too."""
    development = call.rt.http.development
    try:
        parts = urlsplit(url)
        port = parts.port or (443 if parts.scheme == "https" else 80)
        if not re.fullmatch(URL, url) or (parts.scheme != "https" and not development):
            return False
        found = await addresses(parts.hostname or "", port, development)
    except (Forbidden, OSError, ValueError):
        return False
    return parts.scheme == "https" or all(one in ("127.0.0.1", "::1") for one in found)
