"""Connections that are cut at message boundaries, or fall silent."""

from __future__ import annotations

from operate.chaos.ground import Ground
from operate.chaos.proxy import Cut, How
from operate.places import SERVICES

KAFKA = {
    0: "produce", 1: "fetch", 2: "list offsets", 3: "metadata", 8: "offset commit",
    10: "find coordinator", 11: "join group", 12: "heartbeat", 14: "sync group",
    22: "init producer id", 36: "authenticate",
}  # fmt: skip
POSTGRES = {ord("Q"): "simple query", ord("P"): "parse", ord("B"): "bind", ord("S"): "sync"}
"""COMMIT is a simple query."""
HOWS: tuple[How, ...] = ("before", "after", "half-open")
SILENT = 4.0
PASSES_BY = 6.0
TRIES = 8


async def cut(ground: Ground) -> None:
    """At a request drawn by lot, before it is passed on, after the server acted, or by silence."""
    for _ in range(TRIES):
        service = ground.random.choice(SERVICES)
        proxies, kinds = ground.random.choice(
            [(ground.databases, POSTGRES), (ground.brokers, KAFKA)]
        )
        kind = ground.random.choice(sorted(kinds))
        how = ground.random.choice(HOWS)
        if await proxies[service].cut(Cut(kind, how, SILENT), PASSES_BY):
            ground.faults[f"cut {how}"] += 1
            return
    ground.missed["cut"] += 1
