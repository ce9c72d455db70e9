"""HTTP of intake, one noun a file: parse, decide, answer. Rules are in `domain`."""

from fastapi import APIRouter

from . import cases, consents, lead, notices, records, sections

router = APIRouter(tags=["intake"])
for part in (cases, sections, lead, records, consents, notices):
    router.include_router(part.router)
