"""What every endpoint stands on: the caller, the headers of the contract, one way to write."""

import asyncio
import hashlib
import hmac
import re
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from typing import Annotated, Any, Generic, TypeVar
from uuid import UUID

from fastapi import Depends, Header, Path, Query, Request, Response
from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, StringConstraints

from shared import audit
from shared.audit import Reading
from shared.auth import Principal
from shared.contracts import Recorded
from shared.contracts.codes import labels
from shared.db import REFUSED, Connection
from shared.decider import Anything, Refused
from shared.ids import uuid7, uuid8, uuid_in
from shared.journal import ALONE, Beside, Born, Context, Past, Written
from shared.problems import Problem, bad_input, not_found
from shared.route import Direct
from shared.runtime import Runtime
from shared.telemetry import commands

AFTER_SECONDS = 5.0
ELSEWHERE_SECONDS = 0.1
"""Another replica may have applied it: look again after this time."""
AFTER = r"^[a-z]+/[a-z0-9./-]{1,150}@[0-9]{1,9}(, ?[a-z]+/[a-z0-9./-]{1,150}@[0-9]{1,9})*$"
UNSEEN = r"\x7f-\x9f\u2028-\u202e\u2066-\u2069"
"""Control characters, ends of lines, and what turns the direction of the text that follows: a name that
reads otherwise than it is written. Marks of direction, joiners and variation selectors are taken.
"""
Text = Annotated[
    str,
    StringConstraints(
        strip_whitespace=True,
        min_length=1,
        max_length=4000,
        pattern=rf"^[^\x00-\x08\x0b-\x1f{UNSEEN}]*$",
    ),
]
Line = Annotated[
    str,
    StringConstraints(
        strip_whitespace=True, min_length=1, max_length=200, pattern=rf"^[^\x00-\x1f{UNSEEN}]*$"
    ),
]
TRACE = r"[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}"
"""W3C trace context. Anything else that a client sends stays out of the journal."""
PathId = Annotated[str, Path(json_schema_extra={"format": "uuid"})]
Item = TypeVar("Item")
NEW, REPEATED = commands.labels("new"), commands.labels("repeat")


def _of_our_time(moment: datetime) -> datetime:
    if not 1900 <= moment.year <= 2200:
        raise ValueError("must lie between 1900 and 2200 / 1900年から2200年までです")
    return moment


Moment = Annotated[AwareDatetime, AfterValidator(_of_our_time)]


class Body(BaseModel):
    """Base of every request body: unknown fields are errors. `occurred_at` is never in the future."""

    model_config = ConfigDict(extra="forbid", str_max_length=10_000)
    occurred_at: Moment | None = None


class Receipt(BaseModel):
    """Answer to every write; the same for a repeat of its Idempotency-Key."""

    id: str
    stream: str
    version: int


class Page(BaseModel, Generic[Item]):
    """`next` goes into `after` for the following page; null at the end."""

    items: list[Item]
    next: str | None = None


class Route(Direct):
    """In a service that is `audited`, no GET is answered before its readings are written."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        inner = super().get_route_handler()
        reads = "GET" in (self.methods or ()) and audit.leaves_a_row(self.endpoint)

        async def handle(request: Request) -> Response:
            response = await inner(request)
            if reads and request.app.state.runtime.service.audited:
                await _leave_rows(request.state.call, self.path)
            return response

        return handle


async def _leave_rows(call: "Call", path: str) -> None:
    named = call.request.headers.get("tsunagu-purpose") or call.purpose
    purpose = named or audit.default_purpose(call.who)
    if purpose not in labels("reading_purpose"):
        known = ", ".join(labels("reading_purpose"))
        raise bad_input("header.tsunagu-purpose", f"one of / 次のいずれかです: {known}")
    rows = audit.rows(call.who, call.now(), purpose, path, call.readings.values())
    try:
        await call.rt.readings.write(rows)
    except REFUSED as error:
        raise Problem("unavailable") from error


@dataclass
class Call:
    """One request: who, to which service, with which guards. Made by the dependency `caller`."""

    rt: Runtime
    who: Principal
    request: Request
    response: Response
    if_match: int | None
    idempotency_key: str | None
    body: bytes
    readings: dict[str, Reading] = field(default_factory=dict)
    purpose: str = ""
    """Of what is read here, if it is always the same; empty: by the caller's role."""

    def reads(
        self,
        of: str,
        basis: str,
        events: Iterable[Recorded] = (),
        case: UUID | None = None,
        kinds: Iterable[str] = (),
    ) -> None:
        """The answer will tell of this stream, as far as these events do, or these classes of data: see
        `audit`.
        """
        reading = self.readings.setdefault(of, Reading(of, case, basis))
        reading.kinds |= audit.kinds(events) | {*kinds}

    def need(self, *roles: str) -> None:
        """403 unless the caller has one of the roles. Standing (404) is checked before."""
        if not self.who.roles.intersection(roles):
            raise Problem("wrong-role", allowed=sorted(roles))

    def need_whole(self) -> None:
        """503 as long as the journal or the view may be behind where they were before this start."""
        if self.rt.recovering:
            raise Problem("recovering")

    def now(self) -> datetime:
        return self.rt.clock.now()

    async def load(self, stream: str) -> Past:
        return await self.rt.journal.load(stream)

    async def loads(self, *streams: str) -> list[Past]:
        """Several, with one trip."""
        return await self.rt.journal.loads(streams)

    def context(self, occurred_at: datetime | None = None, basis: str | None = None) -> Context:
        now = self.now()
        if occurred_at and occurred_at > now:
            raise bad_input("body.occurred_at", "lies in the future / 未来の日時です")
        path = self.request.scope["path"]
        scope = f"{self.who.subject}\n{self.who.agency}\n{self.request.method}\n{path}"
        key = self.idempotency_key
        trace = self.request.headers.get("traceparent", "")
        return Context(
            actor=self.who.subject,
            agency=self.who.agency,
            at=now,
            occurred_at=occurred_at or now,
            basis=basis,
            correlation=uuid7(),
            traceparent=trace if re.fullmatch(TRACE, trace) else None,
            command=self._command(f"{scope}\n{key}") if key else None,
            digest=self._hash(self.body),
        )

    async def handle(
        self,
        decider: Anything,
        stream: str,
        key: str,
        command: Any,
        body: Body,
        *,
        check: Callable[[], Awaitable[None]] | None = None,
        location: str | None = None,
        basis: str | None = None,
        past: Past | None = None,
        guarded: Callable[[Past], int] = lambda past: past.version,
        born: Sequence[Born] = (),
        beside: Beside = ALONE,
        db: Connection | None = None,
    ) -> Receipt:
        """`check` (422) → 412 → decide (409) → written; to a repeat the stored answer instead of
        any of them.

        `location`: path with `{id}`; 201 if this made the stream, else 200. `past`: the stream, if
        it was loaded for this call already, or NEW. `guarded`: the version that If-Match speaks of,
        if that is a part of the stream. `born`: streams that begin in the same transaction;
        `beside`: what else changes in it. `db`: the caller's own, if that has begun.
        """
        context = self.context(body.occurred_at, basis)
        try:
            self.need_whole()
            if check:
                await check()
        except (Problem, Refused):
            written = await self.rt.journal.repeat(context, db)
            if written is None:
                raise
        else:
            written = await self.rt.journal.handle(
                decider,
                stream,
                key,
                command,
                context,
                self.if_match,
                past,
                guarded,
                born,
                beside,
                db,
            )
        (REPEATED if written.repeated else NEW).inc()
        return self.receipt(written, location)

    def receipt(self, written: Written, location: str | None = None) -> Receipt:
        name = written.stream.split("/", 1)[1]
        id = name.rsplit("/", 1)[-1]
        said = {"tsunagu-position": f"{written.stream}@{written.version}"}
        said["etag"] = f'"{written.version}"'
        if location:
            self.response.status_code = 201 if written.created else 200
            said["location"] = location.format(id=id)
        self.response.raw_headers += [(k.encode(), v.encode("latin-1")) for k, v in said.items()]
        return Receipt(id=id, stream=written.stream, version=written.version)

    def shows(self, version: int) -> None:
        self.response.headers["ETag"] = f'"{version}"'

    def _command(self, name: str) -> UUID:
        return uuid8(self._hash(name.encode()))

    def _hash(self, data: bytes) -> bytes:
        return hmac.digest(self.rt.keys.index_key, data, hashlib.sha256)


def _header(pattern: str) -> Any:
    """Shown in the document, but checked by hand: 401 comes before whatever a header holds."""
    return Header(json_schema_extra={"pattern": pattern})


async def principal(request: Request) -> Principal:
    """Raises NoToken."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    rt: Runtime = request.app.state.runtime
    return await rt.issuer.principal(token if scheme.lower() == "bearer" else "")


async def caller(
    request: Request,
    response: Response,
    if_match: Annotated[str | None, _header(r'^"[0-9]{1,9}"$')] = None,
    idempotency_key: Annotated[str | None, _header(r"^[!-~]{1,200}$")] = None,
    tsunagu_after: Annotated[str | None, _header(AFTER)] = None,
) -> Call:
    """401 first; then wait for what the caller has seen elsewhere (`Tsunagu-After`)."""
    rt: Runtime = request.app.state.runtime
    who = await principal(request)
    if idempotency_key is not None and not 0 < len(idempotency_key) <= 200:
        raise bad_input("header.idempotency-key", "1 to 200 characters / 1〜200文字")
    if tsunagu_after:
        await _wait(rt, tsunagu_after)
    call = Call(
        rt, who, request, response, _version(if_match), idempotency_key, await request.body()
    )
    request.state.call = call
    return call


Caller = Annotated[Call, Depends(caller)]
After = Annotated[str | None, Query(max_length=200)]
Limit = Annotated[int, Query(ge=1, le=500)]


def to_uuid(text: str) -> UUID:
    """An id from a path; anything else is not there (404)."""
    try:
        return uuid_in(text)
    except ValueError:
        raise not_found() from None


def _version(if_match: str | None) -> int | None:
    if if_match is None or if_match == "*":
        return None
    try:
        return int(if_match.removeprefix("W/").strip('"'))
    except ValueError:
        message = 'use the ETag as it was sent, "7" / ETag をそのまま付けてください'
        raise bad_input("header.if-match", message) from None


async def _wait(rt: Runtime, header: str) -> None:
    if not re.fullmatch(AFTER, header):
        raise bad_input("header.tsunagu-after", "use / 次の形です: <stream>@<version>, …")
    places: list[tuple[str, int]] = []
    for part in header.split(","):
        stream, _, digits = part.strip().rpartition("@")
        places.append((stream, int(digits)))
    deadline = asyncio.get_running_loop().time() + AFTER_SECONDS
    for stream, version in places:
        while True:
            moved = rt.applier.moved  # before the look, so that nothing passes in between
            reached = await rt.reached(stream, version)
            if reached:
                break
            if reached is None:
                raise Problem("parked")
            rt.applier.hurry()
            left = deadline - asyncio.get_running_loop().time()
            if left <= 0:
                raise Problem("not-yet-visible")
            with suppress(TimeoutError):
                async with asyncio.timeout(min(left, ELSEWHERE_SECONDS)):
                    await moved.wait()
