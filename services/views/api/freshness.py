"""How far each agency's copy is behind, in fields and in words."""

from datetime import datetime
from typing import Any

from fastapi import APIRouter
from pydantic import BaseModel

from shared.calendar import TOKYO
from shared.http import Caller, Page, Route
from shared.problems import not_found

from .. import account
from .common import Code

router = APIRouter(route_class=Route)
WATCHERS = ("operator", "supervisor", "privacy_officer")


class Words(BaseModel):
    """「4分遅れ・最終確認 10:32」"""

    ja: str
    en: str


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


@router.get("/v1/freshness")
async def list_freshness(call: Caller) -> Page[Freshness]:
    """How far each subscribed agency's topic is behind. No case content."""
    call.need(*WATCHERS)
    rows = await account.freshness(call.rt, None)
    return Page(items=[_freshness(row, call.now()) for row in rows])


@router.get("/v1/agencies/{code}/freshness")
async def get_freshness(code: Code, call: Caller) -> Freshness:
    if call.who.agency != code and not call.who.roles & set(WATCHERS):
        raise not_found()
    return _freshness((await account.freshness(call.rt, code))[0], call.now())


def _freshness(row: dict[str, Any], now: datetime) -> Freshness:
    since, receipt = row.get("undelivered_since"), row.get("last_receipt_at")
    minutes = int((now - since).total_seconds() // 60) if since else 0
    words = _words(row["subscribed"], since is not None, minutes, receipt, now)
    return Freshness.model_validate({**row, "minutes_behind": minutes, "words": words})


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
