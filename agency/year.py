"""A synthetic year of one agency's topic: what is sent, step by step, and what a copy must then hold."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any
from uuid import UUID

from joserfc import jwe
from joserfc.jwk import OKPKey

from agency.document import digest
from agency.sealed import CHANGED, HEARTBEAT, Record

KANJI = "𠮷田 葛\U000e0100飾 髙﨑"
Holds = tuple[int, int, str | None]
"""Version, edition, digest; None where all content has ended."""


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that is tested; `wrong` is the sentence of whoever fails it. What is None is not looked at.

    `cut`: the connection ends in mid-batch. `drawn`: by lot, so it speaks only if no rule was broken.
    """

    wrong: str
    records: Sequence[Record] = ()
    holds: dict[str, Holds | None] = field(default_factory=dict)
    keys: tuple[OKPKey, ...] | None = None
    taken: Sequence[str] | None = None
    refused: str | None = None
    healed: str | None = None
    to_confirm: str | None = None
    up_to_date_at: str | None = None
    cut: bool = False
    drawn: bool = False


class Year:
    """The same for a seed but for keys and seals; made once, it can be replayed to many.

    `monthly`: how many changes are drawn by lot for each month, beside what tests the rules.
    """

    def __init__(self, seed: int = 1, monthly: int = 60) -> None:
        self._chance = Random(seed)  # noqa: S311 (nothing here is secret)
        self._offset, self._monthly = 0, monthly
        self.old, self.new, self._strange = (
            OKPKey.generate_key("X25519", {"use": "enc"}) for _ in range(3)
        )
        self._key = self.old
        self.steps = [
            *self._rules(),
            *self._poison(),
            *self._keys(),
            *self._cuts(),
            *self._months(),
        ]

    def _rules(self) -> Iterator[Step]:
        a, b, c, d, e, f, g, h = self._handles(8)
        first = self._sent(a, 1)
        yield Step(
            "A document that was sent is not in the copy as it was sent.",
            [first],
            {a: self.holds(a, 1)},
            (self.old,),
        )
        yield Step(
            "A record that came twice was taken over twice.",
            [first],
            {a: self.holds(a, 1)},
            taken=[],
        )
        yield self._step(
            "An older version replaced a newer one.", [(b, 2, 1), (b, 1, 1)], {b: (2, 1)}
        )
        yield self._step(
            "Versions are compared as text: 10 is higher than 9.",
            [(c, 9, 1), (c, 10, 1)],
            {c: (10, 1)},
        )
        yield self._step(
            "A version behind a gap was not taken over; only the newest is promised.",
            [(d, 1, 1), (d, 5, 1)],
            {d: (5, 1)},
        )
        yield self._step(
            "The same version with a higher edition was not taken over.",
            [(e, 1, 1), (e, 1, 2)],
            {e: (1, 2)},
        )
        yield self._step(
            "A lower edition of the same version replaced a higher one.", [(e, 1, 1)], {e: (1, 2)}
        )
        yield self._step(
            "A newer version was not taken over because its edition is lower.",
            [(f, 1, 5), (f, 2, 1)],
            {f: (2, 1)},
        )
        two, one, none = self.body(g, 1, 2), self.body(g, 2, 1), self.body(g, 3, 0)
        yield Step(
            "What a newer document no longer holds is still in the copy.",
            [self._sent(g, 1, body=two), self._sent(g, 2, body=one)],
            {g: (2, 1, digest(one))},
        )
        yield Step("That content left the document was not noted, to be confirmed.", to_confirm=g)
        yield Step(
            "A document without items did not end the content.",
            [self._sent(g, 3, body=none)],
            {g: (3, 1, digest(none))},
        )
        yield Step(
            "A tombstone did not delete the content.",
            [self._sent(h, 4), self._tombstone(h, 4)],
            {h: (4, 1, None)},
        )
        yield self._step(
            "A late record brought back content that a tombstone had ended.",
            [(h, 4, 1)],
            {h: (4, 1, None)},
        )
        yield self._step(
            "After a tombstone a new version was not taken over.", [(h, 5, 1)], {h: (5, 1)}
        )
        (i,) = self._handles(1)
        yield Step(
            "A tombstone that came before its content was forgotten.",
            [self._tombstone(i, 3), self._sent(i, 2)],
            {i: (3, 1, None)},
        )
        yield from self._shapes()

    def _shapes(self) -> Iterator[Step]:
        a, b, c, d, e, f = self._handles(6)
        newer = self.body(a, 1)
        newer["items"][0] |= {
            "type": "case.of_a_later_year",
            "class": "later",
            "later": {"b": [1, None], "a": True},
        }
        newer |= {"later": KANJI}
        yield Step(
            "A document with members or types that the kit does not know was not kept whole.",
            [self._sent(a, 1, body=newer)],
            {a: (1, 1, digest(newer))},
        )
        unknown = self._sent(b, 1, type="jp.tsunagu.view.of_a_later_year.v1")
        yield Step(
            "A record of an unknown type was taken for a document, or held up the next.",
            [unknown, self._sent(c, 1)],
            {b: None, c: self.holds(c, 1)},
        )
        later = self._sent(e, 1, type=CHANGED.replace(".v1", ".v2"))
        yield Step(
            "A document of a later version of its type was read as if it were of this one.",
            [later, self._sent(f, 1)],
            {e: None, f: self.holds(f, 1)},
        )
        large = self.body(d, 1, 900)
        yield Step(
            "A document of more than 64 KiB was not taken over.",
            [self._sent(d, 1, body=large)],
            {d: (1, 1, digest(large))},
        )
        at = "2026-09-30T15:00:00Z"
        yield Step(
            "A heartbeat did not say up to when everything has been heard.",
            [self._beat({"at": at})],
            up_to_date_at=at,
        )
        yield Step(
            "A heartbeat of a paused subscription was taken for `up to date`.",
            [self._beat({"at": "2026-10-01T15:00:00Z", "paused": True})],
            up_to_date_at=at,
        )

    def _poison(self) -> Iterator[Step]:
        a, b, c, d, e, f = self._handles(6)
        yield Step(
            "A record that does not open held up what came after it.",
            [self._sent(a, 1), self._sent(a, 2, value=b"no jwe"), self._sent(b, 1)],
            {b: self.holds(b, 1)},
        )
        yield Step("A record that does not open was taken for an end.", holds={a: self.holds(a, 1)})
        yield Step("A record that does not open was passed over in silence.", refused=a)
        yield Step(
            "What did not open is still shown after a good record of the same case.",
            [self._sent(a, 3)],
            {a: self.holds(a, 3)},
            healed=a,
        )
        foreign = self.sealed(self.body(c, 1), self._strange)
        yield Step(
            "A record that is sealed to another key was passed over in silence.",
            [self._sent(c, 1, value=foreign)],
            {c: None},
            refused=c,
        )
        weak = self.sealed(self.body(d, 1), self.old, "A128GCM")
        yield Step(
            "A record sealed with an algorithm that was not agreed was opened.",
            [self._sent(d, 1, value=weak)],
            {d: None},
            refused=d,
        )
        yield Step(
            "A document of one case was kept under the handle of another.",
            [self._sent(e, 1, body=self.body(f, 1))],
            {e: None, f: None},
            refused=e,
        )

    def _keys(self) -> Iterator[Step]:
        a, b, c = self._handles(3)
        before, self._key = self._sent(a, 1), self.new
        yield Step(
            "With two keys at once, a record to one of them was not opened.",
            [before, self._sent(b, 1)],
            {a: self.holds(a, 1), b: self.holds(b, 1)},
            (self.old, self.new),
        )
        yield Step(
            "A document sealed anew to the new key was not taken over.",
            [self._sent(a, 1, 2)],
            {a: self.holds(a, 1, 2)},
            (self.new,),
        )
        late = self.sealed(self.body(c, 1), self.old)
        yield Step(
            "A key that was given up still opens records.",
            [self._sent(c, 1, value=late)],
            {c: None},
        )

    def _cuts(self) -> Iterator[Step]:
        """Afterwards the rest is sent, from the place that the copy has kept."""
        for _ in range(3):
            new = self._handles(60)
            holds = {handle: self.holds(handle, 1) for handle in new}
            wrong = "After a cut in mid-batch content was missing: its place was kept without it."
            yield Step(wrong, [self._sent(handle, 1) for handle in new], dict(holds), cut=True)

    def _months(self) -> Iterator[Step]:
        """Twelve months of forty cases, each month doubled in part, shuffled, with gaps."""
        cases, due = {handle: [0, 1] for handle in self._handles(40)}, dict[str, Holds]()
        for _ in range(12):
            records = []
            for _ in range(self._monthly):
                handle = self._chance.choice(list(cases))
                now = cases[handle]
                if now[0] and self._chance.random() < 0.2:
                    now[1] += 1
                else:
                    cases[handle] = now = [now[0] + self._chance.choice((1, 1, 2)), 1]
                body = self.body(handle, now[0], self._chance.randrange(4))
                records.append(self._sent(handle, *now, body=body))
                due[handle] = (now[0], now[1], digest(body))
                if not body["items"]:
                    records.append(self._tombstone(handle, *now))
                    due[handle] = (now[0], now[1], None)
            records += self._chance.sample(records, self._monthly // 5)
            self._chance.shuffle(records)
            sent = [self._again(record) for record in records]
            wrong = "In a year drawn by lot the copy became another than the city's."
            yield Step(wrong, sent, dict(due), drawn=True)

    def _handles(self, count: int) -> list[str]:
        return [str(UUID(int=self._chance.getrandbits(128), version=4)) for _ in range(count)]

    def _step(self, wrong: str, sent: Sequence[tuple[str, int, int]], due: dict[str, Any]) -> Step:
        holds = {
            handle: rank if len(rank) == 3 else self.holds(handle, *rank)
            for handle, rank in due.items()
        }
        return Step(wrong, [self._sent(*one) for one in sent], holds)

    def body(self, handle: str, version: int, items: int = 1) -> dict[str, Any]:
        return {
            "handle": handle, "document": version, "at": "2026-04-01T00:00:00Z",
            "cause": "content_changed" if items else "content_ended",
            "persons": [{"person": "p", "classes": {"contact": "covered"}}] if items else [],
            "items": [
                {
                    "item": f"{handle}-{n}", "type": "case.person_described", "field": "name",
                    "class": "contact", "person": "p", "value": {"family": KANJI, "of": [version, n]},
                    "recorded_by": None,
                    "occurred_at": "2026-04-01T09:00:00+09:00", "bases": [{"kind": "consent", "id": "b"}],
                }
                for n in range(items)
            ],
        }  # fmt: skip

    def holds(self, handle: str, version: int, edition: int = 1) -> Holds:
        return version, edition, digest(self.body(handle, version))

    def sealed(self, body: Any, key: OKPKey, enc: str = "A256GCM") -> bytes:
        plain = json.dumps(body, ensure_ascii=False).encode()
        padded = plain.ljust(-(-len(plain) // 1024) * 1024)
        public = OKPKey.import_key(key.as_dict(private=False))
        header = {"alg": "ECDH-ES", "enc": enc, "cty": "application/json"}
        return jwe.encrypt_compact(header, padded, public, algorithms=["ECDH-ES", enc]).encode()

    def _sent(
        self, handle: str, version: int, edition: int = 1, *,
        body: dict[str, Any] | None = None, value: bytes | None = None, type: str = CHANGED,
    ) -> Record:  # fmt: skip
        if value is None:
            value = self.sealed(body or self.body(handle, version), self._key)
        return self._record(handle.encode(), value, type, version, edition)

    def _tombstone(self, handle: str, version: int, edition: int = 1) -> Record:
        return self._record(handle.encode(), None, CHANGED, version, edition)

    def _beat(self, body: dict[str, Any]) -> Record:
        return self._record(
            HEARTBEAT, json.dumps(body).encode(), "jp.tsunagu.view.heartbeat.v1", 1, 1
        )

    def _record(
        self, key: bytes, value: bytes | None, type: str, version: int, edition: int
    ) -> Record:
        self._offset += 1
        headers = {
            "ce_type": type,
            "ce_version": version,
            "ce_edition": edition,
            "ce_id": f"id-{self._offset}",
        }
        return Record(
            self._offset,
            key,
            value,
            tuple((name, str(text).encode()) for name, text in headers.items()),
        )

    def _again(self, record: Record) -> Record:
        """At the next place of the topic, where it is sent a second time or in another order."""
        self._offset += 1
        return Record(self._offset, record.key, record.value, record.headers)
