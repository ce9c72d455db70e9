"""HTTP of views: an agency's own documents and their feed, sealed facts for named members, receipts."""

from shared.route import together

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

PARTS = (
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
)
router = together("views", *[part.router for part in PARTS])
