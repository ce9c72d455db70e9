"""Referral (つなぎ): requests that must be answered; the directory of agencies, programmes and desks."""

from shared.runtime import Service

from .api import router
from .domain.deadlines import fire, plan
from .view import view

SERVICE = Service(
    name="referral",
    streams=("referral", "agency", "programme", "desk"),
    router=router,
    view=view,
    plan=plan,
    fire=fire,
)
