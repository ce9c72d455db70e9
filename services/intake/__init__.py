"""Intake (相談受付): cases from a partial つなぐシート, contacts, screening, consents."""

from shared.runtime import Service

from .api import router
from .domain.deadlines import fire, plan
from .view import view

SERVICE = Service(
    name="intake",
    streams=(
        "case",
        "record",
        "consent",
        "basis",
        "notice",
        "watch",
        "household",
        "assignment",
        "deputyship",
        "merge",
        "match",
        "transfer",
        "handover",
        "message",
    ),
    router=router,
    view=view,
    plan=plan,
    fire=fire,
    audited=True,
)
