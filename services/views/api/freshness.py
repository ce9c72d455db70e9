"""How far each agency's copy is behind, in fields and in words."""

from datetime import datetime
from typing import Any

from fastapi import APIRouter
from pydantic import BaseModel

from shared.calendar import TOKYO
from shared.http import Call, Caller, Page, Route
from shared.problems import not_found

from .. import account
from ..ways.endpoints import states
from .common import Code

router = APIRouter(route_class=Route)
WATCHERS = ("operator", "supervisor", "privacy_officer")


class Words(BaseModel):
    """「4分遅れ・最終確認 10:32」"""

    ja: str
    en: str


class Hook(BaseModel):
    """The agency's webhook: `behind` documents; `trouble`: why nothing is sent now; `parked` documents
    that it refused for themselves.
    """

    behind: int
    confirmed_at: datetime | None
    trouble: str | None
    troubled_since: datetime | None
    parked: int


class Freshness(BaseModel):
    """`undelivered`: documents that its topic has not acknowledged, the oldest change of them
    `undelivered_since`; `last_receipt_at`: when the agency last said that it holds one.
    """

    agency: str
    subscribed: bool
    documents: int
    undelivered: int
    refused: int
    newest_at: datetime | None = None
    undelivered_since: datetime | None = None
    minutes_behind: int
    last_delivered_at: datetime | None = None
    last_receipt_at: datetime | None = None
    words: Words
    webhook: Hook | None = None


@router.get("/v1/freshness")
async def list_freshness(call: Caller) -> Page[Freshness]:
    """How far each subscribed agency's topic is behind. No case content."""
    call.need(*WATCHERS)
    return Page(items=await _all(call, None))


@router.get("/v1/agencies/{code}/freshness")
async def get_freshness(code: Code, call: Caller) -> Freshness:
    if call.who.agency != code and not call.who.roles & set(WATCHERS):
        raise not_found()
    return (await _all(call, code))[0]


async def _all(call: Call, agency: str | None) -> list[Freshness]:
    hooks, rows = await states(call.rt, agency), await account.freshness(call.rt, agency)
    return [_freshness(row, _hook(hooks.get(row["agency"])), call.now()) for row in rows]


def _hook(state: dict[str, Any] | None) -> Hook | None:
    if state is None:
        return None
    return Hook.model_validate({**state, "parked": len(state["parked"])})


def _freshness(row: dict[str, Any], hook: Hook | None, now: datetime) -> Freshness:
    since, receipt = row.get("undelivered_since"), row.get("last_receipt_at")
    minutes = int((now - since).total_seconds() // 60) if since else 0
    words = _words(row["subscribed"], since is not None, minutes, receipt, now)
    more = {"minutes_behind": minutes, "words": words, "webhook": hook}
    return Freshness.model_validate({**row, **more})


def _words(
    subscribed: bool, behind: bool, minutes: int, receipt: datetime | None, now: datetime
) -> Words:
    if not subscribed:
        return Words(ja="システム連携なし", en="no system of its own")
    local, today = (receipt or now).astimezone(TOKYO), now.astimezone(TOKYO).date()
    at = f"{local:%H:%M}" if local.date() == today else f"{local:%Y-%m-%d %H:%M}"
    ja, en = f"最終確認 {at}", f"last confirmed {at}"
    if not receipt:
        ja, en = "確認なし", "never confirmed"
    late = (f"{minutes}分遅れ", f"{minutes} minutes behind") if behind else ("最新", "up to date")
    return Words(ja=f"{late[0]}・{ja}", en=f"{late[1]}, {en}")
