"""The agency kit without a broker: the copy's one rule, sealing, what is kept aside, receipts."""

import ast
import asyncio
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import pytest
from aiokafka.errors import KafkaConnectionError
from hypothesis import given
from hypothesis import strategies as st
from joserfc import jwe
from joserfc.jwk import KeySet, OctKey, OKPKey
from typer.testing import CliRunner

from agency import Copy, Credentials, Receipts, Subscriber
from agency.__main__ import app
from agency.certify import equal, rising, sort
from agency.copy import Position, Refusal
from agency.document import digest
from agency.sealed import Change, Poison, Record, heartbeat_at, highest, opened, unsealed

KEY = OKPKey.generate_key("X25519", {"use": "enc"}, auto_kid=True)
KEYS = KeySet([KEY])
HANDLE = str(UUID(int=1))
TOPIC = "view.a"


def document(handle: str = HANDLE, version: int = 1, **more: Any) -> dict[str, Any]:
    item = {
        "item": "i", "type": "case.person_described", "field": "name", "class": "contact",
        "person": "p", "value": {"family": "生駒"}, "occurred_at": "2026-04-01T09:00:00+09:00",
        "recorded_by": None, "bases": [{"kind": "consent", "id": "b"}],
    }  # fmt: skip
    return {
        "handle": handle, "document": version, "cause": "content_changed",
        "at": "2026-04-01T00:00:00Z", "items": [item],
        "persons": [{"person": "p", "classes": {"contact": "covered"}}], **more,
    }  # fmt: skip


def sealed(body: Any, key: OKPKey = KEY, enc: str = "A256GCM") -> bytes:
    plain = json.dumps(body, ensure_ascii=False).encode()
    padded = plain.ljust(-(-len(plain) // 4096) * 4096)
    public = OKPKey.import_key(key.as_dict(private=False))
    header = {"alg": "ECDH-ES", "enc": enc}
    return jwe.encrypt_compact(header, padded, public, algorithms=["ECDH-ES", enc]).encode()


def record(
    offset: int = 0,
    handle: str = HANDLE,
    version: int = 1,
    edition: int = 1,
    value: bytes | None = b"",
    type_: str = "jp.tsunagu.view.changed.v1",
) -> Record:
    if value == b"":
        value = sealed(document(handle, version))
    headers = {
        "ce_type": type_,
        "ce_version": version,
        "ce_edition": edition,
        "ce_id": f"id-{offset}",
    }
    made = tuple((name, str(text).encode()) for name, text in headers.items())
    return Record(offset, handle.encode(), value, made)


@pytest.fixture
def copy() -> Iterator[Copy]:
    made = Copy(":memory:")
    yield made
    made.close()


# The copy


def _change(handle: str, version: int, edition: int, ends: bool) -> Change:
    body = None if ends else json.dumps({"of": f"{handle}.{version}.{edition}"})
    return Change(handle, version, edition, body)


changes = st.builds(
    _change, st.sampled_from("abc"), st.integers(1, 4), st.integers(1, 3), st.booleans()
)


@given(st.lists(changes, max_size=30), st.data())
def test_any_order_and_any_repetition_make_the_same_copy(sent: list[Change], data: Any) -> None:
    again = data.draw(st.lists(st.sampled_from(sent), max_size=10)) if sent else []
    arrived = data.draw(st.permutations([*sent, *again]))
    cut = data.draw(st.integers(0, len(arrived)))
    copy = Copy(":memory:")
    for batch in (arrived[:cut], arrived[cut:]):
        copy.apply(enumerate(batch))
    assert copy.content() == {
        handle: (change.version, change.edition, change.body)
        for handle, change in highest(sent).items()
    }
    copy.close()


@given(st.lists(changes, max_size=30))
def test_what_is_taken_over_only_rises(arrived: list[Change]) -> None:
    copy = Copy(":memory:")
    taken = copy.apply(enumerate(arrived))
    for handle in {change.handle for change in taken}:
        ranks = [change.rank for change in taken if change.handle == handle]
        assert ranks == sorted(set(ranks))
    copy.close()


def test_a_tombstone_deletes_the_content_and_versions_go_on(copy: Copy) -> None:
    copy.apply([(0, _change("a", 3, 1, False)), (1, _change("a", 3, 1, True))])
    assert copy.document("a") == copy.documents()[0]
    assert copy.documents()[0].body is None
    assert copy.apply([(2, _change("a", 2, 9, False))]) == []
    assert copy.apply([(3, _change("a", 4, 1, False))])
    assert copy.content()["a"][:2] == (4, 1)


def test_ended_content_leaves_the_file(tmp_path: Path) -> None:
    path = tmp_path / "copy.db"
    copy = Copy(path)
    copy.apply([(0, opened(record(), KEYS))])
    assert any("生駒".encode() in file.read_bytes() for file in tmp_path.iterdir())
    copy.apply([(1, opened(record(1, value=None), KEYS))])
    assert not any("生駒".encode() in file.read_bytes() for file in tmp_path.iterdir())
    assert path.stat().st_mode & 0o077 == 0
    copy.close()


def test_content_and_place_are_one_transaction(copy: Copy) -> None:
    broken = Change("a", 1, 1, object())  # type: ignore[arg-type]
    with pytest.raises(Exception, match="type"):
        copy.apply(
            [(0, _change("b", 1, 1, False)), (1, broken)], topic=TOPIC, position=Position(2, "x")
        )
    assert copy.documents() == []
    assert copy.position(TOPIC) is None


def test_a_place_keeps_the_last_heartbeat(copy: Copy) -> None:
    copy.apply(topic=TOPIC, position=Position(1, "x", "2026-04-01T00:00:00Z"))
    copy.apply(topic=TOPIC, position=Position(2, "y"))
    assert copy.position(TOPIC) == Position(2, "y", "2026-04-01T00:00:00Z")
    assert copy.topics() == [TOPIC]
    copy.restart(TOPIC)
    assert copy.position(TOPIC) is None


# Sealing


def test_a_record_opens_and_its_padding_is_gone() -> None:
    change = opened(record(version=2, edition=3), KEYS)
    assert (change.handle, change.version, change.edition) == (HANDLE, 2, 3)
    assert change.body == json.dumps(document(version=2), ensure_ascii=False)
    assert change.document
    assert change.document.items[0].class_ == "contact"


def test_unknown_members_of_a_newer_document_are_kept() -> None:
    change = opened(record(value=sealed(document(newer={"a": 1}))), KEYS)
    assert json.loads(change.body or "")["newer"] == {"a": 1}


def test_a_large_document_opens() -> None:
    large = document()
    large["items"] = large["items"] * 3000
    assert len(unsealed(sealed(large), KEYS)) > 500_000


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        (record(value=b"no jwe"), "does not open"),
        (record(value=sealed(document(), OKPKey.generate_key("X25519"))), "does not open"),
        (record(value=sealed(document(), enc="A128GCM")), "does not open"),
        (record(value=sealed(["no", "document"])), "another shape"),
        (record(value=sealed(document(items=[{"item": 1}]))), "another shape"),
        (record(value=sealed(document(version=2))), "not the one"),
        (record(value=sealed(document(handle="other"))), "not the one"),
        (record(type_="jp.tsunagu.other.v1"), "ce_type"),
        (record(edition=-1), "ce_edition"),
        (Record(0, None, None, record().headers), "no key"),
        (Record(0, b"\xff", b"\xff\xfe", ()), "ce_type"),
    ],
)
def test_poison_says_why(bad: Record, reason: str) -> None:
    with pytest.raises(Poison, match=reason):
        opened(bad, KEYS)


def test_while_a_key_is_replaced_a_record_to_either_key_opens() -> None:
    """A record does not say to which key it is sealed."""
    old, new = KEY, OKPKey.generate_key("X25519", {"use": "enc"}, auto_kid=True)
    for key in (old, new):
        assert json.loads(unsealed(sealed(document(), key), KeySet([old, new]))) == document()


def test_only_the_agreed_algorithms_are_opened() -> None:
    key = OctKey.generate_key(256)
    value = jwe.encrypt_compact({"alg": "dir", "enc": "A256GCM"}, b"{}", key)
    with pytest.raises(Poison):
        unsealed(value.encode(), KeySet([key]))


def test_a_heartbeat_tells_its_time() -> None:
    assert heartbeat_at(Record(0, b"_heartbeat", b'{"at": "2026-04-01"}', ())) == "2026-04-01"
    paused = Record(0, b"_heartbeat", b'{"at": "2026-04-01", "paused": true}', ())
    assert heartbeat_at(paused) is None  # something may be held back
    for value in (None, b"", b"[]", b'{"at": 1}'):
        with pytest.raises(Poison):
            heartbeat_at(Record(0, b"_heartbeat", value, ()))


# The subscriber's own steps


@pytest.fixture
def credentials(tmp_path: Path) -> Credentials:
    (tmp_path / "private.jwk").write_text(json.dumps(KEY.as_dict(private=True)))
    given_ = {
        "bootstrap": "127.0.0.1:1", "mechanism": "SCRAM-SHA-512", "username": "agency-a",
        "password": "secret", "topic": TOPIC, "group_prefix": "a.",
        "private_key_file": "private.jwk", "newer": True,
    }  # fmt: skip
    (tmp_path / "credentials.json").write_text(json.dumps(given_))
    return Credentials.load(tmp_path / "credentials.json")


class Reader:
    """As much of a consumer as one step needs."""

    def __init__(self) -> None:
        self.sought: list[str] = []

    async def commit(self, _: object) -> None:
        self.sought.append("committed")

    async def seek_to_beginning(self, _: object) -> None:
        self.sought.append("beginning")


async def test_poison_is_kept_aside_others_go_on_and_a_good_record_heals(
    copy: Copy, credentials: Credentials
) -> None:
    follower: Any = Subscriber(credentials, copy)
    other = str(UUID(int=2))
    bad = record(0, value=sealed(document(), OKPKey.generate_key("X25519")))
    await follower._take(Reader(), [bad, record(1, handle=other), record(2, "odd", value=b"odd")])
    assert [held.handle for held in copy.documents()] == [other]
    assert [one.handle for one in copy.refused(TOPIC)] == [HANDLE, "odd"]
    assert copy.position(TOPIC) == Position(3, "id-2")
    await follower._take(Reader(), [record(3, version=2)])
    assert [one.handle for one in copy.refused(TOPIC)] == ["odd"]


class Slipping(Reader):
    """A client that cannot begin, and lets a cancellation of its own slip when it is stopped."""

    made = 0

    def __init__(self, *_: object) -> None:
        super().__init__()
        type(self).made += 1

    def assign(self, _: object) -> None:
        raise KafkaConnectionError

    async def stop(self) -> None:
        raise asyncio.CancelledError


async def test_a_cancellation_of_the_client_ends_no_subscriber(
    copy: Copy, credentials: Credentials, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("agency.subscriber.consumer", Slipping)
    running = asyncio.create_task(Subscriber(credentials, copy).run())
    async with asyncio.timeout(5):
        while Slipping.made < 3:  # noqa: ASYNC110 (what it makes is what is waited for)
            await asyncio.sleep(0.01)
    assert not running.done()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running


async def test_what_was_kept_aside_opens_with_the_right_key(
    copy: Copy, credentials: Credentials
) -> None:
    copy.apply(refusals=[Refusal(record(5), HANDLE, "wrong key")], topic=TOPIC)
    follower: Any = Subscriber(credentials, copy)
    follower._retry_refused()
    assert copy.refused(TOPIC) == []
    assert copy.documents()[0].document == 1
    assert copy.position(TOPIC) is None


async def test_a_topic_made_anew_is_read_from_its_start(
    copy: Copy, credentials: Credentials
) -> None:
    follower: Any = Subscriber(credentials, copy)
    follower._last_id, follower._next = "id-7", 7
    reader = Reader()
    await follower._take(reader, [record(7)])  # the same record: we go on
    follower._last_id, follower._next = "of another life", 7
    await follower._take(reader, [record(7)])
    assert reader.sought == ["committed", "beginning"]
    assert copy.position(TOPIC) is None


async def test_a_failing_on_change_does_not_hold_up_the_copy(
    copy: Copy, credentials: Credentials
) -> None:
    def fail(_: object) -> None:
        raise RuntimeError

    follower: Any = Subscriber(credentials, copy, on_change=fail)
    await follower._take(Reader(), [record(0)])
    assert len(copy.documents()) == 1


# Receipts


async def test_receipts_are_given_when_views_answers_again(
    copy: Copy, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = [503, 200, 200, 409]
    seen: list[tuple[str, Any, str]] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(
            (request.url.path, json.loads(request.content), request.headers["authorization"])
        )
        return httpx.Response(answers.pop(0))

    client = httpx.AsyncClient(transport=httpx.MockTransport(answer), base_url="http://views")
    monkeypatch.setattr("agency.receipts.httpx.AsyncClient", lambda **_: client)
    ended = sealed(document(version=2, items=[], persons=[], cause="content_ended"))
    copy.apply([(0, opened(record(), KEYS))], owe=True)
    copy.apply([(1, opened(record(1, version=2, value=ended), KEYS))], owe=True)
    copy.apply([(2, opened(record(2, "h", value=sealed(document("h"))), KEYS))], owe=True)
    tokens = iter("abcd")
    receipts = Receipts("http://views/", lambda: next(tokens), confirm=True)
    running = asyncio.create_task(receipts.run(copy))
    async with asyncio.timeout(5):
        while copy.owed():  # noqa: ASYNC110 (the file is what is waited for)
            await asyncio.sleep(0.01)
    running.cancel()
    mine, other = (held.body and digest(held.body) for held in copy.documents())
    receipt = {"handle": HANDLE, "document": 2, "grade": "placed", "digest": mine}
    assert seen == [
        ("/v1/receipts", receipt, "Bearer a"),
        ("/v1/receipts", receipt, "Bearer b"),
        (f"/v1/views/{HANDLE}/retraction-confirmation", {"document": 2}, "Bearer c"),
        ("/v1/receipts", {**receipt, "handle": "h", "document": 1, "digest": other}, "Bearer d"),
    ]


def test_only_what_left_is_to_be_given_back_and_not_what_was_corrected() -> None:
    (old,) = document()["items"]
    new = {**old, "item": "j", "told": {"what": "corrected", "at": "2026-04-02T00:00:00Z"}}
    sibling = {**old, "item": "k", "field": "address"}
    steps = (([new, sibling], False), ([new], True), ([{**new, "item": "l"}], False))
    copy = Copy(":memory:")
    copy.apply([(0, opened(record(), KEYS))], owe=True)
    for version, (items, left) in enumerate(steps, 2):
        for handle, number, _ in copy.owed():
            copy.paid(handle, number)
        value = sealed(document(version=version, items=items))
        copy.apply(
            [(version, opened(record(version, version=version, value=value), KEYS))], owe=True
        )
        assert copy.owed() == [(HANDLE, version, left)]
    copy.close()


# Certification


def test_rising_versions_pass_and_repeats_too() -> None:
    first, second = _change("a", 1, 1, False), _change("a", 2, 1, False)
    assert rising([first, second]).passed
    assert rising([first, second, first, second]).passed
    assert not rising([first, second, first]).passed
    assert not rising([second, first, second]).passed


def test_certification_finds_poison_and_differences() -> None:
    changes_, poison = sort([record(0), record(1, value=b"no jwe")], KEYS)
    assert len(changes_) == 1
    assert poison == ["record 1: it does not open with our key"]
    assert equal(changes_, changes_).passed
    assert not equal(changes_, []).passed


def test_the_kit_stands_alone() -> None:
    may = {
        "agency",
        "aiokafka",
        "httpx",
        "joserfc",
        "psycopg",  # where the copy is in PostgreSQL, and imported there only
        "pydantic",
        "rich",
        "typer",
        *sys.stdlib_module_names,
    }
    for path in (Path(__file__).parents[2] / "agency").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            names = [name.name for name in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            assert {name.split(".")[0] for name in names} <= may, path


# The command line


def test_show_and_refusals(tmp_path: Path, credentials: Credentials) -> None:
    run = CliRunner().invoke
    copy = Copy(tmp_path / "copy.db")
    copy.apply([(0, opened(record(), KEYS))], topic=TOPIC, position=Position(1, "x"))
    copy.close()
    shown = run(app, ["show", "--copy", str(tmp_path / "copy.db")])
    assert HANDLE in shown.output
    assert "1 documents with content" in shown.output
    shown = run(app, ["show", "--copy", str(tmp_path / "copy.db"), HANDLE])
    assert "生駒" in shown.output
    assert run(app, ["show", "--copy", str(tmp_path / "none.db")]).exit_code == 2
    (tmp_path / "wrong.json").write_text("{}")
    wrong = run(app, ["certify", "--credentials", str(tmp_path / "wrong.json")])
    assert wrong.exit_code == 2
