"""Cover sheets over a real SMTP server: without content, once, and what went astray is seen."""

import asyncio
import re
import signal
import smtplib
import socket
import ssl
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import UTC, datetime, timedelta
from email import message_from_bytes, policy
from email.message import EmailMessage
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, LoginPassword
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from prometheus_client import REGISTRY

from operate.stack import Stack
from services.views.ways import mailing
from services.views.ways.mailing import Mailing
from shared.contracts.views import CoverBounced, CoverNotSent, CoverSent
from shared.settings import Mail
from tests.integration import _process
from tests.integration._kit import PATIENCE, until
from tests.integration._service import service_on
from tests.integration.test_views import KNEE, Town

PASSWORD = "open-sesame"
CN, PEM = x509.NameOID.COMMON_NAME, Encoding.PEM
CONTACT = "生駒市 福祉政策課 0743-00-0006"


class Server:
    """The city's mail server. `answers`: to an address, by RCPT and by DATA; None hangs up after it has
    the message.
    """

    def __init__(self) -> None:
        self.got: list[tuple[str, EmailMessage]] = []
        self.heard: list[str] = []
        self.refuses: dict[str, str] = {}
        self.data: list[str | None] = []
        self.kills: _process.Process | None = None

    async def handle_RCPT(
        self, server: Any, session: Any, envelope: Any, address: str, options: Any
    ) -> str:
        self.heard.append(address)
        if address in self.refuses:
            return self.refuses[address]
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        answer = self.data.pop(0) if self.data else "250 OK"
        if answer is None or answer.startswith("2"):
            made = message_from_bytes(envelope.content, policy=policy.default)
            assert isinstance(made, EmailMessage)
            self.got.append((envelope.rcpt_tos[0], made))
        if self.kills:
            self.kills.kill()
        if answer is None:
            server.transport.abort()
        return answer or "250 OK"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@pytest.fixture
def smtp(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    port = free_port()
    given = {
        "HOST": "127.0.0.1", "PORT": str(port), "TLS": "none", "SENDER": "tsunagu@city.example",
        "FAX": "{number}@fax.city.example", "PAGES": "http://service", "CONTACT": CONTACT,
    }  # fmt: skip
    for name, value in given.items():
        monkeypatch.setenv(f"MAIL_{name}", value)
    monkeypatch.setattr(mailing, "FIRST_PAUSE", 0.02)
    server = Server()
    control = Controller(server, hostname="127.0.0.1", port=port)
    control.start()
    yield server
    control.stop()


class Authority:
    """Signs certificates of mail servers; `file` holds its own."""

    def __init__(self, folder: Path, name: str) -> None:
        self._folder, self._name = folder / name, x509.Name([x509.NameAttribute(CN, name)])
        self._folder.mkdir()
        self._key = ec.generate_private_key(ec.SECP256R1())
        self.file = self._folder / "ca.pem"
        own = self._made(self._name, self._key, x509.BasicConstraints(ca=True, path_length=0))
        self.file.write_bytes(own.public_bytes(PEM))

    def server(self, address: str) -> ssl.SSLContext:
        """Of a server with that address."""
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.SubjectAlternativeName([x509.IPAddress(ip_address(address))])
        signed = self._made(x509.Name([]), key, name)
        file = self._folder / f"{address}.pem"
        secret = key.private_bytes(PEM, PrivateFormat.PKCS8, NoEncryption())
        file.write_bytes(secret + signed.public_bytes(PEM))
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(file)
        return context

    def _made(
        self, name: x509.Name, key: ec.EllipticCurvePrivateKey, more: x509.ExtensionType
    ) -> x509.Certificate:
        now = datetime.now(UTC)
        return (
            x509.CertificateBuilder(self._name, name, key.public_key(), x509.random_serial_number())
            .not_valid_before(now - timedelta(days=1))
            .not_valid_after(now + timedelta(days=1))
            .add_extension(more, critical=True)
            .add_extension(
                x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False
            )
            .sign(self._key, hashes.SHA256())
        )


def login(server: Any, session: Any, envelope: Any, mechanism: str, given: Any) -> AuthResult:
    known = isinstance(given, LoginPassword) and given == LoginPassword(
        b"tsunagu", PASSWORD.encode()
    )
    return AuthResult(success=known, handled=False)


@contextmanager
def secured(server: Server, tls: str, certificate: ssl.SSLContext | None) -> Iterator[int]:
    """The port of a mail server that takes nothing without TLS and a login; without a certificate it
    offers no TLS.
    """
    given: dict[str, Any] = {"authenticator": login, "auth_required": certificate is not None}
    if tls == "tls":
        given |= {"ssl_context": certificate, "auth_require_tls": False}
    elif certificate:
        given |= {"tls_context": certificate, "require_starttls": True}
    control = Controller(server, hostname="127.0.0.1", port=free_port(), **given)
    control.start()
    yield control.port
    control.stop()


class Sheets:
    """Staff of the city, and the loop that sends."""

    def __init__(self, town: Town) -> None:
        self.town, self.path = town, f"/v1/cases/{town.case}/covers"
        self.city = town.views.client("city", "coordinator")
        self.operator = town.views.client("city", "operator")

    async def office(self, by: str, address: str) -> None:
        path = f"/v1/subscriptions/{self.town.care}/offices/{by}"
        done = await self.operator.put(path, json={"address": address})
        assert done.status_code == 200, done.text

    async def issue(self, by: str, **more: Any) -> Any:
        body = {"agency": self.town.care, "by": by, **more}
        return await self.city.post(self.path, json=body)

    async def states(self) -> list[tuple[str, str | None]]:
        """The newest first."""
        shown = (await self.city.get(self.path)).json()
        return [(one["state"], one["why"]) for one in shown]

    async def astray(self) -> list[tuple[str, str | None]]:
        await self.fold()
        shown = (await self.city.get("/v1/covers/astray")).json()["items"]
        return [(one["state"], one["why"]) for one in shown]

    async def fold(self) -> None:
        await self.town.views.apply(await self.town.views.own())

    async def settled(self) -> None:
        async def nothing_waits() -> bool:
            await self.fold()
            return all(state != "waiting" for state, _ in await self.states())

        await until(nothing_waits)

    @asynccontextmanager
    async def sending(self) -> AsyncIterator[None]:
        task = asyncio.create_task(Mailing(self.town.rt).run())
        yield
        task.cancel()
        assert isinstance((await asyncio.gather(task, return_exceptions=True))[0], BaseException)

    async def falls(self, smtp: Server) -> None:
        """The loop in another process, killed when the server has the sheet and has not answered."""
        process = smtp.kills = await _process.started("tests.integration._views_child", "mailing")
        async with asyncio.timeout(PATIENCE):
            assert await process.wait() == -signal.SIGKILL
        smtp.kills = None


@pytest_asyncio.fixture
async def sheets(smtp: Server, servers: Stack, templates: None) -> AsyncIterator[Sheets]:
    async with service_on(servers, "views") as views:
        town = Town(views)
        await town.open()
        await town.views.tell(town.consent(town.care))
        await town.judged()
        yield Sheets(town)


def bounce(message: EmailMessage, action: str = "failed") -> str:
    return f"""From: MAILER-DAEMON@city.example
Content-Type: multipart/report; report-type=delivery-status; boundary="b"

--b
Content-Type: text/plain

It did not arrive.
--b
Content-Type: message/delivery-status

Reporting-MTA: dns; mail.city.example

Final-Recipient: rfc822; {message["To"]}
Action: {action}
Status: 5.1.1

--b
Content-Type: text/rfc822-headers

Message-ID: {message["Message-ID"]}
--b--
"""


async def test_a_sheet_leaves_by_mail_and_fax_without_content_and_each_once(
    sheets: Sheets, smtp: Server
) -> None:
    town = sheets.town
    await sheets.office("mail", "office@care.example")
    await sheets.office("fax", "0743-00-0005")
    async with sheets.sending():
        for by in ("mail", "fax"):
            assert (await sheets.issue(by)).status_code == 201
            assert (await sheets.issue(by)).json()["reason"] == "cover-was-sent"
        await sheets.settled()
        assert (await sheets.issue("mail", again="not_arrived")).status_code == 201
        await sheets.settled()
        await sheets.town.views.apply(await town.views.own())  # a view that is folded anew
    assert sorted(to for to, _ in smtp.got) == [
        "0743000005@fax.city.example", "office@care.example", "office@care.example",
    ]  # fmt: skip
    assert [state for state, _ in await sheets.states()] == ["sent"] * 3
    assert len(await town.views.written(CoverSent)) == 3
    said = smtp.got[0][1].get_content()
    for secret in (KNEE, str(town.case), str(town.hana)):
        assert secret not in smtp.got[0][1].as_string() + said
    assert CONTACT in said
    assert re.search(r"20\d\d年\d+月\d+日 \d\d:\d\dまで", said)
    link = re.findall(r"http://service(/\S+)", said)[0]
    async with town.views.client(town.care, "agency_worker") as member:
        assert KNEE in (await member.get(link)).text
        assert (await member.get(link)).status_code == 410


async def test_the_loop_ends_although_a_commit_wakes_it_in_the_same_moment(sheets: Sheets) -> None:
    rt = sheets.town.rt
    rt.recovering = True  # nothing is due: it waits
    loop = asyncio.create_task(Mailing(rt).run())
    await asyncio.sleep(0)
    for woken in rt.on_commit:
        woken()
    loop.cancel()
    await asyncio.wait([loop], timeout=PATIENCE)
    assert loop.cancelled()


async def test_what_goes_wrong_is_tried_again_or_seen_by_a_person(
    sheets: Sheets, smtp: Server
) -> None:
    smtp.refuses["office@care.example"] = "550 5.1.1 no such user"
    smtp.data = ["451 4.3.0 later", "250 OK"]
    await sheets.office("mail", "office@care.example")
    await sheets.office("fax", "0743000005")
    async with sheets.sending():
        await sheets.issue("fax")
        await sheets.settled()
        assert len(smtp.got) == 1
        assert [e.reason for e in await sheets.town.views.written(CoverNotSent)] == ["deferred"]
        await sheets.issue("mail")
        await sheets.settled()
        assert await sheets.astray() == [("given_up", "address-refused")]
        await sheets.office("mail", "desk@care.example")
        assert (await sheets.issue("mail")).status_code == 201
        await sheets.settled()
        assert await sheets.astray() == []
        came_back = smtp.got[-1][1]
        headers = {"content-type": "message/rfc822"}

        async def told(text: str) -> bool:
            answer = await sheets.operator.post("/v1/covers/bounces", content=text, headers=headers)
            return bool(answer.json()["taken"])

        assert not await told(bounce(came_back, "delayed"))
        assert not await told(bounce(came_back).replace("cover.", "cover.f"))
        assert await told(bounce(came_back))
        assert await told(bounce(came_back))
        assert await sheets.astray() == [("bounced", "5.1.1")]
        assert len(await sheets.town.views.written(CoverBounced)) == 1
        smtp.data = [None]
        assert (await sheets.issue("mail")).status_code == 201
        await sheets.settled()
    assert await sheets.astray() == [("given_up", "unsure")]
    async with sheets.town.views.client("clinic", "coordinator") as stranger:
        assert (await stranger.get("/v1/covers/astray")).json()["items"] == []
        assert (await stranger.get(sheets.path)).status_code == 404


async def test_killed_in_mid_sending_it_sends_nothing_twice(sheets: Sheets, smtp: Server) -> None:
    await sheets.office("mail", "office@care.example")
    await sheets.issue("mail")
    await sheets.fold()
    await sheets.falls(smtp)
    assert len(smtp.got) == 1
    await sheets.town.rt.pool.execute("update cover_post set leased_until = now()")
    async with sheets.sending():
        await sheets.settled()
    assert len(smtp.got) == 1
    assert await sheets.astray() == [("given_up", "unsure")]


async def test_who_stood_still_beyond_his_lease_sends_nothing_and_opens_nothing_again(
    sheets: Sheets, smtp: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another has taken the sheet meanwhile, and ended while the server had it."""
    rt, addressed = sheets.town.rt, mailing.addressed
    stands, goes_on = threading.Event(), threading.Event()

    def slow(mail: Mail, letter: EmailMessage) -> smtplib.SMTP:
        found = addressed(mail, letter)
        stands.set()
        assert goes_on.wait(2 * PATIENCE)
        return found

    await sheets.office("mail", "office@care.example")
    await sheets.issue("mail")
    await sheets.fold()
    with monkeypatch.context() as patch:
        patch.setattr(mailing, "addressed", slow)
        first = asyncio.create_task(Mailing(rt).some())
        assert await asyncio.to_thread(stands.wait, PATIENCE)
        await rt.pool.execute("update cover_post set leased_until = now()")
        await sheets.falls(smtp)
        goes_on.set()
        assert await first == 1
    await rt.pool.execute("update cover_post set leased_until = now(), retry_at = null")
    async with sheets.sending():
        await sheets.settled()
    assert len(smtp.got) == 1
    assert await sheets.astray() == [("given_up", "unsure")]
    assert [event.reason for event in await sheets.town.views.written(CoverNotSent)] == ["unsure"]


async def test_a_sheet_whose_stream_cannot_be_read_waits_and_ends_nothing(
    sheets: Sheets, smtp: Server
) -> None:
    pool = sheets.town.rt.pool
    await sheets.office("mail", "office@care.example")
    await sheets.issue("mail")
    await sheets.fold()
    place = f"disclosure/{sheets.town.care}/{sheets.town.case}"
    sound = await pool.fetchval("select data from journal where stream = $1 and version = 1", place)
    change = "update journal set data = $2 where stream = $1 and version = 1"
    await pool.execute(change, place, {"case": "?"})
    before = REGISTRY.get_sample_value("tsunagu_damaged_total") or 0
    assert await Mailing(sheets.town.rt).some() == 1
    assert (REGISTRY.get_sample_value("tsunagu_damaged_total") or 0) > before
    assert smtp.got == []
    await pool.execute(change, place, sound)
    await pool.execute("update cover_post set leased_until = now()")
    async with sheets.sending():
        await sheets.settled()
    assert len(smtp.got) == 1


@pytest.mark.filterwarnings("ignore:Requiring AUTH")
@pytest.mark.parametrize("tls", ["tls", "starttls"])
async def test_it_leaves_by_tls_and_login_and_tells_nothing_to_who_is_not_the_citys_server(
    sheets: Sheets, tmp_path: Path, tls: str
) -> None:
    """A certificate of an unknown authority, one of another server, no TLS at all, a wrong password: the
    server hears neither sender nor address, and staff see why.
    """
    ours, others = Authority(tmp_path, "ours"), Authority(tmp_path, "others")
    right, server, why = ours.server("127.0.0.1"), Server(), []
    await sheets.office("mail", "office@care.example")
    await sheets.issue("mail")
    await sheets.fold()
    wrong: list[tuple[ssl.SSLContext | None, str]] = [
        (others.server("127.0.0.1"), PASSWORD), (ours.server("127.0.0.2"), PASSWORD), (right, "wrong"),
    ]  # fmt: skip
    wrong += [(None, PASSWORD)] if tls == "starttls" else []
    for certificate, password in (*wrong, (right, PASSWORD)):
        with secured(server, tls, certificate) as port:
            sheets.town.rt.state["mail"] = mailing.mail_of(sheets.town.rt).model_copy(
                update={"tls": tls, "port": port, "ca_file": str(ours.file),
                        "username": "tsunagu", "password": password}
            )  # fmt: skip
            await sheets.town.rt.pool.execute("update cover_post set retry_at = null")
            assert await Mailing(sheets.town.rt).some() == 1
        await sheets.fold()
        why += await sheets.states()
        assert len(server.got) == len(server.heard) == (len(why) > len(wrong))
    untrusted, refused = ("waiting", "untrusted"), ("waiting", "login-refused")
    told = [untrusted, untrusted, refused, *([untrusted] if tls == "starttls" else [])]
    assert why == [*told, ("sent", None)]
