"""Views (各機関のビュー): the only place that discloses; one document for each agency and case."""

from shared.runtime import Runtime, Service

from .api import router
from .delivery import DUE, Delivery
from .domain.deadlines import fire, plan
from .refusals import unfit
from .resending import resending
from .view import reached, view
from .ways.mailing import Mailing
from .ways.webhooks import Webhooks

UNDELIVERED = f"""
select exists (select from delivery d join subscription s using (agency)
                where {DUE} and (refused is null or retry_at is null))"""


async def settled(rt: Runtime) -> bool:
    """Nothing left to judge, and every document that can be delivered is."""
    return await rt.state["judge"].settled() and not await rt.pool.fetchval(UNDELIVERED)


SERVICE = Service(
    name="views",
    streams=("disclosure", "subscription", "refusal", "provision"),
    router=router,
    view=view,
    plan=plan,
    fire=fire,
    outboxes=lambda rt: {"documents": Delivery(rt)},
    tasks=lambda rt: [
        rt.state["judge"].heard.listen(),
        rt.state["judge"].run(),
        rt.state["bells"].run(),
        resending(rt),
        Webhooks(rt).run(),
        Mailing(rt).run(),
    ],
    settled=settled,
    unfit=unfit,
    reached=reached,
)
