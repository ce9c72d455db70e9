"""Every document that was ever sent to an agency, opened with its key, against what it might hold then.

The copy shows the newest documents only; a leak may be an older one (C6).
"""

from __future__ import annotations

import asyncio
import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime

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


class Then(Oracle):
    """Judges at any moment, in the agency's favour where a moment is as long as a day of the demo:
    an end counts from the stop of the clock after the one at which it was recorded.
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
        self._joined = [
            (fact.case, fact.subjects or frozenset[str](), fact.recorded.astimezone(UTC))
            for told in self._facts.values()
            for fact in told
            if fact.type == "case.person_joined"
        ]

    def leaked(self, agency: str, case: str, items: Iterable[Item], at: datetime) -> int:
        """Items that the agency might not be sent at that moment."""
        given = [one for one in self._by_case[case] if self._might(one, agency, at)]
        self._households[case] = {
            person
            for of, people, since in self._joined
            if of == case and since <= at
            for person in people
        }
        return sum(not self._covered(agency, case, item, given) for item in items)

    def _covered(self, agency: str, case: str, item: Item, given: list[Consent]) -> bool:
        return any(self._bases(fact, agency, given) for fact in self._told(case, item))

    def _told(self, case: str, item: Item) -> Iterator[Fact]:
        for fact in self._facts[case]:
            if (fact.type, fact.field) == (item.type, item.field):
                same = Item.of(fact, (), item.recorded_by)._replace(bases=item.bases)
                if same == item:
                    yield fact

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
        return any(
            seat.agency == agency and seat.since <= at and not (seat.left and seat.left < stop)
            for seat in self._stays[str(consent.group)]
        )


def _stays(done: Iterable[Done]) -> dict[str, list[Seat]]:
    """By pool, every stay of every member; it ends at the stop of the clock at which that was recorded."""
    stays: dict[str, list[Seat]] = defaultdict(list)
    here: dict[tuple[str, str], Seat] = {}
    for one in sorted(done, key=lambda one: one.occurred):
        if one.intent.kind in ("member", "leaving"):
            _, _, _, pool, _, subject, *_ = one.intent.path.split("/")
            if one.intent.kind == "member":
                here[pool, subject] = Seat(one.body["agency"], one.occurred.astimezone(UTC))
                stays[pool].append(here[pool, subject])
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
