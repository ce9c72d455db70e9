"""The HTTP side of a service: its own routes, and those that every service has."""

from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any

from fastapi import APIRouter, FastAPI, Request, Response
from fastapi.middleware.asyncexitstack import AsyncExitStackMiddleware
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.middleware.exceptions import ExceptionMiddleware
from starlette.types import ASGIApp

from shared import problems, simulation, unfit
from shared.db import PASSING
from shared.edge import Edge
from shared.lookup import Lookup
from shared.runtime import Runtime, Service

UNTOLD: Any = {"tracing": False, "metrics": False, "logs": False}
"""The framework's own telemetry would hand requests to whatever exporter the environment names."""


def application(service: Service, rt: Runtime | None = None) -> FastAPI:
    """The HTTP side. Without a runtime only its OpenAPI document is of use."""
    development = rt is None or rt.http.development
    made = FastAPI(
        title=f"tsunagu {service.name}",
        version="1",
        docs_url="/docs" if development else None,
        redoc_url=None,
        telemetry=UNTOLD,
    )
    made.state.runtime = rt
    made.router.routes.extend(service.router.routes)
    made.router.routes.extend(_operations.routes)
    if rt and rt.http.development and rt.http.clock == "simulated":
        made.router.routes.extend(simulation.router.routes)
    problems.install(made)
    unfit.install(made)
    made.openapi = partial(_openapi, made.openapi)  # type: ignore[method-assign]
    made.middleware_stack = _passed(made, service.largest_body)
    return made


def _passed(made: FastAPI, largest: int) -> ASGIApp:
    """What a request passes until it has its route. FastAPI's own stack has four layers more, for what
    there is not (other limits, other telemetry) and for errors that Edge answers.
    """
    otherwise = AsyncExitStackMiddleware(made.router)
    looked_up = Lookup(made.router.routes, otherwise)
    answered = ExceptionMiddleware(looked_up, made.exception_handlers)
    return Edge(answered, largest=largest, too_large=unfit.too_large)


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
