"""The parts of the services' answers that the page shows; whatever else they hold is left alone."""

from datetime import UTC, datetime, timedelta

from prometheus_client.parser import text_string_to_metric_families
from pydantic import BaseModel

Number = int | float
STALE = timedelta(minutes=5)


class Indicator(BaseModel):
    """`value` None: nothing is known for the year."""

    id: str
    name: str
    unit: str
    value: Number | None
    base: Number
    target: Number
    target_fiscal_year: int
    by_kind: dict[str, int] | None = None
    combined: int | None = None
    confirmed: bool = True


class Figures(BaseModel):
    contacts: int
    cases_opened: int
    cases_open: int
    referrals: dict[str, int]
    median_days_request_to_start: float | None
    meetings: dict[str, int]


class Year(BaseModel):
    fiscal_year: int
    indicators: list[Indicator]
    figures: Figures


class Agency(BaseModel):
    code: str
    name: str


class Agencies(BaseModel):
    items: list[Agency]


class Words(BaseModel):
    ja: str
    en: str


class Webhook(BaseModel):
    """`breaker` closed: it is told as usual; else why not, and since when."""

    breaker: str
    trouble: str | None = None
    troubled_since: datetime | None = None


class Freshness(BaseModel):
    """`undelivered`: documents whose newest version is not on the agency's topic yet."""

    subscribed: bool
    documents: int
    undelivered: int
    words: Words
    webhook: Webhook | None = None


class Receipts(BaseModel):
    """Documents whose newest version lacks this confirmation."""

    delivered: int
    placed: int
    opened: int


class Retractions(BaseModel):
    unconfirmed: int
    overdue: int


class Covers(BaseModel):
    waiting: int
    astray: int


class Refusal(BaseModel):
    kind: str
    times: int
    last: datetime


class Sharing(BaseModel):
    """How sharing stands with one agency, as views tells an operator."""

    agency: str
    state: str
    ways: list[str]
    file_at: datetime | None
    freshness: Freshness
    receipts: Receipts | None
    retractions: Retractions
    covers: Covers
    parked: int
    differences: int
    refused: list[Refusal]

    @property
    def needs(self) -> list[str]:
        """What waits for a person, the most pressing first."""
        hook = self.freshness.webhook
        found = {
            "quarantined": self.state == "quarantined",
            "overdue": self.retractions.overdue,
            "parked": self.parked,
            "astray": self.covers.astray,
            "breaker": hook is not None and hook.breaker != "closed",
            "differs": self.differences,
        }
        return [name for name, there in found.items() if there]


class SharingPage(BaseModel):
    items: list[Sharing]


class Difference(BaseModel):
    agency: str | None
    kind: str
    name: str
    what: str


class Broker(BaseModel):
    """`at`: when it was last compared with what it should hold."""

    at: datetime | None
    differences: list[Difference]

    @property
    def stale(self) -> bool:
        """Nobody compares any more: what was found then says nothing of now."""
        return self.at is None or datetime.now(UTC) - self.at > STALE


class Stream(BaseModel):
    """One service's figures from its /metrics; counters begin with its process."""

    published: int
    oldest_seconds: float
    lag: int
    parked: int
    duplicates: int

    @classmethod
    def read(cls, service: str, text: str) -> "Stream":
        """Raises ValueError for what is no Prometheus text."""
        sums: dict[str, float] = {}
        for family in text_string_to_metric_families(text):
            for sample in family.samples:
                if sample.labels.get("relay", service) == service:
                    sums[sample.name] = sums.get(sample.name, 0) + sample.value
        return cls(
            published=int(sums.get("tsunagu_published_total", 0)),
            oldest_seconds=sums.get("tsunagu_oldest_unpublished_seconds", 0),
            lag=int(sums.get("tsunagu_follower_lag", 0)),
            parked=sum(int(sums.get(name, 0)) for name in WAITING),
            duplicates=int(sums.get("tsunagu_duplicates_total", 0)),
        )


WAITING = (
    "tsunagu_parked_streams",
    "tsunagu_held_events",
    "tsunagu_cases_not_judged",
    "tsunagu_undone",
)
"""What waits for a person: parked streams, refused events, cases whose documents are not judged, and what
was due and could not be carried out.
"""
