"""A service value becomes one process: HTTP, relay, follower and timers in one task group."""

import asyncio
import gc
import logging
import os
import signal
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from importlib import import_module

import structlog
import uvicorn
import uvloop

from shared import telemetry, views
from shared.app import application
from shared.audit import Readings
from shared.auth import Issuer
from shared.broker import KafkaError
from shared.clock import SimulatedClock, SystemClock
from shared.db import NAME, ONE_PLAN, PASSING, pool
from shared.follow import Applier, Follower
from shared.journal import Journal
from shared.keyring import Keyring
from shared.loops import unending
from shared.recover import take_back
from shared.relay import JournalOutbox, Relay
from shared.runtime import Runtime, Service
from shared.sealing import Codec
from shared.settings import Database, Http, Kafka, Keys, Limits, Oidc, WrongSettings
from shared.timers import Timers
from shared.watch import watch

DRAIN_SECONDS = 7
GAPS_SECONDS = 0.5
YOUNG = 50_000
"""Objects between two looks for garbage. Events have no cycles and go by themselves: looking after each
700 objects, as Python does, took a third of the time of a batch, and found nothing.
"""
END_SECONDS = 9.5
"""After SIGTERM: so long for requests in flight; so long for everything, whatever it waits for."""
log = structlog.get_logger()


def load(name: str) -> Service:
    """Raises ModuleNotFoundError for a service that does not exist."""
    service: Service = import_module(f"services.{name}").SERVICE
    return service


def run(name: str) -> None:
    """Serve until SIGTERM. Any loop that ends ends the process: start-up is the recovery path."""
    service = load(name)
    try:
        http = Http()
        telemetry.logs(name, http.log_level)
        gc.freeze()  # modules stay
        gc.enable()
        uvloop.run(_serve(service, http))
    except WrongSettings as wrong:
        sys.exit(f"{name} does not start: {wrong}.")


async def _serve(service: Service, http: Http) -> None:
    async with runtime(service, http) as rt:
        config = uvicorn.Config(
            application(service, rt),
            host=http.http_host,
            port=http.http_port,
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,
            timeout_graceful_shutdown=DRAIN_SECONDS,
        )
        server = _Server(config, rt)
        for stop in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(stop, server.stop)
        loops = [asyncio.create_task(work) for work in (after_recovery(rt), watch(rt))]
        serving = asyncio.create_task(server.serve())
        done, _ = await asyncio.wait([serving, *loops], return_when=asyncio.FIRST_COMPLETED)
        if serving not in done:
            error = next(iter(done)).exception()
            said = {"settings": str(error)} if isinstance(error, WrongSettings) else {}
            log.error("loop.ended", exc_info=error, **said)
            os._exit(70)
        for loop in loops:
            loop.cancel()
        await asyncio.gather(*loops, return_exceptions=True)
    logging.shutdown()
    os._exit(0)  # all is closed; the libraries' threads would keep the interpreter for seconds


class _Server(uvicorn.Server):
    """Ends on our signal handlers: uvicorn's own raise the signal again and cut the clean-up off."""

    def __init__(self, config: uvicorn.Config, rt: Runtime) -> None:
        super().__init__(config)
        self._rt = rt

    def stop(self) -> None:
        self.should_exit = True
        self._rt.ending.set()
        asyncio.get_running_loop().call_later(END_SECONDS, os._exit, 0)

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


@asynccontextmanager
async def runtime(service: Service, http: Http, name: str = NAME) -> AsyncIterator[Runtime]:
    """Everything a service needs, from settings; waits for a database that is not there yet.
    `name` is what its database sessions are called: services end those of their own kind.
    """
    gc.set_threshold(YOUNG, 20, 50)
    database, kafka, keys = Database(), Kafka(), Keys()
    await _until_there(database.database_url)
    async with (
        pool(database.database_url, application_name=name, plan_cache_mode=ONE_PLAN) as writes,
        pool(
            database.database_url, application_name=name, search_path=f"{views.LIVE}, public"
        ) as reads,
        pool(database.keyring_database_url, size=4, application_name=name) as keyring_pool,
    ):
        keyring = Keyring(keyring_pool, keys.keyring_codes_key, keys.keyring_master_key)
        codec = Codec(keyring)
        simulated = http.development and http.clock == "simulated"
        rt = Runtime(
            service=service,
            http=http,
            database=database,
            kafka=kafka,
            keys=keys,
            pool=writes,
            reads=reads,
            keyring=keyring,
            codec=codec,
            clock=await SimulatedClock.load(writes) if simulated else SystemClock(),
            issuer=Issuer(Oidc()),
        )
        rt.journal = Journal(writes, codec, rt.wake, service.plan)
        view = service.view(rt)
        number = await views.ensure(writes, view)
        rt.applier = Applier(
            view, number, writes, codec, promoted=True, reacted=rt.reacted, limits=Limits()
        )
        rt.follower = Follower(rt.applier, kafka, writes)
        rt.readings = Readings(writes)
        rt.timers = Timers(rt.journal, rt.clock, service.fire)
        outboxes = {service.name: JournalOutbox(service.name), **service.outboxes(rt)}
        rt.relays = [
            Relay(name, database.database_url, kafka, outbox, heartbeat=name == service.name)
            for name, outbox in outboxes.items()
        ]
        yield rt


async def _until_there(url: str) -> None:
    while True:
        try:
            async with pool(url, size=1) as trial:
                await trial.fetchval("select 1 from journal limit 1")
                return
        except PASSING as error:
            log.warning("database.waits", error=type(error).__name__)
            await asyncio.sleep(0.5)


async def after_recovery(rt: Runtime) -> None:
    """First take back what the topic has and the journal has not; then write, send and follow."""
    rt.journal.behind = True
    while True:
        try:
            await take_back(rt.journal, rt.kafka, rt.service.name)
            break
        except (KafkaError, *PASSING) as error:
            log.warning("recovery.waits", error=type(error).__name__)
            await asyncio.sleep(0.5)
    rt.journal.behind = False
    loops = [
        *(relay.run() for relay in rt.relays),
        rt.timers.run(),
        *rt.service.tasks(rt),
    ]
    if not rt.service.follows_by_itself:
        loops.append(rt.follower.run())
    async with asyncio.TaskGroup() as group:
        group.create_task(_catch_up(rt))
        for loop in loops:
            group.create_task(unending(loop))


async def _catch_up(rt: Runtime) -> None:
    """At the ends of all topics, and nothing below them that may still come."""
    while not (rt.applier.live or rt.applier.stopped):
        await rt.applier.moved.wait()
    while True:
        with suppress(*PASSING):
            if rt.applier.stopped or not await rt.applier.gaps():
                break
        await asyncio.sleep(GAPS_SECONDS)
    rt.recovering = False
