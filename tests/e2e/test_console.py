"""The console as its readers meet it: complete without scripts, live with them, honest when all is down."""

import asyncio
import json
import os
import re
import shutil
import socket
import sys
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from datetime import date
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from joserfc import jwt
from joserfc.jwk import ECKey, KeySet

from operate.console import chart, page, words
from operate.console.answers import Indicator, Stream
from operate.console.collect import Snapshot
from operate.places import SERVICES

if TYPE_CHECKING:
    from playwright.async_api import Page

ROOT = Path(__file__).parents[2]
BROWSER = next((p for p in ("chromium", "google-chrome", "chrome") if shutil.which(p)), None)
AXE = Path(os.environ.get("AXE_CORE", ROOT / "node_modules/axe-core/axe.min.js"))
CAUTION = "会議の数が多いこと自体が良いとは限りません"
needs_browser = pytest.mark.skipif(not BROWSER, reason="no Chromium is there")


# Services that answer what a test wants them to


def _indicator(id_: str, value: float | None, base: float, target: float, **more: Any) -> Any:
    return {
        "id": id_, "name": f"指標の名前{id_}", "unit": "回/年", "value": value, "base": base,
        "target": target, "target_fiscal_year": 2027, "confirmed": id_ != "I", **more,
    }  # fmt: skip


def year(fiscal_year: int, meetings: int = 18) -> dict[str, Any]:
    kinds = {"juso": 11, "shien-106-6": 9}
    return {
        "fiscal_year": fiscal_year,
        "indicators": [
            _indicator("I", meetings, 12, 30, by_kind=kinds, combined=2),
            _indicator("II", None, 42.5, 46.5),
            _indicator("III", 1931, 1646, 1900),
        ],
        "figures": {
            "contacts": 4312, "cases_opened": 286, "cases_open": 143,
            "referrals": {"requested": 12, "completed": 210}, "meetings": {**kinds, "sodankai": 24},
            "median_days_request_to_start": 6.5,
        },
    }  # fmt: skip


METRICS = """
# TYPE tsunagu_published_total counter
tsunagu_published_total{relay="NAME"} 1234.0
tsunagu_published_total{relay="other"} 999.0
# TYPE tsunagu_oldest_unpublished_seconds gauge
tsunagu_oldest_unpublished_seconds 75.0
# TYPE tsunagu_follower_lag gauge
tsunagu_follower_lag{topic="intake",view="a"} 3.0
tsunagu_follower_lag{topic="referral",view="a"} 4.0
# TYPE tsunagu_parked_streams gauge
tsunagu_parked_streams{view="a"} 1.0
# TYPE tsunagu_duplicates_total counter
tsunagu_duplicates_total{view="a"} 12.0
"""
AGENCIES = [{"code": code, "name": f"<b>{code}の名前</b>"} for code in ("alpha", "beta", "gamma")]


def _sharing(code: str, words: str = "最新・最終確認 10:32", **more: Any) -> dict[str, Any]:
    fresh = {
        "subscribed": True, "documents": 1, "undelivered": 0, "words": {"ja": words, "en": "-"},
        "webhook": None, **more.pop("freshness", {}),
    }  # fmt: skip
    return {
        "agency": code, "state": "active", "ways": ["topic", "feed"], "file_at": None,
        "freshness": fresh, "receipts": None, "retractions": {"unconfirmed": 0, "overdue": 0},
        "covers": {"waiting": 0, "astray": 0}, "parked": 0, "differences": 0, "refused": [], **more,
    }  # fmt: skip


SHARING = [
    _sharing("alpha", freshness={"documents": 40}),
    _sharing("beta", "4分遅れ・最終確認 10:32", freshness={"documents": 7, "undelivered": 2},
             receipts={"delivered": 2, "placed": 5, "opened": 6}, ways=["topic", "feed", "file"],
             file_at="2027-02-03T04:05:06+00:00"),
    _sharing("delta", state="paused", ways=["topic", "feed", "webhook"], parked=1,
             refused=[{"kind": "digest", "times": 2, "last": "2027-02-03T01:40:00+00:00"},
                      {"kind": "size", "times": 1, "last": "2027-02-03T01:42:00+00:00"}],
             retractions={"unconfirmed": 3, "overdue": 1}, covers={"waiting": 0, "astray": 2},
             freshness={"webhook": {"breaker": "open", "trouble": "status-503",
                                    "troubled_since": "2027-02-03T01:32:00+00:00"}}),
]  # fmt: skip
BROKER = {
    "at": "2026-02-03T01:32:00+00:00",
    "differences": [{"agency": None, "kind": "topic", "name": "heartbeats", "what": "<missing>"}],
}


class Services(ThreadingHTTPServer):
    """All five under one port, each below its name; `answers` by service and path replace the usual."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.answers: dict[str, tuple[int, str] | None] = {}
        self.tokens: list[str] = []
        self.meetings = 18

    def usual(self, service: str, path: str, query: str) -> tuple[int, str]:
        if path == "/readyz":
            return 200, "{}"
        if path == "/metrics":
            return 200, METRICS.replace("NAME", service)
        found: Any = {
            "/v1/indicators": year(int(query.partition("=")[2] or 2026), self.meetings),
            "/v1/agencies": {"items": AGENCIES, "next": None},
            "/v1/sharing": {"items": SHARING},
            "/v1/broker": BROKER,
        }[path]
        return 200, json.dumps(found)


class Handler(BaseHTTPRequestHandler):
    server: Services

    def do_GET(self) -> None:
        path, _, query = self.path.partition("?")
        _, service, rest = path.split("/", 2)
        if token := self.headers.get("authorization"):
            self.server.tokens.append(token.removeprefix("Bearer "))
        usual = self.server.usual
        answers = self.server.answers
        given = answers.get(service, answers.get(f"{service}/{rest}", ()))
        if given is None:  # nobody is there
            self.connection.close()
            return
        status, body = given or usual(service, f"/{rest}", query)
        with suppress(ConnectionError):
            self.send_response(status)
            self.end_headers()
            self.wfile.write(body.encode())

    def log_message(self, *_: Any) -> None:
        return None


@pytest.fixture(scope="module")
def services() -> Iterator[Services]:
    server = Services()
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture(autouse=True)
def usual(services: Services) -> None:
    services.answers.clear()
    services.meetings = 18


@pytest.fixture(scope="module")
def key() -> ECKey:
    return ECKey.generate_key("P-256", {"use": "sig", "alg": "ES256"}, auto_kid=True)


@asynccontextmanager
async def started(
    key: ECKey, services: Services, folder: Path
) -> AsyncIterator[tuple[httpx.AsyncClient, asyncio.subprocess.Process]]:
    """A console as its own process, and a client of it."""
    private = folder / "private.jwks"
    private.write_text(json.dumps({"keys": [key.as_dict(private=True)]}))
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    environment = {
        **os.environ, "PYTHONPATH": str(ROOT), "HTTP_PORT": str(port),
        "SERVICES_BASE": f"http://127.0.0.1:{services.server_port}/{{name}}",
        "OIDC_ISSUER": "http://issuer", "CONSOLE_PRIVATE_JWKS": str(private), "DEVELOPMENT": "true",
    }  # fmt: skip
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "operate.console", env=environment, stderr=asyncio.subprocess.PIPE
    )
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=20) as client:
        async with asyncio.timeout(60):
            while True:
                with suppress(httpx.ConnectError):
                    if (await client.get("/readyz")).is_success:
                        break
                await asyncio.sleep(0.05)
        yield client, process
    if process.returncode is None:
        process.terminate()
    async with asyncio.timeout(10):
        await process.communicate()


@pytest.fixture(scope="module")
async def console(
    services: Services, key: ECKey, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[httpx.AsyncClient]:
    async with started(key, services, tmp_path_factory.mktemp("console")) as (client, _):
        yield client


async def html(console: httpx.AsyncClient, path: str) -> str:
    answer = await console.get(path)
    assert answer.status_code == 200
    return answer.text


# The page


async def test_the_page_is_complete_without_scripts(console: httpx.AsyncClient) -> None:
    text = await html(console, "/")
    assert '<html lang="ja">' in text
    for shown in (
        CAUTION, "令和8年度(2026年度)", "18", "未入力", "目標を達成しています", "要確認",
        "重層的支援会議", "いこまる相談会", "4,312", "286", "143", "222", "6.5", "44",
        "alphaの名前", "1,234", "1分",
    ):  # fmt: skip
        assert shown in text, shown
    assert "999" not in text
    assert text.count("<caption>") == text.count("<table>") == 3
    assert set(re.findall(r"<th(?: [^>]*)?>", text)) <= {
        '<th scope="col">', '<th scope="col" class="n">', '<th scope="row">',
    }  # fmt: skip


async def test_agencies_that_need_a_look_come_first(console: httpx.AsyncClient) -> None:
    text = await html(console, "/?fiscal_year=2031")
    rows = re.findall(r'<th scope="row">([^<]*)(?:&lt;|<)', text.split('id="agencies"')[1])
    table = text.split("関係機関ごとの共有の状態")[1].split("</table>")[0]
    states = re.findall(r'</th><td><span class="tag (\w+)">', table)
    assert states == ["paused", "active", "active", "none"]
    assert rows[0] == "delta"
    assert "&lt;b&gt;alpha" in text
    assert "<b>alpha" not in text
    assert "1機関で確認が必要です" in text
    assert "最新 2 / 3機関" in text


async def test_how_sharing_stands_with_an_agency_is_told_in_words(
    console: httpx.AsyncClient,
) -> None:
    text = await html(console, "/?fiscal_year=2033")
    delta, beta = (
        re.sub(r"<[^>]*>| {2}", "", text.split(f'<th scope="row">{name}')[1].split("</tr>")[0])
        for name in ("delta", "&lt;b&gt;beta")
    )
    for shown in (
        "一時停止",
        "Webhook 停止中 2027-02-03 10:32から・status-503",
        "期限超過 1",
        "報告なし",
        "受け付けなかった入力(30日間) 文書の要約値の不一致 2・大きすぎる本文 1(最終 2027-02-03 10:42)",
    ):
        assert shown in delta, shown
    for shown in (
        "有効",
        "4分遅れ・最終確認 10:32",
        "届いた 2・登録 5・閲覧 6",
        "ファイル(最終 2027-02-03 13:05)",
    ):
        assert shown in beta, shown
    for need in ("overdue", "parked", "astray", "breaker"):
        assert f"{words.NEEDS[need]} <span" in text
    assert "相違 1件" in text
    assert "topic heartbeats: &lt;missing&gt;" in text
    assert "その後は比較していません" in text


async def test_no_address_outside_and_no_inline_script(console: httpx.AsyncClient) -> None:
    text = await html(console, "/")
    assets = re.findall(r'(?:src|href)="(/(?:static|mark)[^"]*)"', text)
    assert len(assets) >= 6
    for path in assets:
        answer = await console.get(path)
        assert answer.status_code == 200, path
        text += answer.text if path.endswith((".css", ".html")) else ""
        if path.endswith(".css"):
            for font in re.findall(r"url\(([^)]*)\)", answer.text):
                assert (ROOT / "operate/console/static" / font).is_file(), font
    addresses = set(re.findall(r"https?://[^\s\"'<>)]+", text))
    assert addresses <= {"http://www.w3.org/2000/svg", "http://scripts.sil.org/OFL"}
    assert not re.search(r"<script(?![^>]*src=)|<style|\sstyle=|\son\w+=", text)


async def test_security_headers(console: httpx.AsyncClient) -> None:
    for path in ("/", "/static/console.css", "/nowhere", "/?fiscal_year=x"):
        headers = (await console.get(path)).headers
        assert headers["content-security-policy"].startswith("default-src 'self'")
        assert "unsafe" not in headers["content-security-policy"]
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "no-referrer"
    assert (await console.get("/nowhere")).status_code == 404
    assert (await console.get("/?fiscal_year=1066")).status_code == 422


async def test_its_tokens_are_short_lived_and_see_no_case(
    console: httpx.AsyncClient, services: Services, key: ECKey
) -> None:
    await html(console, "/?fiscal_year=2032")
    claims = jwt.decode(services.tokens[-1], KeySet([key]), algorithms=["ES256"]).claims
    assert claims["roles"] == ["operator", "planner"]
    assert claims["exp"] - claims["iat"] <= 300
    assert (claims["iss"], claims["aud"]) == ("http://issuer", "tsunagu")


# When services are down


@pytest.mark.parametrize("service", SERVICES)
async def test_a_service_that_is_down_is_shown(
    console: httpx.AsyncClient, services: Services, service: str
) -> None:
    services.answers[service] = None
    text = await html(console, f"/?fiscal_year={2040 + SERVICES.index(service)}")
    assert f"停止中のサービスがあります：{words.SERVICES[service]}" in text
    assert text.count('<span class="tag down">停止中</span>') >= 2


@pytest.mark.parametrize(
    ("number", "answer"),
    list(
        enumerate(
            [None, (500, ""), (200, "<html>"), (200, "[]"), (200, '{"items": 3}'), (404, "{}")]
        )
    ),
)
async def test_whatever_the_services_say_the_page_stands(
    console: httpx.AsyncClient, services: Services, number: int, answer: tuple[int, str] | None
) -> None:
    services.answers |= dict.fromkeys(SERVICES, answer)
    text = await html(console, f"/?fiscal_year={2050 + number}")
    assert f"令和{32 + number}年度" in text
    assert "停止中" in text
    assert CAUTION in text


async def test_a_service_that_gets_ready_is_no_service_that_is_down(
    console: httpx.AsyncClient, services: Services
) -> None:
    services.answers["views/readyz"] = (503, "{}")
    assert "準備中のサービスがあります：各機関のビュー" in await html(console, "/?fiscal_year=2060")


# Live


@asynccontextmanager
async def changes(
    console: httpx.AsyncClient, path: str, **headers: str
) -> AsyncIterator[AsyncIterator[tuple[str, str]]]:
    """The events of the stream: id and data."""
    async with console.stream("GET", path, headers=headers) as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")

        async def events() -> AsyncIterator[tuple[str, str]]:
            id_, data = "", ""
            async for line in answer.aiter_lines():
                name, _, value = line.partition(": ")
                if name == "id":
                    id_ = value
                elif name == "data":
                    data += value + "\n"
                elif not line and data:
                    yield id_, data
                    data = ""

        yield events()


async def test_only_what_changed_is_sent(console: httpx.AsyncClient, services: Services) -> None:
    text = await html(console, "/?fiscal_year=2070")
    found = re.search(r'hx-sse:connect="([^"]+)"', text)
    assert found
    path = found[1].replace("&amp;", "&")
    assert "fiscal_year=2070&seen=" in path
    async with asyncio.timeout(20), changes(console, path) as events:
        services.meetings = 19
        id_, data = await anext(events)
    assert re.findall(r'hx-target="#(\w+)"', data) == ["indicators"]
    assert "現在値 19" in data
    async with asyncio.timeout(20), changes(console, path, **{"last-event-id": id_}) as events:
        services.answers["meetings"] = None
        _, data = await anext(events)
    assert re.findall(r'hx-target="#(\w+)"', data) == ["status", "streams"]


async def test_open_streams_do_not_hold_up_its_end(
    key: ECKey, services: Services, tmp_path: Path
) -> None:
    async with started(key, services, tmp_path) as (client, process):
        async with asyncio.timeout(30), changes(client, "/events") as events:
            await anext(events)
            process.terminate()
            with pytest.raises(StopAsyncIteration):
                await anext(events)
            output = await process.stderr.read() if process.stderr else b""
            assert await process.wait() in (0, -15)
    assert output == b""


async def test_updates_can_be_stopped(console: httpx.AsyncClient) -> None:
    text = await html(console, "/?fiscal_year=2071&live=false")
    assert "<script" not in text
    assert "hx-sse" not in text
    assert 'href="/?fiscal_year=2071">自動更新を再開する' in text


# In a browser


@asynccontextmanager
async def browser_page(
    console: httpx.AsyncClient, width: int, **more: Any
) -> AsyncIterator["Page"]:
    """An empty page whose console stays free of errors and which asks nobody else."""
    from playwright.async_api import async_playwright

    quiet = ("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
             "--disable-background-networking", "--disable-component-update", "--disable-sync")  # fmt: skip
    complaints: list[str] = []
    async with async_playwright() as driver:
        browser = await driver.chromium.launch(
            executable_path=shutil.which(BROWSER or ""), args=quiet
        )
        made = await browser.new_page(
            base_url=str(console.base_url), viewport={"width": width, "height": 800}, **more
        )
        made.on(
            "console",
            lambda said: (
                complaints.append(said.text) if said.type in ("error", "warning") else None
            ),
        )
        made.on(
            "request",
            lambda asked: (
                None
                if asked.url.startswith(str(console.base_url))
                else complaints.append(asked.url)
            ),
        )
        yield made
        await browser.close()
    assert complaints == []


@needs_browser
@pytest.mark.parametrize("width", [320, 1280])
async def test_it_fits_and_changes_by_itself(
    console: httpx.AsyncClient, services: Services, width: int
) -> None:
    async with browser_page(console, width) as shown:
        await shown.goto(f"/?fiscal_year={2080 + width % 7}")
        await shown.get_by_text("変更があると自動で更新します").wait_for()
        assert await shown.evaluate("document.documentElement.scrollWidth") <= width
        loaded = """document.fonts.ready.then(() => document.fonts.check('16px "Noto Sans JP"', '会議'))"""
        assert await shown.evaluate(loaded)
        services.meetings = 21
        await shown.get_by_text("現在値 21").wait_for()
        await shown.keyboard.press("Tab")
        assert await shown.evaluate("document.activeElement.textContent") == "本文へ移動する"
        assert (
            await shown.evaluate("getComputedStyle(document.activeElement).outlineWidth") == "4px"
        )


@needs_browser
async def test_it_reads_the_same_without_javascript(console: httpx.AsyncClient) -> None:
    async with browser_page(console, 375, java_script_enabled=False) as shown:
        await shown.goto("/?fiscal_year=2090")
        assert await shown.get_by_text("表示は読み込んだ時点のものです").is_visible()
        assert "JavaScriptが使えないため自動更新しません" in await shown.content()
        assert await shown.get_by_role("img", name="現在値 18回/年").is_visible()


@needs_browser
@pytest.mark.skipif(
    not AXE.is_file(), reason="axe-core is not there: npm install --no-save axe-core"
)
@pytest.mark.parametrize("down", [False, True])
async def test_axe_finds_nothing(
    console: httpx.AsyncClient, services: Services, down: bool
) -> None:
    if down:
        services.answers |= dict.fromkeys(SERVICES)
    async with browser_page(console, 1280, bypass_csp=True) as shown:
        await shown.goto(f"/?fiscal_year={2092 + down}")
        await shown.evaluate(AXE.read_text("utf-8"))
        found = await shown.evaluate("axe.run()")
    assert [(v["id"], [n["html"] for n in v["nodes"]]) for v in found["violations"]] == []


# Its pieces


def test_fiscal_years_are_named_in_both_calendars() -> None:
    assert words.fiscal_year(2019) == "令和元年度(2019年度)"
    assert words.fiscal_year(2027) == "令和9年度(2027年度)"
    assert words.fiscal_year(2018) == "2018年度"
    assert words.this_fiscal_year(date(2027, 3, 31)) == 2026
    assert words.this_fiscal_year(date(2027, 4, 1)) == 2027


def test_numbers_durations_and_differences() -> None:
    assert [words.number(n) for n in (None, 1646, 42.5, 43.0)] == ["—", "1,646", "42.5", "43"]
    assert [words.signed(n) for n in (3, -12, 0.0)] == ["+3", "−12", "±0"]
    assert [words.duration(s) for s in (0.4, 7, 75, 7300, 200_000)] == [
        "なし", "7秒", "1分", "2時間", "2日",
    ]  # fmt: skip


def test_kinds_of_meeting_that_count_come_first() -> None:
    found = words.held({"new": 1, "sodankai": 24, "shien-9": 0, "shien-106-6": 9, "juso": 11})
    assert found == [("juso", 11), ("shien-106-6", 9), ("sodankai", 24), ("new", 1)]


@pytest.mark.parametrize("value", [None, -5, 0, 12, 18, 30, 5000])
@pytest.mark.parametrize(("base", "target"), [(12, 30), (42.5, 46.5), (5, 5)])
def test_every_mark_is_inside_the_picture(value: float | None, base: float, target: float) -> None:
    one = Indicator.model_validate(_indicator("I", value, base, target))
    made = chart.chart(one)
    marks = [made.base, made.target, *([made.value] if made.value else [])]
    assert all(chart.LEFT <= mark.x <= chart.RIGHT for mark in marks)
    assert sorted(marks, key=lambda mark: mark.x) == sorted(
        marks, key=lambda mark: float(mark.text.split()[1].replace(",", ""))
    )
    assert f"基準値 {words.number(base)}" in chart.told(one)


def test_a_share_is_short_of_its_target_by_points() -> None:
    share = Indicator.model_validate(_indicator("II", 43.8, 42.5, 46.5) | {"unit": "%"})
    assert chart.missing(share) == "目標まで あと 2.7ポイント"


def test_figures_of_a_stream_are_sums_of_its_views() -> None:
    read = Stream.read("intake", METRICS.replace("NAME", "intake"))
    assert read == Stream(published=1234, oldest_seconds=75, lag=7, parked=1, duplicates=12)
    with pytest.raises(ValueError):
        Stream.read("intake", "<html>")


def test_a_page_of_nothing_is_a_page() -> None:
    nothing = Snapshot(services=(), year=None, agencies=None, sharing=None, broker=None)
    made = page.parts(nothing)
    assert page.changed(made, page.digests(made)) == {}
    assert set(page.changed(made, "")) == set(page.PARTS)
