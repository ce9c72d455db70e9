"""HTTP of views: the caller agency's own documents, sealed facts for named members, receipts."""

from fastapi import APIRouter

from . import documents, freshness, retractions, sealed, subscriptions

router = APIRouter(tags=["views"])
for part in (subscriptions, documents, sealed, retractions, freshness):
    router.include_router(part.router)
