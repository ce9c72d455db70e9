"""How far each agency's copy is behind, in fields and in words."""

from datetime import datetime, timedelta
from typing import Any, Literal

from fastapi import APIRouter
from pydantic import BaseModel

from shared.calendar import TOKYO
from shared.http import Caller, Page, PathId, Route, to_uuid
from shared.problems import not_found

from .. import account
from ..ways.endpoints import states
from .common import Code, led

router = APIRouter(route_class=Route)
UNITS = (
    (timedelta(days=1), 2, "日", "day"),
    (timedelta(hours=1), 2, "時間", "hour"),
    (timedelta(minutes=1), 1, "分", "minute"),
)
"""With the least number of each that is said: nobody has to divide 90 minutes into hours."""
STAFF = ("intake_worker", "coordinator", "supervisor", "privacy_officer")


class Words(BaseModel):
    """「4分遅れ・最終確認 10:32」"""

    ja: str
    en: str


ALONE = Words(ja="システム連携なし", en="no system of its own")


class Hook(BaseModel):
    """The agency's webhook: `behind` documents; `trouble`: why nothing is sent now, the `breaker` open
    until it is tried again (`half_open`); `parked` documents that it refused for themselves.
    """

    behind: int
    breaker: Literal["closed", "open", "half_open"]
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
    """How far each subscribed agency's topic is behind, all cases together."""
    call.need("operator")
    hooks, now = await states(call.rt), call.now()
    rows = [row for row in await account.freshness(call.rt) if row["subscribed"]]
    return Page(items=[fresh(row, hook(hooks.get(row["agency"])), now) for row in rows])


@router.get("/v1/agencies/{code}/freshness")
async def get_freshness(code: Code, call: Caller) -> Freshness:
    """For who works there, and operators: how much an agency holds is for nobody else to see (L16)."""
    if call.who.agency != code and "operator" not in call.who.roles:
        raise not_found()
    hooks, row = await states(call.rt, code), await account.freshness_of(call.rt, code)
    return fresh(row, hook(hooks.get(code)), call.now())


@router.get("/v1/cases/{case}/freshness")
async def list_case_freshness(case: PathId, call: Caller) -> list[Freshness]:
    """For staff of who leads the case or led it: which agency has what is known of it now, and since
    when it is behind. Of this case alone.
    """
    id = to_uuid(case)
    await led(call, id)
    call.need(*STAFF)
    return [fresh(row, None, call.now()) for row in await account.freshness_in(call.rt, id)]


def hook(state: dict[str, Any] | None) -> Hook | None:
    if state is None:
        return None
    return Hook.model_validate({**state, "parked": len(state["parked"])})


def fresh(row: dict[str, Any], hook: Hook | None, now: datetime) -> Freshness:
    """Of one agency, from a row of account's."""
    since, receipt = row.get("undelivered_since"), row.get("last_receipt_at")
    behind = now - since if since else None
    minutes = int(behind.total_seconds() // 60) if behind else 0
    words = said(behind, receipt, now) if row["subscribed"] else ALONE
    more = {"minutes_behind": minutes, "words": words, "webhook": hook}
    return Freshness.model_validate({**row, **more})


def said(behind: timedelta | None, receipt: datetime | None, now: datetime) -> Words:
    """`behind` None: nothing waits to be delivered. `receipt`: when the agency last said what it holds."""
    local, today = (receipt or now).astimezone(TOKYO), now.astimezone(TOKYO).date()
    at = f"{local:%H:%M}" if local.date() == today else f"{local:%Y-%m-%d %H:%M}"
    ja, en = f"最終確認 {at}", f"last confirmed {at}"
    if not receipt:
        ja, en = "確認なし", "never confirmed"
    late = ("最新", "up to date") if behind is None else _late(behind)
    return Words(ja=f"{late[0]}・{ja}", en=f"{late[1]}, {en}")


def _late(behind: timedelta) -> tuple[str, str]:
    for unit, least, ja, en in UNITS:
        if (count := behind // unit) >= least:
            return f"{count}{ja}遅れ", f"{count} {en}{'s' if count > 1 else ''} behind"
    return "1分未満の遅れ", "less than a minute behind"
