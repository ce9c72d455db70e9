"""The parts of the services' answers that the page shows; whatever else they hold is left alone."""

from datetime import datetime

from prometheus_client.parser import text_string_to_metric_families
from pydantic import BaseModel

Number = int | float


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


class Freshness(BaseModel):
    """`undelivered`: documents whose newest version is not on the agency's topic yet."""

    agency: str
    subscribed: bool = True
    documents: int = 0
    undelivered: int = 0
    refused: int = 0
    newest_at: datetime | None = None


class Agencies(BaseModel):
    items: list[Agency]


class FreshnessPage(BaseModel):
    items: list[Freshness]


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


WAITING = ("tsunagu_parked_streams", "tsunagu_held_total", "tsunagu_cases_not_judged")
"""What waits for a person: parked streams, refused events, cases whose documents are not judged."""
