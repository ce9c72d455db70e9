"""A service value becomes one process: HTTP, relay, follower and timers in one task group."""

import asyncio
import gc
import logging
import os
import signal
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from datetime import datetime
from functools import partial
from importlib import import_module
from typing import Any

import structlog
import uvicorn
import uvloop
from fastapi import APIRouter, FastAPI, Request, Response
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from pydantic import AwareDatetime, BaseModel
from starlette.exceptions import HTTPException

from shared import problems, telemetry, views
from shared.audit import Readings
from shared.auth import Issuer
from shared.broker import KafkaError
from shared.clock import SimulatedClock, SystemClock
from shared.db import NAME, PASSING, UNREAD, pool
from shared.follow import Applier, Follower
from shared.journal import Journal
from shared.keyring import Keyring
from shared.loops import unending
from shared.recover import take_back
from shared.relay import JournalOutbox, Relay
from shared.runtime import Runtime, Service
from shared.sealing import Codec
from shared.settings import Database, Http, Kafka, Keys, Limits, Oidc
from shared.timers import Timers

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
SETTLE_SECONDS = 60.0
DRAIN_SECONDS = 7
GAPS_SECONDS = 0.5
YOUNG = 50_000
"""Objects between two looks for garbage. Events have no cycles and go by themselves: looking after each
700 objects, as Python does, took a third of the time of a batch, and found nothing.
"""
END_SECONDS = 9.5
"""After SIGTERM: so long for requests in flight; so long for everything, whatever it waits for."""
OLDEST = """
select coalesce(extract(epoch from clock_timestamp() - min(at)), 0) as age, count(*) as waiting
  from journal where published_at is null and held is null"""
HELD = "select count(*) from journal where held is not null"
PARKED = "select count(distinct coalesce(stream, '')) from parked where view = $1"

log = structlog.get_logger()


def load(name: str) -> Service:
    """Raises ModuleNotFoundError for a service that does not exist."""
    service: Service = import_module(f"services.{name}").SERVICE
    return service


def run(name: str) -> None:
    """Serve until SIGTERM. Any loop that ends ends the process: start-up is the recovery path."""
    service = load(name)
    http = Http()
    telemetry.logs(name, http.log_level)
    gc.freeze()  # modules stay
    gc.enable()
    uvloop.run(_serve(service, http))


async def _serve(service: Service, http: Http) -> None:
    async with runtime(service, http) as rt:
        config = uvicorn.Config(
            app(service, rt),
            host=http.http_host,
            port=http.http_port,
            log_config=None,
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=DRAIN_SECONDS,
        )
        server = _Server(config, rt)
        for stop in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(stop, server.stop)
        loops = [asyncio.create_task(work) for work in (after_recovery(rt), _watch(rt))]
        serving = asyncio.create_task(server.serve())
        done, _ = await asyncio.wait([serving, *loops], return_when=asyncio.FIRST_COMPLETED)
        if serving not in done:
            failed = next(iter(done))
            log.error("loop.ended", exc_info=failed.exception())
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
        pool(database.database_url, application_name=name) as writes,
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
            view, number, writes, codec, promoted=True, reacted=rt.wake, limits=Limits()
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


async def _watch(rt: Runtime) -> None:
    while True:
        with suppress(*PASSING):
            await rt.pool.execute(UNREAD)
            row = await rt.pool.fetchrow(OLDEST)
            telemetry.unpublished_age.set(float(row["age"]) if row and row["waiting"] else 0)
            telemetry.held.set(await rt.pool.fetchval(HELD))
            rt.applier.number = await rt.pool.fetchval(views.PROMOTED)
            waiting = await rt.pool.fetchval(PARKED, rt.applier.name)
            telemetry.parked.labels(rt.applier.name).set(waiting)
        await asyncio.sleep(2)


def app(service: Service, rt: Runtime | None = None) -> FastAPI:
    """The HTTP side. Without a runtime only its OpenAPI document is of use."""
    development = rt is None or rt.http.development
    made = FastAPI(
        title=f"tsunagu {service.name}",
        version="1",
        docs_url="/docs" if development else None,
        redoc_url=None,
    )
    made.state.runtime = rt
    made.router.routes.extend(service.router.routes)
    made.router.routes.extend(_operations.routes)
    if rt and rt.http.development and rt.http.clock == "simulated":
        made.router.routes.extend(_simulation.routes)
    problems.install(made)
    made.openapi = partial(_openapi, made.openapi)  # type: ignore[method-assign]
    made.add_middleware(_Edge, largest=service.largest_body)
    return made


def _openapi(generate: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """The problem document stands once, and every operation refers to it."""
    found = generate()
    schema = problems.ProblemDocument.model_json_schema()
    components = found.setdefault("components", {})
    components.setdefault("schemas", {})["ProblemDocument"] = schema
    components["securitySchemes"] = {
        "oidc": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}
    }
    found["security"] = [{"oidc": []}]
    return found


_operations = APIRouter(include_in_schema=False)
_simulation = APIRouter(include_in_schema=False)


@_operations.get("/healthz")
async def healthz() -> dict[str, str]:
    return {"status": "alive"}


@_operations.get("/readyz")
async def readyz(request: Request, response: Response) -> dict[str, Any]:
    rt: Runtime = request.app.state.runtime
    checks = {"recovered": not rt.recovering, "database": False, "keys": False}
    with suppress(*PASSING):
        await rt.pool.fetchval("select 1")
        checks["database"] = True
        await rt.keyring.ping()
        checks["keys"] = True
    checks["broker"] = rt.applier.live or rt.applier.stopped is not None
    ready = all(checks.values()) and rt.applier.stopped is None
    response.status_code = 200 if ready else 503
    return {"ready": ready, **checks, "stopped": rt.applier.stopped}


@_operations.get("/metrics")
async def metrics() -> Response:
    return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)


class ClockSet(BaseModel):
    at: AwareDatetime


class ClockShown(BaseModel):
    """`events` counts the journal: unchanged over all services means that nothing new appeared."""

    at: datetime
    events: int


@_simulation.put("/dev/clock")
async def put_clock(request: Request, body: ClockSet) -> ClockShown:
    """Move domain time; answers when all timers due by then have fired and all is settled."""
    rt: Runtime = request.app.state.runtime
    assert isinstance(rt.clock, SimulatedClock)
    await rt.clock.move(rt.pool, body.at)
    deadline = time.monotonic() + SETTLE_SECONDS
    while not await settled(rt):
        if time.monotonic() > deadline:
            raise problems.Problem("not-yet-visible")
        await asyncio.sleep(0.01)
    events = await rt.pool.fetchval("select coalesce(max(seq), 0) from journal")
    return ClockShown(at=rt.clock.now(), events=events)


async def settled(rt: Runtime) -> bool:
    """Timers fired, journal published, topics followed to their ends, the service's own work done."""
    if rt.recovering:
        return False
    while await rt.timers.fire_one():
        pass
    if await rt.timers.waiting():  # another loop is firing it
        return False
    row = await rt.pool.fetchrow(OLDEST)
    if not row or row["waiting"]:
        return False
    if not rt.service.follows_by_itself and await rt.follower.behind():
        return False
    return await rt.service.settled(rt)


class _Edge:
    """Size limit, timing and one log line for what fails; pure ASGI."""

    def __init__(self, inner: Any, largest: int) -> None:
        self._inner, self._largest = inner, largest

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            await self._inner(scope, receive, send)
            return
        began, status = time.perf_counter(), 500
        length = dict(scope["headers"]).get(b"content-length", b"0")
        received = 0

        async def receiving() -> Any:
            nonlocal received
            message = await receive()
            received += len(message.get("body", b""))
            if received > self._largest:  # sent in pieces, without a length
                raise HTTPException(413)
            return message

        async def sending(message: Any) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            if not length.isdigit() or int(length) > self._largest:
                request = Request(scope)
                await problems.answer(request, "too-large")(scope, receive, sending)
            else:
                await self._inner(scope, receiving, sending)
        except asyncio.CancelledError:  # the process ends, and this took longer than it may
            if status != 500:
                raise
            await problems.answer(Request(scope), "unavailable")(scope, receive, sending)
        except Exception as error:
            log.error("request.failed", exc_info=error)
            if status == 500:
                request = Request(scope)
                await problems.answer(request, "internal")(scope, receive, sending)
            else:
                raise
        finally:
            route = getattr(scope.get("route"), "path", "other")
            method = scope["method"] if scope["method"] in METHODS else "other"
            telemetry.answers.labels(method, route, str(status)).observe(
                time.perf_counter() - began
            )
