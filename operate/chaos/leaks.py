"""Every document that was ever sent to an agency, opened with its key, against what it might hold then.

The copy shows the newest documents only; a leak may be an older one (C6).
"""

from __future__ import annotations

import asyncio
import json
from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta

from agency.credentials import Credentials
from agency.sealed import unsealed
from operate import databases
from operate.demo.content import Item
from operate.demo.facts import Fact
from operate.demo.ledger import Done
from operate.demo.oracle import Consent, Oracle, Seat
from operate.demo.records import read
from operate.stack import Stack

CASES = "select handle::text, case_id::text from delivery where agency = $1"


Judged = tuple[datetime, list[Consent], dict[Item, bool]]


class Then(Oracle):
    """Judges at any moment, in the agency's favour where a moment is as long as a day of the demo:
    an end counts from the stop of the clock after the one at which it was recorded.

    Documents come in the order of their topic: what was found is kept until a later moment.
    """

    def __init__(
        self, done: Iterable[Done], at: datetime, jumped: Mapping[datetime, datetime]
    ) -> None:
        done = list(done)
        super().__init__(done, at)
        self._jumped = jumped
        self._known = {
            one.places["consent"]: one.at.astimezone(UTC)
            for one in done
            if one.intent.kind == "withdrawal"
        }
        self._stays = _stays(done)
        self._ids = {id(consent): name for name, consent in self._consents.items()}
        self._joined: dict[str, list[tuple[frozenset[str], datetime]]] = defaultdict(list)
        self._telling: dict[tuple[str, Item], list[Fact]] = defaultdict(list)
        for case, told in self._facts.items():
            for fact in told:
                self._telling[case, Item.of(fact, (), None)].append(fact)
                if fact.type == "case.person_joined":
                    since = fact.recorded.astimezone(UTC)
                    self._joined[case].append((fact.subjects or frozenset(), since))
        self._judged: dict[tuple[str, str], Judged] = {}
        self._sat: dict[tuple[str | None, str, datetime], bool] = {}

    def narrowed_at(self, one: Done) -> datetime:
        return one.at.astimezone(UTC)

    def leaked(self, agency: str, case: str, items: Iterable[Item], at: datetime) -> int:
        """Items that the agency might not be sent at that moment."""
        moment, given, covered = self._judged.get((agency, case), (None, [], {}))
        if moment != at:
            stop = self._jumped.get(at, at) - timedelta.resolution
            some = [one for one in self._by_case[case] if self._might(one, agency, at)]
            left = [one.narrowed(stop) for one in some]
            given = [one for one in left if agency not in one.excluded]
            covered = {}
            self._judged[agency, case] = at, given, covered
        household = {p for people, since in self._joined[case] if since <= at for p in people}
        self._households[case] = household
        leaked = 0
        for item in items:
            if item not in covered:
                covered[item] = self._covered(agency, case, item, given)
            leaked += not covered[item]
        return leaked

    def _covered(self, agency: str, case: str, item: Item, given: list[Consent]) -> bool:
        return any(self._bases(fact, agency, given) for fact in self._told(case, item))

    def _told(self, case: str, item: Item) -> list[Fact]:
        """What an item may have been made from, whoever recorded it."""
        return self._telling.get((case, item._replace(recorded_by="", bases="")), [])

    def _might(self, consent: Consent, agency: str, at: datetime) -> bool:
        # Where the clock of views was ahead, others could still end a basis at the stop before.
        stop = self._jumped.get(at, at)
        ended = self._known.get(self._ids[id(consent)])
        if ended is None:
            over = bool(consent.ends and consent.ends <= at)
        else:
            over = ended < stop
        if over or consent.begins > at or agency in consent.excluded:
            return False
        if not consent.purposes & self._purposes.get(agency, frozenset()):
            return False
        if agency in consent.holders or agency in consent.told:
            return True
        return self._sits(consent.group, agency, at, stop)

    def _sits(self, pool: str | None, agency: str, at: datetime, stop: datetime) -> bool:
        place = pool, agency, at
        if place not in self._sat:
            self._sat[place] = any(
                seat.since <= at and not (seat.left and seat.left < stop)
                for seat in self._stays[str(pool), agency]
            )
        return self._sat[place]


def _stays(done: Iterable[Done]) -> dict[tuple[str, str], list[Seat]]:
    """By pool and agency, every stay of every member; it ends at the stop of the clock at which that was
    recorded.
    """
    stays: dict[tuple[str, str], list[Seat]] = defaultdict(list)
    here: dict[tuple[str, str], Seat] = {}
    for one in sorted(done, key=lambda one: one.occurred):
        if one.intent.kind in ("member", "leaving"):
            _, _, _, pool, _, subject, *_ = one.intent.path.split("/")
            if one.intent.kind == "member":
                seat = Seat(one.body["agency"], one.occurred.astimezone(UTC))
                here[pool, subject] = seat
                stays[pool, seat.agency].append(seat)
            else:
                here[pool, subject].left = one.at.astimezone(UTC)
    return stays


async def leaks(
    stack: Stack, found: Credentials, code: str, then: Then
) -> tuple[int, dict[str, int]]:
    """Documents on an agency's topic, and by place the items that it might not be sent."""
    rows = await databases.fetch(stack.admin_database_url("views"), CASES, code)
    cases = {row["handle"]: row["case_id"] for row in rows}
    return await asyncio.to_thread(_leaks, stack, found, code, then, cases)


def _leaks(
    stack: Stack, found: Credentials, code: str, then: Then, cases: dict[str, str]
) -> tuple[int, dict[str, int]]:
    keys = found.keys()
    documents = 0
    leaked: dict[str, int] = {}
    for message in read(stack, [found.topic]):
        handle, value = (message.key() or b"").decode(), message.value()
        if value is None or handle not in cases:
            continue
        document = json.loads(unsealed(value, keys))
        items = [Item.shown(item) for item in document["items"]]
        documents += 1
        items_leaked = then.leaked(
            code, cases[handle], items, datetime.fromisoformat(document["at"])
        )
        if items_leaked:
            place = f"partition {message.partition()} offset {message.offset()}"
            leaked[f"{place}, document {document['document']} at {document['at']}"] = items_leaked
    return documents, leaked
