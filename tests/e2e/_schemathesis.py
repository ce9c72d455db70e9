"""Hooks of the Schemathesis run: no waiting for positions that nobody ever wrote (that is a 503),
nor for news in a long poll."""

from typing import Any

import schemathesis


@schemathesis.hook
def map_headers(context: Any, headers: Any) -> Any:
    return {k: v for k, v in (headers or {}).items() if k.lower() != "tsunagu-after"}


@schemathesis.hook
def map_query(context: Any, query: Any) -> Any:
    return {k: v for k, v in (query or {}).items() if k != "wait"}
