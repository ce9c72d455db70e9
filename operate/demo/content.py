"""The content of a document in a form that can be compared without joining anybody's handles."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, NamedTuple

from operate.demo.facts import Fact


class Item(NamedTuple):
    """One shown field, without handles."""

    type: str
    field: str
    data_class: str
    value: str
    occurred: str
    recorded_by: str
    bases: str

    @classmethod
    def of(cls, fact: Fact, bases: Iterable[str], recorded_by: str | None) -> Item:
        return cls(
            fact.type, fact.field, fact.data_class, _json(fact.value), _utc(fact.occurred),
            recorded_by or "", "+".join(sorted(bases)),
        )  # fmt: skip

    @classmethod
    def shown(cls, item: Mapping[str, Any]) -> Item:
        """An item of a document as the agency holds it."""
        return cls(
            item["type"], item["field"], item["class"], _json(item["value"]),
            _utc(datetime.fromisoformat(item["occurred_at"])), item["recorded_by"] or "",
            "+".join(sorted({basis["kind"] for basis in item["bases"]})),
        )  # fmt: skip


@dataclass(frozen=True)
class Content:
    """`items` of the document; `shape`: the same by person, with each person's coverage (L13)."""

    items: tuple[Item, ...]
    shape: str

    @classmethod
    def of(
        cls, items: Iterable[tuple[str | None, Item]], coverage: Mapping[str, Mapping[str, bool]]
    ) -> Content:
        """`items` with the person that each is about, if it is about one."""
        items = sorted(items, key=lambda pair: pair[1])
        people = sorted(
            [sorted(name for name, yes in covered.items() if yes),
             [item for about, item in items if about == person]]
            for person, covered in coverage.items()
        )  # fmt: skip
        others = [item for about, item in items if about not in coverage]
        return cls(tuple(item for _, item in items), _json([people, others]))

    @classmethod
    def held(cls, document: Mapping[str, Any]) -> Content:
        """What an agency's copy holds of one case."""
        coverage = {
            person["person"]: {name: it == "covered" for name, it in person["classes"].items()}
            for person in document["persons"]
        }
        return cls.of([(item["person"], Item.shown(item)) for item in document["items"]], coverage)


@dataclass(frozen=True)
class Difference:
    """Between what a copy must hold and what it holds. Same: all is zero."""

    missing: int
    surplus: int
    doubled: int
    documents: int

    @property
    def none(self) -> bool:
        return not (self.missing or self.surplus or self.doubled or self.documents)


def difference(wanted: Iterable[Content], held: Iterable[Content]) -> Difference:
    """Item by item over the whole copy, then document by document. `doubled`: wanted items that
    are there more often than wanted; `surplus`: items that should not be there at all.
    """
    wanted, held = list(wanted), list(held)
    must = Counter(item for content in wanted for item in content.items)
    has = Counter(item for content in held for item in content.items)
    more = has - must
    doubled = sum(count for item, count in more.items() if item in must)
    shapes = Counter(c.shape for c in wanted)
    shapes.subtract(Counter(c.shape for c in held))
    wrong = sum(abs(count) for count in shapes.values())
    return Difference((must - has).total(), more.total() - doubled, doubled, wrong)


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, sort_keys=True)


def _utc(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="microseconds")
