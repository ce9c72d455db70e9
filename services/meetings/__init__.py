"""Meetings (会議): bodies and their members, matters before them, sittings, agenda, decisions, tasks."""

from shared.runtime import Service

from .api import router
from .domain.deadlines import fire, plan
from .view import view

SERVICE = Service(
    name="meetings",
    streams=("meeting", "sitting", "matter", "body", "task"),
    router=router,
    view=view,
    plan=plan,
    fire=fire,
)
