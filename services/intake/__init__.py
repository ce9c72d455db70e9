"""Intake (相談受付): cases from a partial つなぐシート, contacts, screening, consents."""

from shared.runtime import Service

from . import disposal, likely
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
        "attachment",
        "rights",
    ),
    router=router,
    view=view,
    plan=plan,
    fire=fire,
    tasks=lambda rt: [disposal.run(rt), likely.run(rt)],
    settled=disposal.settled,
    largest_body=7_500_000,  # an attachment, in base64
    audited=True,
)
