"""Bad input of an agency's system goes on record: what, when, from whom."""

from dataclasses import replace
from datetime import timedelta

from shared.auth import Principal
from shared.calendar import TOKYO
from shared.contracts.views import InputRefused, What
from shared.decider import Decider
from shared.http import Call
from shared.journal import Context
from shared.runtime import Runtime

QUIET = timedelta(minutes=1)
"""Who sends the same nonsense all day fills no journal; and no stream that is read with each of his calls."""
LAST = "select at from journal where stream = $1 order by version desc limit 1"
DECIDER: Decider[None, InputRefused] = Decider(
    None, lambda state, command: [command], lambda state, event: state
)


async def put_on_record(call: Call, agency: str, what: What) -> None:
    """Before the refusal is answered. Raises Problem (503)."""
    call.need_whole()
    await refused(call.rt, agency, what, replace(call.context(), command=None))


async def refused(rt: Runtime, agency: str, what: What, context: Context) -> None:
    day = context.at.astimezone(TOKYO).date()
    stream = f"refusal/{agency}/{what}/{day}"
    last = await rt.pool.fetchval(LAST, stream)
    if last is None or context.at - last >= QUIET:
        event = InputRefused(agency=agency, what=what)
        await rt.journal.handle(DECIDER, stream, agency, event, context)


async def unknown(call: Call, what: What) -> None:
    """Before the refusal is answered. Raises Problem (503): as long as views is behind it may be known."""
    if "system" in call.who.roles:
        call.need_whole()
        await unfit(call.rt, call.who, what)


async def unfit(rt: Runtime, who: Principal, what: What) -> None:
    """Of an agency's system that is subscribed; what staff type wrong is between them and their screen."""
    subscribed = (await rt.journal.load(f"subscription/{who.agency}")).version
    if "system" not in who.roles or not subscribed:
        return
    now = rt.clock.now()
    context = Context(actor=who.subject, agency=who.agency, at=now, occurred_at=now)
    await refused(rt, who.agency, what, context)
