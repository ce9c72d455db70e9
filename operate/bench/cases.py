"""Households of which several agencies hold something, as events on the topics that views follows."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime, timedelta

from uuid_utils.compat import uuid7

from shared.broker import HEARTBEATS, Message, describe, event_message, producer
from shared.contracts import Event
from shared.contracts.intake import CaseOpened, ConsentRecorded, PersonJoined, SituationRecorded
from shared.journal import Addition, Context
from shared.relay.batches import Batches
from shared.relay.relay import HEARTBEAT_SECONDS
from shared.runtime import Runtime
from shared.settings import Kafka

TOGETHER = 50
TOLD = "膝の痛みがあり、二階の部屋から下りられない日が増えた。" * 3


class Household:
    """Its facts are recorded by the first of the agencies that its consent names."""

    def __init__(self, number: int, holders: Sequence[str]) -> None:
        self.case, self.person, self.holders = uuid7(), uuid7(), holders
        self.number, self.version = number, 0

    def begins(self) -> list[Addition]:
        at = datetime.now(UTC) - timedelta(minutes=1)
        consent = ConsentRecorded(
            consent=uuid7(), case=self.case, person=self.person, status="granted",
            classes=("health_disability",), purposes=("care",), medium="paper",
            holders=tuple(self.holders), begins=at, text_version="1",
        )  # fmt: skip
        return [
            self._of_case(
                CaseOpened(case=self.case, household=uuid7(), lead="city", route="family_visit"),
                PersonJoined(case=self.case, person=self.person, relation="self"),
            ),
            self.tells(),
            Addition(f"consent/{consent.consent}", str(self.case), 0, [consent], self._context(at)),
        ]

    def tells(self) -> Addition:
        text = f"{TOLD}{self.number}/{self.version}"
        return self._of_case(SituationRecorded(case=self.case, person=self.person, health=text))

    def _of_case(self, *events: Event) -> Addition:
        version, self.version = self.version, self.version + len(events)
        context = self._context(datetime.now(UTC))
        return Addition(f"case/{self.case}", str(self.case), version, events, context)

    def _context(self, at: datetime) -> Context:
        return Context("bench", self.holders[0], at, at)


async def messages(rt: Runtime, topic: str, additions: Sequence[Addition]) -> list[Message]:
    """As the relay of the topic's service would send them."""
    drafts = [draft for addition in additions for draft in addition.drafts()]
    found: list[Message] = []
    for n in range(0, len(drafts), 500):
        some = drafts[n : n + 500]
        wires = await rt.codec.seal(some)
        found += [event_message(topic, e, w) for (_, e), w in zip(some, wires, strict=True)]
    return found


class Town:
    """In place of the services that carry bases: sends their events, and says how far they are."""

    def __init__(self, kafka: Kafka) -> None:
        self._kafka, self._sender = kafka, producer(kafka)
        self._ends: dict[int, int] = {}
        self._ids: dict[str, str] = {}

    async def start(self) -> None:
        await self._sender.start()
        described = await describe(self._kafka, ["intake", "referral"])
        self._ids = {name: topic.id for name, topic in described.items()}

    async def stop(self) -> None:
        await self._sender.stop()

    async def send(self, made: Sequence[Message], room: Callable[[int], Awaitable[None]]) -> None:
        """In order, a few together; `room` is waited for before so many are sent."""
        for n in range(0, len(made), TOGETHER):
            await room(len(made[n : n + TOGETHER]))
            batches = Batches(self._sender)
            for message in made[n : n + TOGETHER]:
                await batches.reach(message.topic)
                batches.add(None, message)
            await batches.send()
            for batch in await batches.done():
                if batch.error:
                    raise batch.error
                if batch.place.topic == "intake":
                    self._ends[batch.place.partition] = batch.offset + len(batch.tokens)

    async def beat(self) -> None:
        """Never returns: views believes for some seconds what was said last."""
        while True:
            for name in ("intake", "meetings", "referral"):
                ends = self._ends if name == "intake" else {}
                offsets = {str(place): [self._ids["intake"], end] for place, end in ends.items()}
                beat = {"service": name, "time": datetime.now(UTC).isoformat(), "offsets": offsets}
                value = json.dumps(beat).encode()
                await self._sender.send_and_wait(HEARTBEATS, value, name.encode())
            await asyncio.sleep(HEARTBEAT_SECONDS)


def households(count: int, agencies: Sequence[str], holders: int) -> list[Household]:
    """Each of them is held by so many agencies, all agencies equally often."""
    found = []
    for n in range(count):
        mine = [agencies[(n + k) % len(agencies)] for k in range(holders)]
        found.append(Household(n, mine))
    return found
