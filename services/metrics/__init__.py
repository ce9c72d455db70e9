"""Metrics (指標): indicators and running figures, derived from the stream and two small inputs."""

from shared.runtime import Service

from .api import router
from .catch_up import settled
from .stream import run
from .view import view

SERVICE = Service(
    name="metrics",
    streams=("survey", "course"),
    router=router,
    view=view,
    tasks=lambda rt: [run(rt)],
    settled=settled,
    follows_by_itself=True,
)
