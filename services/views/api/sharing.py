"""How sharing stands with each agency, for operators: states and counts, never a case or a person."""

from datetime import datetime
from typing import Literal

from fastapi import APIRouter
from pydantic import BaseModel

from shared.contracts.views import What
from shared.http import Caller, Page, Route

from .. import account, owed, sharing
from ..domain import subscription
from ..domain.way import Ways
from ..ways.endpoints import states
from .freshness import Freshness, fresh, hook

router = APIRouter(route_class=Route)
NEVER = Ways()
Way = Literal["topic", "feed", "webhook", "file", "mail", "fax"]


class Receipts(BaseModel):
    """Documents whose newest version the agency has not confirmed as `delivered`, `placed` in its system,
    `opened` by a person; a higher grade stands for the lower ones.
    """

    delivered: int
    placed: int
    opened: int


class Retractions(BaseModel):
    """Documents of which it has not yet given back what they withdrew, the oldest `since`."""

    unconfirmed: int
    overdue: int
    since: datetime | None


class Covers(BaseModel):
    """Sheets that wait to be sent, and those that went `astray`: given up, or come back."""

    waiting: int
    astray: int


class Refusal(BaseModel):
    """What came in the agency's name within 30 days and was refused, how many `times` (one a minute is
    counted) and when `last`; never what it was. `digest`: a receipt for something else than was sent.
    """

    kind: What | Literal["digest"]
    times: int
    last: datetime


class Sharing(BaseModel):
    """`ways` that are open to it or that it has set up; `file_at`: its newest file. `receipts` null: it
    never gave one. `parked`: documents that its topic or webhook did not take. `differences` at the broker.
    """

    agency: str
    state: subscription.Status
    paused_by: list[str]
    ways: list[Way]
    file_at: datetime | None
    freshness: Freshness
    receipts: Receipts | None
    retractions: Retractions
    covers: Covers
    parked: int
    differences: int
    refused: list[Refusal]


class Difference(BaseModel):
    """`agency` null: of the services' own share."""

    agency: str | None
    kind: Literal["topic", "user", "right", "agency"]
    name: str
    what: str


class Broker(BaseModel):
    """What differed from what should be when they were last compared; `at` null: never yet."""

    at: datetime | None
    differences: list[Difference]


@router.get("/v1/sharing")
async def list_sharing(call: Caller) -> Page[Sharing]:
    """Of every agency that ever subscribed, held a document, was sent a cover sheet or had input refused."""
    call.need("operator")
    rt, now = call.rt, call.now()
    lives, files, hooks = await sharing.lives(rt), await sharing.files(rt), await states(rt)
    back, covers = await owed.owed(rt), await sharing.covers(rt)
    rows = {row["agency"]: row for row in await account.freshness(rt)}
    broker, refused = await sharing.compared(rt), await sharing.refused(rt, now)
    items = []
    for agency in sorted({*lives, *rows, *covers, *refused}):
        life = lives.get(agency, NEVER)
        row = rows.get(agency, {"agency": agency, **account.NOTHING})
        shown = fresh(row, hook(hooks.get(agency)), now)
        items.append(
            Sharing(
                agency=agency,
                state=life.life.status,
                paused_by=sorted(life.life.paused),
                ways=_ways(life, agency in files),
                file_at=files.get(agency),
                freshness=shown,
                receipts=_receipts(row),
                retractions=Retractions(**back.get(agency, owed.Owed())._asdict()),
                covers=Covers(**covers.get(agency, sharing.Covers())._asdict()),
                parked=shown.refused + (shown.webhook.parked if shown.webhook else 0),
                differences=sum(one["agency"] == agency for one in broker.differences),
                refused=[Refusal(**one._asdict()) for one in refused.get(agency, [])],
            )
        )
    return Page(items=items)


@router.get("/v1/broker")
async def get_broker(call: Caller) -> Broker:
    """As `./tsunagu up` and `./tsunagu topics watch` compare it with directory and subscriptions."""
    call.need("operator")
    return Broker.model_validate((await sharing.compared(call.rt))._asdict())


def _ways(life: Ways, filed: bool) -> list[Way]:
    keyed = life.life.public_key is not None and not life.life.quarantined
    found: dict[Way, bool] = {
        "topic": keyed,
        "feed": keyed,
        "webhook": life.way is not None,
        "file": filed,
        "mail": "mail" in life.offices,
        "fax": "fax" in life.offices,
    }
    return [way for way, there in found.items() if there]


def _receipts(row: dict[str, object]) -> Receipts | None:
    if not row.get("last_receipt_at"):
        return None
    return Receipts.model_validate(
        {
            "delivered": row["unreceived"],
            "placed": row["unplaced"],
            "opened": row["unopened"],
        }
    )
