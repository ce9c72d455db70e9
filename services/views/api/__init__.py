"""HTTP of views: an agency's own documents and their feed, sealed facts for named members, receipts."""

from fastapi import APIRouter

from . import (
    documents,
    feed,
    freshness,
    history,
    merges,
    receipts,
    retractions,
    sealed,
    subscriptions,
    ways,
)

router = APIRouter(tags=["views"])
for part in (
    subscriptions,
    ways,
    documents,
    feed,
    receipts,
    sealed,
    retractions,
    merges,
    history,
    freshness,
):
    router.include_router(part.router)
