"""HTTP of intake, one noun a file: parse, decide, answer. Rules are in `domain`."""

from fastapi import APIRouter, Depends

from . import (
    assessments,
    assignments,
    bases,
    cases,
    consents,
    flags,
    household,
    lead,
    notices,
    readings,
    records,
    sections,
)
from .common import purpose

router = APIRouter(tags=["intake"], dependencies=[Depends(purpose)])
for part in (
    cases,
    sections,
    household,
    assessments,
    assignments,
    lead,
    records,
    consents,
    flags,
    bases,
    notices,
    readings,
):
    router.include_router(part.router)
