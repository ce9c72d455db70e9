"""A service's databases and parts, opened beside the running service, with its own settings."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

import structlog

from operate.install import Refused
from operate.places import SERVICES
from operate.stack import Stack
from shared import host
from shared.db import PASSING, Connection, Pool, connect, pool
from shared.runtime import Runtime
from shared.settings import Http
from shared.views import PROMOTED

NAME = "tsunagu repair"
"""Of our sessions: a service ends those of its own name that stand still while they are answered,
and we read much at once.
"""
ALONE = "select pg_try_advisory_lock(hashtext('repair'))"


def known(service: str) -> str:
    if service not in SERVICES:
        raise Refused(f"there is no service '{service}'; there are {', '.join(SERVICES)}")
    return service


@asynccontextmanager
async def database(stack: Stack, service: str) -> AsyncIterator[Pool]:
    """A service's own database, in its own role."""
    url = stack.database_url(known(service), service)
    async with AsyncExitStack() as opened:
        try:
            db = await opened.enter_async_context(pool(url, size=4, application_name=NAME))
            await db.fetchval("select 1 from journal limit 1")
        except PASSING as error:
            raise Refused(
                f"the database of {service} does not answer; look at ./tsunagu status"
            ) from error
        yield db


@asynccontextmanager
async def journals(stack: Stack) -> AsyncIterator[dict[str, Pool]]:
    """Every service's database, by the topic that its journal is sent to."""
    async with AsyncExitStack() as opened:
        yield {name: await opened.enter_async_context(database(stack, name)) for name in SERVICES}


@asynccontextmanager
async def runtime(stack: Stack, service: str) -> AsyncIterator[Runtime]:
    """What the service itself runs with, none of its loops started."""
    async with database(stack, service):
        pass  # it answers
    kept = dict(os.environ)
    os.environ.update(stack.env(service))
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(50))  # we say it
    try:
        async with host.runtime(host.load(service), Http(), NAME) as opened:
            yield opened
    finally:  # the next service may have fewer settings, as metrics has no master key
        os.environ.clear()
        os.environ.update(kept)


@asynccontextmanager
async def alone(rt: Runtime) -> AsyncIterator[Connection]:
    """A connection that keeps every other repair of this service's views out."""
    db = await connect(rt.database.database_url)
    try:
        if not await db.fetchval(ALONE):
            raise Refused(
                f"another repair of {rt.service.name} is running; wait for it, or end it first"
            )
        rt.applier.number = await db.fetchval(PROMOTED)
        yield db
    finally:
        await db.close()
