"""What each event of a subscription makes of delivery: to which key, and whether anything flows."""

from shared.contracts.views import (
    KeyRevoked,
    KeyRotated,
    LoginRenewed,
    SubscriptionEnded,
    SubscriptionEvent,
    SubscriptionPaused,
    SubscriptionQuarantined,
    SubscriptionRegistered,
    SubscriptionReleased,
    SubscriptionResumed,
)
from shared.db import Connection

AT = """
insert into subscription (agency, version) values ($1, $2)
on conflict (agency) do update set version = excluded.version"""
KEY = "update subscription set public_key = $2, closed = false where agency = $1"
RENEW = "update subscription set login_renewed = $2 where agency = $1"
RESEAL = "update delivery set edition = edition + 1, retry_at = null where agency = $1"
PAUSE = """
update subscription set paused = array_append(array_remove(paused, $2), $2) where agency = $1"""
RESUME = "update subscription set paused = array_remove(paused, $2) where agency = $1"
QUARANTINE = "update subscription set quarantined = $2 where agency = $1"
END = "update subscription set public_key = null, paused = '{}', closed = true where agency = $1"


async def subscribed(db: Connection, event: SubscriptionEvent, version: int) -> None:
    """Of a stream in its order; the same event again changes no more than an edition."""
    agency = event.agency
    await db.execute(AT, agency, version)
    match event:
        case SubscriptionRegistered(public_key=key) | KeyRotated(public_key=key):
            await db.execute(KEY, agency, key)
            await db.execute(RESEAL, agency)
        case KeyRevoked():
            await db.execute(KEY, agency, None)
        case LoginRenewed():
            await db.execute(RENEW, agency, version)
        case SubscriptionPaused(by=by):
            await db.execute(PAUSE, agency, by)
        case SubscriptionResumed(by=by):
            await db.execute(RESUME, agency, by)
        case SubscriptionQuarantined():
            await db.execute(QUARANTINE, agency, True)
        case SubscriptionReleased():
            await db.execute(QUARANTINE, agency, False)
        case SubscriptionEnded():
            await db.execute(END, agency)
        case _:
            pass
