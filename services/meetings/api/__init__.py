"""HTTP of meetings, one noun a file: parse, decide, answer. Rules are in `domain`."""

from fastapi import APIRouter

from . import bodies, matters, meetings

router = APIRouter(tags=["meetings"])
for part in (bodies, matters, meetings):
    router.include_router(part.router)
