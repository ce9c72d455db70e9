"""HTTP of intake, one noun a file: parse, decide, answer. Rules are in `domain`."""

from fastapi import Depends

from shared.route import together

from . import (
    assessments,
    assignments,
    attachments,
    bases,
    caseless,
    cases,
    consents,
    disposals,
    flags,
    grounds,
    history,
    household,
    lead,
    lists,
    matches,
    merges,
    messages,
    notices,
    outreach,
    protections,
    readings,
    records,
    rights,
    sections,
    transfers,
    watches,
)
from .common import purpose

PARTS = (
    cases,
    sections,
    household,
    assessments,
    assignments,
    lead,
    lists,
    matches,
    merges,
    records,
    consents,
    flags,
    grounds,
    bases,
    attachments,
    notices,
    protections,
    readings,
    transfers,
    messages,
    watches,
    disposals,
    caseless,
    rights,
    outreach,
    history,
)
router = together("intake", *[part.router for part in PARTS], dependencies=[Depends(purpose)])
