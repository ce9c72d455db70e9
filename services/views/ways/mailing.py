"""Sends cover sheets over SMTP: each once; in doubt whether it went, a person decides."""

import asyncio
import smtplib
import ssl
from collections.abc import Sequence
from contextlib import suppress
from email.message import EmailMessage
from typing import Any

import structlog

from shared.contracts.views import CoverNotSent, CoverSent, NotSent
from shared.db import PASSING
from shared.journal import Context, Damaged
from shared.runtime import Runtime
from shared.settings import Mail

from ..domain import cover as covers
from ..domain import way
from ..domain.document import Handles
from . import cover_post, letter

TOGETHER = 4
LOOK_SECONDS, PATIENCE = 1.0, 30.0
FIRST_PAUSE, LONGEST_PAUSE, TRIES = 30.0, 7200.0, 12
"""Eight hours in all: longer than a mail server is away, shorter than a sheet is of use."""
GIVES_UP: tuple[NotSent, ...] = ("address-refused", "refused", "unsure", "expired", "no-address")

log = structlog.get_logger()


class LeaseLost(Exception):
    """Another has the sheet by now, and says what becomes of it."""


class NotTaken(Exception):
    def __init__(self, reason: NotSent) -> None:
        super().__init__(reason)
        self.reason = reason


def mail_of(rt: Runtime) -> Mail:
    """Read once."""
    found: Mail = rt.state.get("mail") or Mail()
    rt.state["mail"] = found
    return found


class Mailing:
    def __init__(self, rt: Runtime) -> None:
        self._rt, self._mail = rt, mail_of(rt)
        self._woken = asyncio.Event()
        rt.on_commit.append(self._woken.set)

    async def run(self) -> None:
        """Never returns."""
        while self._mail.host:
            try:
                while await self.some():
                    pass
            except PASSING as error:  # the leases run out
                log.warning("mailing.waits", error=type(error).__name__)
            with suppress(TimeoutError):
                async with asyncio.timeout(LOOK_SECONDS):
                    await self._woken.wait()
            self._woken.clear()
        await asyncio.Event().wait()

    async def some(self) -> int:
        """How many were tried."""
        if self._rt.recovering:
            return 0
        due: Sequence[Any] = await self._rt.pool.fetch(cover_post.TAKE, TOGETHER)
        await asyncio.gather(*map(self._one, due))
        return len(due)

    async def _one(self, row: Any) -> None:
        try:
            await self._tried(row)
        except (Damaged, LeaseLost) as error:  # taken anew when the lease has run out
            log.error("cover.left", cover=str(row["cover"]), error=type(error).__name__)

    async def _tried(self, row: Any) -> None:
        """Raises Damaged and LeaseLost."""
        stream = f"disclosure/{row['agency']}/{row['case_id']}"
        past = await self._rt.journal.load(stream)
        cover = past.fold(covers.DECIDER).of[row["cover"]]
        if cover.state != "waiting":  # the fold has not come by yet, or begins anew
            await self._rt.pool.execute(cover_post.STATE, row["cover"], cover.state)
            return
        of = {"agency": row["agency"], "case": row["case_id"], "cover": row["cover"]}
        sender = next(e.envelope.agency for e in past.events if e.event is cover.issued)
        event: CoverSent | CoverNotSent
        try:
            await self._sent(row, cover, sender)
            event = CoverSent(**of)
        except NotTaken as why:
            final = why.reason in GIVES_UP or cover.tries + 1 >= TRIES
            event = CoverNotSent(**of, reason=why.reason, final=final)
            log.warning("cover.not_sent", reason=why.reason, final=final)
        now = self._rt.clock.now()
        context = Context(actor="views", agency=row["agency"], at=now, occurred_at=now)
        await self._rt.journal.handle(covers.DECIDER, stream, str(row["case_id"]), event, context)
        if isinstance(event, CoverNotSent) and not event.final:
            pause = min(FIRST_PAUSE * 2**cover.tries, LONGEST_PAUSE)
            await self._rt.pool.execute(cover_post.LATER, row["cover"], pause, row["leased_until"])

    async def _sent(self, row: Any, cover: covers.Cover, sender: str) -> None:
        """Raises NotTaken and LeaseLost."""
        until = cover.issued.until
        if row["begun"]:  # by a process that ended before it heard what came of it
            raise NotTaken("unsure")
        if until is None or self._rt.clock.now() > until:
            raise NotTaken("expired")
        past = await self._rt.journal.load(f"subscription/{row['agency']}")
        offices = past.fold(way.DECIDER).offices.values()
        office = next((one for one in offices if one.place == cover.issued.place), None)
        if office is None:
            raise NotTaken("no-address")
        handle = Handles(self._rt.keys.index_key, row["agency"]).of("case", row["case_id"])
        made = letter.letter(self._mail, office, sender, handle, row["cover"], until)
        server = await asyncio.to_thread(addressed, self._mail, made)
        if not await self._rt.pool.fetchval(cover_post.BEGIN, row["cover"], row["leased_until"]):
            server.close()
            raise LeaseLost
        await asyncio.to_thread(handed, server, made)


def addressed(mail: Mail, letter: EmailMessage) -> smtplib.SMTP:
    """A connection on which the server has taken sender and address. Raises NotTaken."""
    server: smtplib.SMTP | None = None
    try:
        secured = ssl.create_default_context(cafile=mail.ca_file)
        if mail.tls == "tls":
            server = smtplib.SMTP_SSL(mail.host, mail.port, timeout=PATIENCE, context=secured)
        else:
            server = smtplib.SMTP(mail.host, mail.port, timeout=PATIENCE)
        server.ehlo_or_helo_if_needed()
        if mail.tls == "starttls":
            server.starttls(context=secured)
        if mail.username:
            server.login(mail.username, mail.password)
        _accept(server.mail(mail.sender), "refused")
        _accept(server.rcpt(letter["To"]), "address-refused")
    except (NotTaken, smtplib.SMTPException, OSError) as error:
        if server:
            server.close()
        raise NotTaken(_reason(error)) from None
    return server


def _reason(error: Exception) -> NotSent:
    match error:
        case NotTaken(reason=reason):
            return reason
        case smtplib.SMTPAuthenticationError():
            return "login-refused"
        case ssl.SSLCertVerificationError() | smtplib.SMTPNotSupportedError():
            return "untrusted"
        case _:
            return "no-answer"


def handed(server: smtplib.SMTP, letter: EmailMessage) -> None:
    """Raises NotTaken."""
    try:
        _accept(server.data(letter.as_bytes()), "refused")
    except smtplib.SMTPDataError as error:
        raise NotTaken("deferred" if error.smtp_code < 500 else "refused") from None
    except (smtplib.SMTPException, OSError):
        raise NotTaken("unsure") from None
    with suppress(smtplib.SMTPException, OSError):
        server.quit()


def _accept(answer: tuple[int, bytes], otherwise: NotSent) -> None:
    code, _ = answer
    if code >= 400:
        raise NotTaken("deferred" if code < 500 else otherwise)
