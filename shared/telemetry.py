"""Names of all figures and the shape of logs. Labels never carry a case or a person."""

import logging
import sys

import structlog
from prometheus_client import Counter, Gauge, Histogram

published = Counter("tsunagu_published_total", "Records sent and acknowledged", ["relay"])
unpublished_age = Gauge("tsunagu_oldest_unpublished_seconds", "Age of the oldest unsent event")
held = Gauge("tsunagu_held_events", "Events that the broker refuses for good")
applied = Counter("tsunagu_applied_total", "Events applied", ["view"])
duplicates = Counter("tsunagu_duplicates_total", "Redelivered events dropped", ["view"])
lag = Gauge("tsunagu_follower_lag", "Records not yet applied", ["view", "topic"])
parked = Gauge("tsunagu_parked_streams", "Streams that wait for a repair", ["view"])
stuck = Gauge("tsunagu_cases_not_judged", "Cases whose documents wait for a repair")
damaged = Counter("tsunagu_damaged_total", "Streams that were asked for and cannot be read")
undone = Gauge("tsunagu_undone", "What was due and cannot be carried out before a repair", ["kind"])
holidays_left = Gauge("tsunagu_holidays_left_days", "Days until the list of holidays ends")
commands = Counter("tsunagu_commands_total", "Commands by outcome", ["outcome"])
answers = Histogram(
    "tsunagu_http_seconds",
    "Time to answer",
    ["method", "route", "status"],
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
)
SECRET = ("authorization", "password", "token", "body", "data", "value", "input", "url")


def _redact(_: object, __: str, entry: structlog.typing.EventDict) -> structlog.typing.EventDict:
    return {k: "…" if any(word in k.lower() for word in SECRET) else v for k, v in entry.items()}


def logs(service: str, level: str) -> None:
    """JSON lines on stderr, from our own code and from libraries; never event data."""
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _redact,
    ]
    render = structlog.processors.JSONRenderer(ensure_ascii=False)
    structlog.configure(
        processors=[*shared, _exception, render],
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        wrapper_class=structlog.make_filtering_bound_logger(_number(level)),
        cache_logger_on_first_use=True,
    )
    structlog.contextvars.bind_contextvars(service=service)
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                _exception,
                render,
            ],
        )
    )
    logging.basicConfig(handlers=[handler], level=logging.WARNING, force=True)


def _exception(_: object, __: str, entry: structlog.typing.EventDict) -> structlog.typing.EventDict:
    """An error's type and places, not its text: texts quote values."""
    info = entry.pop("exc_info", None)
    if info is True:
        info = sys.exc_info()
    error = info[1] if isinstance(info, tuple) else info
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    if isinstance(error, BaseException):
        entry["error"], entry["at"] = type(error).__name__, _places(error)[-8:]
    return entry


def _places(error: BaseException) -> list[str]:
    places = []
    trace = error.__traceback__
    while trace:
        file = trace.tb_frame.f_code.co_filename.rsplit("/", 1)[-1]
        places.append(f"{file}:{trace.tb_lineno}")
        trace = trace.tb_next
    return places


def _number(level: str) -> int:
    return logging.getLevelNamesMapping()[level.upper()]
