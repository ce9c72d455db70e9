"""The harness finds every kill point, cuts at message boundaries, and its checker tells leaks."""

import asyncio
import json
import re
from collections.abc import Awaitable, Callable
from contextlib import suppress
from itertools import accumulate, pairwise
from pathlib import Path
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from operate.chaos.faults import backwards, servers, stream
from operate.chaos.faults.backwards import batches
from operate.chaos.ground import Ground, Skewed
from operate.chaos.history import History
from operate.chaos.plans import SELDOM, at_points, at_seldom_points
from operate.chaos.points import MODES, points
from operate.chaos.proxy import OPENS, Cut, How, Proxy, Walk
from operate.chaos.run import Report
from operate.demo.agencies import Offices
from operate.demo.client import Api
from operate.install import ROOT
from operate.places import SERVICES
from operate.stack import Stack


def test_every_point_in_the_source_is_found_and_some_service_comes_by() -> None:
    found = set()
    for part in ("shared", "services"):
        for path in (ROOT / part).rglob("*.py"):
            found |= set(re.findall(r'\bpoint\("([^"]+)"\)', path.read_text()))
    assert set(points()) == found
    assert all(services and set(services) <= set(SERVICES) for services in points().values())


def test_every_point_is_fallen_at_in_every_mode() -> None:
    taking_back, parking = at_seldom_points()
    assert len(at_points(*MODES)) == 3 * (len(points()) - len(SELDOM))
    assert len(taking_back) + len(parking) == 3 * len(SELDOM)


def test_a_history_keeps_what_is_in_doubt_until_it_is_known(tmp_path: Path) -> None:
    history = History(tmp_path / "history.jsonl")
    history.intent("a", "POST /v1/cases")
    history.outcome("a", "unknown")
    history.intent("b", "POST /v1/cases")
    assert set(history.open) == {"a", "b"}
    history.outcome("a", "ok")
    history.outcome("b", "fail")
    assert not history.open
    assert len((tmp_path / "history.jsonl").read_text().splitlines()) == 5


def test_a_report_can_be_printed_as_json() -> None:
    report = Report("sample", 3, faults={"term": 1}, outcomes={"ok": 2})
    report.result.found("lost", 1, "commands acknowledged and not in the journal")
    document = json.loads(json.dumps(report.document()))
    assert (document["faults"], document["right"]) == ({"term": 1}, False)
    assert document["result"]["counts"]["lost"] == 1


class Broker:
    """Answers every frame with its own name, as a broker does in metadata."""

    def __init__(self) -> None:
        self.heard: list[int] = []
        self.port = 0

    async def __aenter__(self) -> "Broker":
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                body = await reader.readexactly(int.from_bytes(await reader.readexactly(4)))
                self.heard.append(int.from_bytes(body[:2]))
                writer.write(frame(b"127.0.0.1" + self.port.to_bytes(4)))
        except asyncio.IncompleteReadError:
            writer.close()


def frame(body: bytes) -> bytes:
    return len(body).to_bytes(4) + body


async def ask(port: int, kind: int) -> bytes:
    """The answer; empty if the connection is cut."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(frame(kind.to_bytes(2) + b"request"))
    try:
        return await reader.readexactly(17)
    except (asyncio.IncompleteReadError, ConnectionError):
        return b""
    finally:
        writer.close()


@pytest.mark.parametrize(("how", "heard"), [("before", []), ("after", [3]), ("half-open", [])])
async def test_a_proxy_cuts_one_connection_where_it_is_told(how: How, heard: list[int]) -> None:
    async with Broker() as broker:
        proxy = Proxy(broker.port)
        await proxy.start()
        cutting = asyncio.create_task(proxy.cut(Cut(3, how, 0.05), 10))
        await asyncio.sleep(0)
        assert await ask(proxy.port, 3) == b""
        assert await cutting
        assert broker.heard == heard
        answer = await ask(proxy.port, 3)
        assert answer.endswith(b"127.0.0.1" + proxy.port.to_bytes(4))
        await proxy.stop()


async def test_a_cut_that_nobody_comes_by_is_taken_back() -> None:
    async with Broker() as broker:
        proxy = Proxy(broker.port)
        await proxy.start()
        assert not await proxy.cut(Cut(9, "before"), 0.01)
        assert await ask(proxy.port, 9)
        await proxy.stop()


def message(kind: int, body: bytes) -> bytes:
    """As PostgreSQL's are."""
    return (b"" if kind == OPENS else bytes([kind])) + (4 + len(body)).to_bytes(4) + body


@given(st.lists(st.tuples(st.sampled_from(b"QPBSZD"), st.binary(max_size=12))), st.data())
def test_messages_are_found_in_whatever_pieces_they_come(
    some: list[tuple[int, bytes]], data: st.DataObject
) -> None:
    some = [(OPENS, b"user"), *some]
    sent = b"".join(message(*one) for one in some)
    places = data.draw(st.lists(st.integers(0, len(sent))))
    ends = sorted({0, *places, len(sent)})
    walk, found, passed = Walk(opening=True), list[tuple[int, int]](), b""
    for start, end in pairwise(ends):
        content, begins = walk.of(sent[start:end])
        found += [(kind, len(passed) + at) for kind, at in begins]
        passed += content
    starts = accumulate((len(message(*one)) for one in some), initial=0)
    assert passed == sent
    assert found == [(kind, at) for (kind, _), at in zip(some, starts, strict=False)]


@pytest.mark.parametrize(("how", "heard"), [("before", b"P"), ("after", b"PSS")])
async def test_a_connection_to_postgresql_is_cut_between_its_messages(
    tmp_path: Path, how: How, heard: bytes
) -> None:
    """All of them come together; what stands before the cut is passed on."""
    kinds, over = bytearray(), asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        walk = Walk(opening=True)
        with suppress(ConnectionError):
            while piece := await reader.read(1000):
                kinds.extend(kind for kind, _ in walk.of(piece)[1] if kind != OPENS)
                writer.write(message(ord("D"), b"row") + message(ord("Z"), b"I"))
        over.set()
        writer.close()

    server = await asyncio.start_unix_server(serve, tmp_path / "socket")
    proxy = Proxy(tmp_path / "socket")
    await proxy.start()
    cutting = asyncio.create_task(proxy.cut(Cut(ord("S"), how), 10))
    await asyncio.sleep(0)
    reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
    asked = [message(OPENS, b"user"), message(ord("P"), b"select"), message(ord("S"), b"")]
    writer.write(b"".join([*asked, message(ord("S"), b"")]))
    with suppress(ConnectionError):
        assert await reader.read() == b""
    assert await cutting
    await over.wait()
    assert kinds == heard
    writer.close()
    await proxy.stop()
    server.close()


def test_batches_of_a_segment_end_where_their_lengths_say(tmp_path: Path) -> None:
    log = tmp_path / "0.log"
    first, second = ((8).to_bytes(8) + len(rest).to_bytes(4) + rest for rest in (b"abc", b"de"))
    log.write_bytes(first + second + bytes(64))
    assert batches(log) == [0, 15, 29]


@pytest.mark.parametrize("fault", [servers.backends, stream.rewind, backwards.snapshot])
async def test_nothing_is_asked_of_postgresql_while_another_fault_has_it(
    tmp_path: Path, fault: Callable[[Ground], Awaitable[None]]
) -> None:
    nowhere = Stack(tmp_path, 1)
    api = Api(nowhere)
    ground = Ground(nowhere, Random(1), Offices(nowhere, api, tmp_path), Skewed(api, ()))
    async with ground.alone("postgres"):
        waiting = asyncio.ensure_future(fault(ground))
        await asyncio.wait(
            [waiting], timeout=0.2
        )  # there is no server: who asked would have failed
        assert not waiting.done()
        waiting.cancel()
    await api.close()
