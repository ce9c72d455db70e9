"""HTTP of views: an agency's own documents and their feed, sealed facts for named members, receipts."""

from shared.route import together

from . import (
    covers,
    disclosures,
    documents,
    exchange,
    feed,
    freshness,
    history,
    merges,
    offices,
    page,
    reasons,
    receipts,
    retractions,
    sealed,
    sharing,
    subscriptions,
    ways,
)

PARTS = (
    subscriptions,
    ways,
    exchange,
    offices,
    covers,
    page,
    documents,
    feed,
    reasons,
    receipts,
    sealed,
    retractions,
    merges,
    history,
    disclosures,
    freshness,
    sharing,
)
router = together("views", *[part.router for part in PARTS])
