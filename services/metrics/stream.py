"""Live traffic through Faust: one agent that hands on what it gets. All of Faust is in this file.

Decided here: there is no Faust table. A table would hold the newest version of each stream and its
fold; PostgreSQL holds both already (inbox and facts), in one transaction with each other. So there
is no changelog, no recovery and no store, and most of Faust's known defects have nothing to touch.
Replay and back-fill go by `catch_up`; Faust's offsets say where it goes on, not what was applied.
Were Faust to fail us, `shared.follow.Follower` feeds the same projection.
"""

import asyncio
import os
import ssl
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Protocol

import faust

from shared.fetching import fetching
from shared.follow import BATCH, Record, record_of
from shared.kill import point
from shared.runtime import Runtime
from shared.settings import Kafka

from .catch_up import reach

APP = "metrics-v1"
STOP_SECONDS = 5.0
FEW, TOGETHER_SECONDS = 20, 0.005


class Applies(Protocol):
    async def gather(self) -> None:
        """Time for others to come too, if nobody waits for them."""

    async def apply(self, records: Sequence[Record]) -> None:
        """Returns once PostgreSQL has them."""


async def run(rt: Runtime) -> None:
    """Never returns; an error here ends the process."""
    here = reach(rt)
    async with here.caught_up(), asyncio.TaskGroup() as group:
        group.create_task(here.watch())
        group.create_task(live(app(rt.kafka), rt.applier.view.topics, here))


def app(kafka: Kafka) -> faust.App:
    credentials = faust.SASLCredentials(
        username=kafka.username,
        password=kafka.password,
        mechanism=kafka.mechanism,
        ssl_context=ssl.create_default_context() if "SSL" in kafka.security_protocol else None,
    )
    return faust.App(
        APP,
        broker=[f"kafka://{host}" for host in kafka.bootstrap.split(",")],
        broker_credentials=credentials if kafka.username else None,
        broker_session_timeout=kafka.session_timeout_ms / 1000,
        broker_heartbeat_interval=kafka.session_timeout_ms / 4000,
        broker_commit_interval=1.0,
        consumer_group_instance_id=f"{kafka.instance}.{APP}" if kafka.instance else None,
        processing_guarantee="at_least_once",
        stream_wait_empty=False,  # what is not acknowledged comes again; it would wait for ever
        store="memory://",
        topic_allow_declare=False,
        topic_disable_leader=True,
        topic_partitions=12,
        web_enabled=False,
        autodiscover=False,
        datadir=Path(tempfile.gettempdir()) / f"{APP}-{os.getuid()}",  # stays empty
    )


async def live(app: faust.App, topics: tuple[str, ...], here: Applies) -> None:
    """Hands on what comes, for as long as Faust lives."""
    arrived: asyncio.Queue[Any] = asyncio.Queue(2 * BATCH)

    async def take(stream: Any) -> None:
        # Acknowledged by hand, once PostgreSQL has it; `take` and `noack_take` wait out a timeout.
        async for event in stream.noack().events():
            await arrived.put(event)

    async def hand_on() -> None:
        while True:
            events = [await arrived.get()]
            if arrived.qsize() < FEW:  # what was fetched together is handed over one by one
                await asyncio.sleep(TOGETHER_SECONDS)
            while len(events) < BATCH and not arrived.empty():
                events.append(arrived.get_nowait())
            point("stream.arrived")
            await here.apply([record_of(event.message) for event in events])
            point("stream.applied")
            for event in events:
                event.ack()
            point("stream.acknowledged")

    async def gather() -> None:  # asked in the thread in which Faust fetches
        asked = asyncio.run_coroutine_threadsafe(here.gather(), app.loop)
        await asyncio.wrap_future(asked)

    raw: dict[str, Any] = {"key_serializer": "raw", "value_serializer": "raw"}
    source = app.topic(*topics, key_type=bytes, value_type=bytes, **raw)
    app.agent(source, name="take", concurrency=1)(take)
    app.loop = asyncio.get_running_loop()
    app.finalize()
    try:
        async with asyncio.TaskGroup() as group:
            group.create_task(hand_on())
            await app.maybe_start()
            faust_own: Any = app.consumer
            fetching(faust_own._thread._consumer, gather)
            while not (app.crashed or app.should_stop):  # noqa: ASYNC110
                await asyncio.sleep(0.2)
            raise RuntimeError("Faust has ended") from app.crash_reason
    finally:
        with suppress(TimeoutError):
            async with asyncio.timeout(STOP_SECONDS):
                await app.stop()
