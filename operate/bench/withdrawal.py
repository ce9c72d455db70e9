"""`python -m operate.bench.withdrawal`: from a withdrawal to the fields gone from all agencies' copies."""

from __future__ import annotations

import asyncio
import json
import logging
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

import httpx
import psutil
import uvloop

from agency import Copy, Credentials, Receipts, Subscriber
from agency.sealed import Change
from operate.bench import spent
from operate.bench.measured import percentile
from operate.bench.own import own
from operate.bench.place import BARE
from operate.places import SERVICES
from operate.repair.topics import as_administrator
from operate.stack import Stack
from shared.broker import TopicPartition, consumer, producer

AGENCIES, ROUNDS, PATIENCE = 12, 60, 60.0
LEAD = "city-desk"
PARTS = ("own", "postgres", "kafka", *SERVICES)
"""Of which a round, consent and withdrawal, takes processor time; "own" are the twelve kits."""


@dataclass
class Watch:
    """When a copy last came to hold something, and nothing."""

    empty: bool = True
    at: float = 0.0
    turned: asyncio.Event = field(default_factory=asyncio.Event)

    def take(self, changes: Sequence[Change]) -> None:
        self.empty = not (changes[-1].document and changes[-1].document.items)
        self.at = time.perf_counter()
        self.turned.set()

    async def until(self, *, empty: bool) -> float:
        async with asyncio.timeout(PATIENCE):
            while self.empty is not empty or not self.at:
                self.turned.clear()
                await self.turned.wait()
        return self.at


class Household:
    """One case of which twelve agencies hold something while a consent lives."""

    def __init__(self, stack: Stack, codes: Sequence[str]) -> None:
        self.stack, self.codes = stack, codes
        self.person, self.case = str(uuid4()), ""

    def client(self, service: str, *roles: str) -> httpx.AsyncClient:
        token = self.stack.token(LEAD, roles or ("intake_worker",), "desk")
        headers = {"authorization": f"Bearer {token}"}
        return httpx.AsyncClient(base_url=self.stack.http(service), headers=headers, timeout=30)

    async def open(self) -> None:
        async with self.client("referral", "operator") as referral:
            for code in (LEAD, *self.codes):
                body = {
                    "name": code, "kind": "care", "controller": "private",
                    "purposes": ["consultation"],
                }  # fmt: skip
                (await referral.put(f"/v1/agencies/{code}", json=body)).raise_for_status()
        sheet = {
            "route": "family_visit",
            "people": [{"id": self.person, "relation": "self", "name": "生駒 花子"}],
            "situations": [{"person": self.person, "health": "膝の痛み"}],
        }
        async with self.client("intake") as intake:
            answer = await intake.post("/v1/cases", json=sheet)
            self.case = answer.raise_for_status().json()["id"]

    async def consent(self, intake: httpx.AsyncClient) -> str:
        body = {
            "person": self.person, "classes": ["contact", "health_disability"],
            "purposes": ["consultation"], "holders": list(self.codes), "text_version": "2026-04",
        }  # fmt: skip
        known = {"tsunagu-after": ", ".join(f"agency/{code}@1" for code in self.codes)}
        answer = await intake.post(f"/v1/cases/{self.case}/consents", json=body, headers=known)
        return str(answer.raise_for_status().json()["id"])


async def measure(stack: Stack, rounds: int) -> dict[str, Any]:
    codes = [f"agency-{n:02}" for n in range(AGENCIES)]
    made = await asyncio.to_thread(stack.agencies, codes)
    house, watches = Household(stack, codes), {code: Watch() for code in codes}
    tasks = []
    for code in codes:
        async with httpx.AsyncClient(base_url=stack.http("views"), timeout=30) as views:
            token = stack.token(code, ("system",), "system")
            key = {"public_key": made[code].public_key}
            headers = {"authorization": f"Bearer {token}"}
            answer = await views.put(f"/v1/subscriptions/{code}", json=key, headers=headers)
            answer.raise_for_status()
        receipts = Receipts(stack.http("views"), token, confirm=True)
        credentials = Credentials.model_validate(made[code].document())
        follower = Subscriber(
            credentials, Copy(":memory:"), receipts=receipts, on_change=watches[code].take
        )
        tasks.append(asyncio.create_task(follower.run()))
    await house.open()
    last, every, bare = [], [], []
    before = spent.seconds(stack)
    async with house.client("intake") as intake:
        for n in range(rounds + 5):
            consent = await house.consent(intake)
            await asyncio.gather(*(w.until(empty=False) for w in watches.values()))
            began = time.perf_counter()
            answer = await intake.post(f"/v1/consents/{consent}/withdrawal", json={})
            answer.raise_for_status()
            gone = await asyncio.gather(*(w.until(empty=True) for w in watches.values()))
            if n == 4:
                before = spent.seconds(stack)
            if n >= 5:  # the first ones warm what they use
                last.append((max(gone) - began) * 1000)
                every += [(at - began) * 1000 for at in gone]
    after = spent.seconds(stack)
    async with house.client("views") as views:
        until = time.monotonic() + PATIENCE
        while time.monotonic() < until:
            shown = await retractions(views, str(house.case))
            if pending := [one for one in shown if one["pending"]]:
                await asyncio.sleep(0.2)
            else:
                break
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    bare = await bare_trips(stack, rounds)
    return {
        "agencies": AGENCIES, "withdrawals": rounds, "unit": "ms",
        "all_copies": _figures(last), "each_copy": _figures(every), "bare": _figures(bare),
        "retractions": len(shown), "unconfirmed": len(pending),
        "processor": spent.each(before, after, rounds, PARTS),
        "load": [round(one, 1) for one in psutil.getloadavg()],
    }  # fmt: skip


async def retractions(views: httpx.AsyncClient, case: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    asked = {"case": case, "limit": "500"}
    while True:
        page = (await views.get("/v1/retractions", params=asked)).json()
        found += page["items"]
        if page["next"] is None:
            return found
        asked["after"] = page["next"]


async def bare_trips(stack: Stack, rounds: int) -> list[float]:
    """One record through the same broker, by the same clients: produce → consume."""
    kafka, place_ = as_administrator(stack), TopicPartition(BARE, 0)
    sender, reader = producer(kafka), consumer(kafka, None)
    await sender.start()
    await reader.start()
    found = []
    try:
        reader.assign([place_])
        await reader.seek_to_end(place_)
        await reader.getmany(timeout_ms=200)
        for _ in range(rounds):
            began = time.perf_counter()
            await sender.send_and_wait(BARE, b"x" * 4096, partition=0)
            while not await reader.getmany(timeout_ms=1000):
                pass
            found.append((time.perf_counter() - began) * 1000)
    finally:
        await sender.stop()
        await reader.stop()
    return found


def _figures(values: Sequence[float]) -> dict[str, float]:
    return {
        "p50": round(percentile(values, 50), 1),
        "p99": round(percentile(values, 99), 1),
        "max": round(max(values), 1),
    }


def main() -> None:
    logging.disable(logging.CRITICAL)
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else ROUNDS
    with own(sys.argv[2:], *SERVICES) as stack:
        print(json.dumps(uvloop.run(measure(stack, rounds))))


if __name__ == "__main__":
    with suppress(KeyboardInterrupt):
        main()
