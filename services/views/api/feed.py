"""The caller agency's documents as a feed: pages with a cursor, long poll, or server-sent events."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import replace
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Header, Query
from fastapi.responses import StreamingResponse
from pydantic import BaseModel

from shared.db import PASSING
from shared.http import Call, Route
from shared.problems import Problem, bad_input

from .. import view
from ..refusals import put_on_record
from ..ways import feed
from ..ways.bells import Bells
from ..ways.cursor import Cursor, Foreign
from .common import Reader, admitted, record_reading
from .documents import Document

router = APIRouter(route_class=Route)

WAIT, STREAMED, SILENCE = 25.0, 50.0, 15.0
"""Seconds: the longest poll; the life of a stream, after which the token is looked at again; until a
stream says that it is alive.
"""
EVENTS = "text/event-stream"
Given = Annotated[str | None, Query(max_length=200)]


class Entry(BaseModel):
    """One case as it is now. Take it over if (document, edition) is higher than what you have, or the
    same and ended; `content` is null where all of it has ended.
    """

    handle: UUID
    document: int
    edition: int
    ended: bool
    content: Document | None


class Feed(BaseModel):
    """`cursor` goes into the next call. `up_to_date`: there is nothing more at the moment. `restarted`:
    the cursor led nowhere any more, and this is the start.
    """

    items: list[Entry]
    cursor: str
    up_to_date: bool
    restarted: bool


@router.get("/v1/feed", response_model=Feed, responses={200: {"content": {EVENTS: {"schema": {}}}}})
async def get_feed(
    call: Reader,
    cursor: Given = None,
    wait: Annotated[float, Query(ge=0, le=WAIT)] = 0,
    limit: Annotated[int, Query(ge=1, le=100)] = 50,
    last_event_id: Annotated[str | None, Header(max_length=200)] = None,
) -> Feed | StreamingResponse:
    """The caller agency's own documents in the order of their last change; without a cursor from the
    start. With `Accept: text/event-stream` they come as they change, each with its cursor as id.
    """
    key, agency = call.rt.keys.index_key, call.who.agency
    streamed = EVENTS in call.request.headers.get("accept", "")
    after = await cursor_of(call, agency, "header.last-event-id", last_event_id if streamed else "")
    after = after or await cursor_of(call, agency, "query.cursor", cursor) or Cursor()
    call.need_whole()
    if streamed:
        return StreamingResponse(_events(call, after), media_type=EVENTS)
    until = asyncio.get_running_loop().time() + wait
    waited = False
    while True:
        if waited:
            await admitted(call)
        page = await _page(call, after, limit)
        if waited and await call.request.is_disconnected():  # nobody reads it
            page = replace(page, entries=[])
        left = until - asyncio.get_running_loop().time()
        if page.entries or page.restarted or left <= 0 or call.rt.ending.is_set():
            break
        after, waited = page.cursor, True
        await _bells(call).wait(agency, after, left)
    return Feed(
        items=await _recorded(call, page),
        cursor=page.cursor.text(key, agency),
        up_to_date=page.up_to_date,
        restarted=page.restarted,
    )


async def _page(call: Call, after: Cursor, limit: int) -> feed.Page:
    """Less the cases that are not there for the caller (L23)."""
    page = await feed.page(call.rt, call.who.agency, after, limit)
    gone = await view.gone(call.rt.reads, call.who)
    return replace(page, entries=[entry for entry in page.entries if entry.case not in gone])


async def _events(call: Call, after: Cursor) -> AsyncIterator[str]:
    """For as long as a token is believed; then the client comes back with the last id."""
    rt, agency, clock = call.rt, call.who.agency, asyncio.get_running_loop().time
    until = clock() + STREAMED
    yield "retry: 1000\n\n"
    with suppress(Problem, *PASSING):
        while (left := until - clock()) > 0 and not rt.ending.is_set():
            await admitted(call)
            page = await _page(call, after, 50)
            shown = await _recorded(call, page)
            for entry, one in zip(page.entries, shown, strict=True):
                id = entry.cursor.text(rt.keys.index_key, agency)
                yield f"id: {id}\nevent: document\ndata: {one.model_dump_json()}\n\n"
            after = page.cursor
            if page.up_to_date:
                yield "event: up-to-date\ndata:\n\n" if shown else ":\n\n"
                await _bells(call).wait(agency, after, min(SILENCE, left))


async def _recorded(call: Call, page: feed.Page) -> list[Entry]:
    """L21: each reading is on record before anything is answered."""
    read = [(e.case, e.recorded.items, e.document) for e in page.entries if e.recorded]
    await asyncio.gather(*(record_reading(call, *one) for one in read))
    return [
        Entry(
            handle=entry.handle,
            document=entry.document,
            edition=entry.edition,
            ended=entry.ended,
            content=None if entry.content is None else Document.model_validate(entry.content),
        )
        for entry in page.entries
    ]


async def cursor_of(call: Call, agency: str, field: str, text: str | None) -> Cursor | None:
    if not text:
        return None
    try:
        return Cursor.of(text, call.rt.keys.index_key, agency)
    except Foreign:
        await put_on_record(call, agency, "cursor")
        raise bad_input(
            field,
            "not a cursor of this agency's feed; begin without one / この機関のカーソルではありません",
        ) from None


def _bells(call: Call) -> Bells:
    bells: Bells = call.rt.state["bells"]
    return bells
