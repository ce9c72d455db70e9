"""How sharing stands with each agency, for a terminal: what the console shows, in one table."""

from __future__ import annotations

from typing import Any

from rich.markup import escape
from rich.table import Table

from operate.console.answers import Broker, Sharing, SharingPage
from operate.console.words import moment
from operate.install import Refused
from operate.stack import Stack

COLUMNS = (
    "agency", "state", "ways", "freshness", "receipts missing", "retractions", "covers", "documents",
    "broker", "input refused",
)  # fmt: skip
PATIENCE = 10.0


def ask(stack: Stack) -> dict[str, Any]:
    """The answers of views to an operator: `items` by agency, and the `broker` as it was compared."""
    import httpx

    token = stack.token("console", ["operator"])
    headers = {"authorization": f"Bearer {token}"}
    try:
        with httpx.Client(
            base_url=stack.http("views"), headers=headers, timeout=PATIENCE
        ) as client:
            found, broker = client.get("/v1/sharing"), client.get("/v1/broker")
    except httpx.HTTPError as error:
        raise Refused(
            f"views does not answer ({type(error).__name__}); look at ./tsunagu status"
        ) from error
    if not (found.is_success and broker.is_success):
        raise Refused(f"views answered {found.status_code} and {broker.status_code}")
    return {"items": found.json()["items"], "broker": broker.json()}


def needy(found: dict[str, Any]) -> bool:
    """Whether something waits for a person, or nobody compares the broker any more."""
    broker = Broker.model_validate(found["broker"])
    return bool(broker.differences) or broker.stale or any(one.needs for one in _items(found))


def table(found: dict[str, Any]) -> Table:
    shown = Table(box=None, pad_edge=False, caption=_compared(found), caption_justify="left")
    for column in COLUMNS:
        shown.add_column(column, overflow="fold")
    for one in _items(found):
        shown.add_row(*_row(one), style="red" if one.needs else None)
    return shown


def _items(found: dict[str, Any]) -> list[Sharing]:
    return SharingPage.model_validate(found).items


def _row(one: Sharing) -> tuple[str, ...]:
    receipts, back, covers = one.receipts, one.retractions, one.covers
    hook = one.freshness.webhook
    ways = [f"{w} ({hook.breaker})" if w == "webhook" and hook else w for w in one.ways]
    return (
        one.agency,
        one.state,
        ", ".join(ways) or "-",
        one.freshness.words.en,
        f"{receipts.delivered}/{receipts.placed}/{receipts.opened}" if receipts else "-",
        _told(unconfirmed=back.unconfirmed, overdue=back.overdue),
        _told(waiting=covers.waiting, astray=covers.astray),
        _told(parked=one.parked),
        _told(differ=one.differences),
        _refused(one),
    )


def _told(**counts: int) -> str:
    return ", ".join(f"{count} {word}" for word, count in counts.items() if count) or "-"


def _refused(one: Sharing) -> str:
    if not one.refused:
        return "-"
    last = max(refusal.last for refusal in one.refused)
    return f"{_told(**{r.kind: r.times for r in one.refused})}; last {moment(last)}"


def _compared(found: dict[str, Any]) -> str:
    broker = Broker.model_validate(found["broker"])
    if broker.at is None:
        return "the broker was never compared: ./tsunagu topics watch does"
    lines = [f"  {one.kind} {one.name}: {one.what}" for one in broker.differences]
    head = f"broker compared {moment(broker.at)}"
    told = f"{len(lines)} differences" if lines else "it holds what it should"
    late = "; nobody has compared it since" if broker.stale else ""
    return escape("\n".join([f"{head}: {told}{late}", *lines]))
