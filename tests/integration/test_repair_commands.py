"""The commands of repair, on a whole city of their own: what they heal, what they prove, what they refuse."""

import asyncio
import json
import re
import shutil
import signal
from base64 import b64encode
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any
from uuid import uuid4

import asyncpg
import httpx
import pytest
from confluent_kafka import Consumer, Producer, TopicPartition

from operate.install import ROOT
from operate.places import SERVICES
from operate.stack import Stack
from tests.conftest import City, free_block
from tests.integration import _process
from tests.integration._kit import until

NAME = "𠮷川 葛󠄀子"
OFFICES = ("window", "care")
CASES = 6


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    made = Stack(tmp_path_factory.mktemp("repair"), free_block(), clock="simulated")
    made.up(services=list(SERVICES), bound=True)
    yield made
    made.remove()


@pytest.fixture(scope="module")
async def city(stack: Stack) -> AsyncIterator[City]:
    """Two agencies, some cases with consents, one of them withdrawn, and a survey."""
    made = City(stack)
    operator = made.client("referral", "ikoma-city", "operator")
    for code in OFFICES:
        body = {"name": code, "kind": code, "controller": "city", "purposes": ["consultation"]}
        assert (await operator.put(f"/v1/agencies/{code}", json=body)).status_code == 201
    for credentials in (await asyncio.to_thread(stack.agencies, OFFICES)).values():
        await asyncio.to_thread(stack.register, credentials)
    await made.settle()
    window = made.client("intake", "window", "intake_worker", "agency_worker", "coordinator")
    for n in range(CASES):
        person = str(uuid4())
        sheet = {"route": "family_visit", "people": [{"id": person, "relation": "self", "name": NAME}],
                 "situations": [{"person": person, "health": "膝の痛み"}]}  # fmt: skip
        case = await post(window, "/v1/cases", sheet)
        consent = {"person": person, "classes": ["contact", "health_disability"],
                   "purposes": ["consultation"], "holders": ["care"], "text_version": "1"}  # fmt: skip
        given = await post(window, f"/v1/cases/{case['id']}/consents", consent)
        if n == 0:
            await post(window, f"/v1/consents/{given['id']}/withdrawal", {})
    planner = made.client("metrics", "ikoma-city", "planner")
    day = made.at.date().isoformat()
    await post(planner, "/v1/surveys", {"surveyed_on": day, "answered": 100, "positive": 44})
    await made.settle()
    yield made
    await made.close()


async def post(client: httpx.AsyncClient, path: str, body: Any) -> Any:
    answer = await client.post(path, json=body, headers={"Idempotency-Key": str(uuid4())})
    assert answer.is_success, answer.text
    return answer.json()


@dataclass
class Told:
    """What a command said, and how it ended."""

    code: int
    out: str
    err: str

    def went_well(self) -> None:
        assert self.code == 0, self.err + self.out

    @property
    def document(self) -> Any:
        self.went_well()
        return json.loads(self.out)


async def tsunagu(stack: Stack, *words: str, kill: str = "") -> Told:
    words = ("operate", "--state", str(stack.state), *words)
    with TemporaryFile("w+") as out, TemporaryFile("w+") as err:
        process = await _process.started(
            *words, out=out.fileno(), err=err.fileno(), TSUNAGU_KILL=kill, COLUMNS="200"
        )
        async with asyncio.timeout(250):
            code = await process.wait()
        out.seek(0)
        err.seek(0)
        told = Told(code, out.read(), err.read())
    assert (told.code == -signal.SIGKILL) == bool(kill), told.err
    return told


async def rows(stack: Stack, service: str, sql: str, *values: Any) -> list[Any]:
    db = await asyncpg.connect(stack.database_url(service, service))
    try:
        return list(await db.fetch(sql, *values))
    finally:
        await db.close()


async def promoted(stack: Stack, service: str) -> int:
    (row,) = await rows(stack, service, "select number from view where state = 'live'")
    return int(row["number"])


# Numbered views.


@pytest.mark.parametrize("service", SERVICES)
async def test_a_view_is_made_anew_beside_the_readers_and_is_the_same(
    stack: Stack, city: City, service: str
) -> None:
    before = await disclosed(stack)
    old = await promoted(stack, service)
    built = (await tsunagu(stack, "views", "rebuild", service, "--json")).document
    assert built["events"] > 0
    new = str(built["number"])
    done = (await tsunagu(stack, "views", "promote", service, new, "--json")).document
    assert (done["before"], done["promoted"]) == (old, built["number"])
    await city.settle()
    assert await disclosed(stack) == before
    window = city.client("intake", "window", "intake_worker", "agency_worker", "coordinator")
    person = str(uuid4())
    sheet = {"route": "family_visit", "people": [{"id": person, "relation": "self", "name": NAME}]}
    await post(window, "/v1/cases", sheet)  # arrives in the new number
    await city.settle()
    (await tsunagu(stack, "views", "drop", service, str(old))).went_well()
    tables = (await tsunagu(stack, "views", "verify", service, "--json")).document["tables"]
    assert sum(table["kept"] for table in tables) > 0
    assert all((one["differing"], one["kept"]) == (0, one["folded"]) for one in tables)
    assert not await rows(stack, service, "select from parked")


async def disclosed(stack: Stack) -> Any:
    """All that was ever disclosed, and what the agencies' topics hold of it."""
    journal = await rows(stack, "views", "select stream, version from journal order by seq")
    sent = await rows(
        stack, "views", "select agency, case_id, sent_document, sent_edition from delivery"
    )
    return journal, sorted(sent), await asyncio.to_thread(records, stack, "view.care")


def messages(stack: Stack, topic: str, partitions: int = 1) -> list[Any]:
    """All records of a topic, in order within a partition."""
    reader = Consumer({**stack.kafka_client(), "group.id": "none", "enable.partition.eof": True})
    reader.assign([TopicPartition(topic, partition, 0) for partition in range(partitions)])
    found, ends = [], 0
    while ends < partitions and (message := reader.poll(30)):
        if message.error():
            ends += 1
        else:
            found.append(message)
    reader.close()
    assert ends == partitions
    return found


def records(stack: Stack, topic: str) -> int:
    return sum(message.key() != b"_heartbeat" for message in messages(stack, topic))


async def test_a_rebuild_killed_at_any_step_is_run_again(stack: Stack, city: City) -> None:
    old = await promoted(stack, "intake")
    await tsunagu(stack, "views", "rebuild", "intake", kill="repair.built")
    await tsunagu(stack, "views", "rebuild", "intake", kill="repair.folded")
    new = (await tsunagu(stack, "views", "rebuild", "intake", "--json")).document["number"]
    status = (await tsunagu(stack, "views", "status", "--json")).document["views"]
    states = {
        one["number"]: (one["state"], one["behind"]) for one in status if one["view"] == "intake"
    }
    assert states == {old: ("live", 0), new: ("building", 0)}
    await tsunagu(stack, "views", "promote", "intake", str(new), kill="repair.promoting")
    assert await promoted(stack, "intake") == old
    await tsunagu(stack, "views", "promote", "intake", str(new), kill="repair.promoted")
    (await tsunagu(stack, "views", "promote", "intake", str(new))).went_well()
    assert await promoted(stack, "intake") == new
    await tsunagu(stack, "views", "drop", "intake", str(old), kill="repair.dropping")
    (await tsunagu(stack, "views", "drop", "intake", str(old))).went_well()
    (await tsunagu(stack, "views", "verify", "intake")).went_well()


async def test_a_row_that_was_changed_is_found_and_a_rebuild_heals_it(
    stack: Stack, city: City
) -> None:
    number = await promoted(stack, "metrics")
    (row,) = await rows(
        stack, "metrics", f"update view_{number}.surveys set positive = 1 returning id"
    )
    told = await tsunagu(stack, "views", "verify", "metrics")
    assert told.code == 1
    assert "rows of metrics.surveys differ" in told.err
    assert str(row["id"]) in told.out
    told = await tsunagu(stack, "indicators", "verify", "--json")
    assert told.code == 1
    found = json.loads(told.out)
    assert [one["table"] for one in found["tables"] if one["differing"]] == ["surveys"]
    (year,) = [one for one in found["years"] if not one["same"]]
    assert (year["answered"]["share"], year["refolded"]["share"]) == (1.0, 44.0)
    new = (await tsunagu(stack, "views", "rebuild", "metrics", "--json")).document["number"]
    await tsunagu(stack, "views", "promote", "metrics", str(new))
    told = await tsunagu(stack, "indicators", "verify", "--json")
    assert all(one["same"] for one in told.document["years"])


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ("views rebuild nobody", "there is no service 'nobody'"),
        ("views promote intake 99", "there is no view 99 of intake"),
        ("views drop intake 99", "there is no view 99 of intake"),
        ("views verify nobody", "there is no service 'nobody'"),
        ("parked list --service nobody", "there is no service 'nobody'"),
        ("parked show case/none", "nothing of 'case/none' is parked"),
        ("parked replay", "say what to replay"),
        ("parked replay --all --cause gap", "say what to replay"),
        ("parked replay --stream case/none", "nothing that waits matches 'case/none'"),
        ("parked replay --cause nothing", "nothing that waits matches 'nothing'"),
    ],
)
async def test_what_cannot_be_done_is_refused_in_one_sentence(
    stack: Stack, city: City, words: str, sentence: str
) -> None:
    told = await tsunagu(stack, *words.split())
    assert told.code == 1
    assert told.err.startswith(f"tsunagu: {sentence}")
    assert told.err.count("\n") == 1
    assert not told.out


async def test_the_promoted_view_is_not_dropped_and_one_behind_is_not_promoted(
    stack: Stack, city: City
) -> None:
    live = await promoted(stack, "referral")
    told = await tsunagu(stack, "views", "drop", "referral", str(live))
    assert (told.code, "is the promoted one" in told.err) == (1, True)
    new = (await tsunagu(stack, "views", "rebuild", "referral", "--json")).document["number"]
    # As far behind as one that was built when there was little.
    name = f"referral-{new}"
    far = """update inbox set version = version + $2 where view = $1 and stream =
             (select max(stream) from inbox where view = $1)"""
    await rows(stack, "referral", far, f"referral-{live}", 6000)
    told = await tsunagu(stack, "views", "promote", "referral", str(new))
    assert (told.code, "6000 events behind" in told.err) == (1, True)
    await rows(stack, "referral", far, f"referral-{live}", -6000)
    assert await promoted(stack, "referral") == live
    holder = await asyncpg.connect(stack.database_url("referral", "referral"))
    await holder.fetchval("select pg_advisory_lock(hashtext('repair'))")
    told = await tsunagu(stack, "views", "drop", "referral", str(new))
    assert (told.code, "another repair of referral is running" in told.err) == (1, True)
    await holder.close()
    (await tsunagu(stack, "views", "drop", "referral", str(new))).went_well()
    assert not await rows(stack, "referral", "select from inbox where view = $1", name)


# Topics.


async def test_a_lost_kafka_is_filled_again_with_the_same_events_in_order(
    stack: Stack, city: City
) -> None:
    before = await disclosed(stack)
    await asyncio.to_thread(stack.down)
    shutil.rmtree(stack.state / "kafka" / "1" / "data")
    await asyncio.to_thread(stack.up, False, bound=True)
    told = await tsunagu(stack, "topics", "rebuild")
    assert (told.code, "must run" in told.err) == (1, True)
    await asyncio.to_thread(stack.up, list(SERVICES), bound=True)
    await tsunagu(stack, "topics", "rebuild", kill="repair.provided")
    done = (await tsunagu(stack, "topics", "rebuild", "--json")).document
    assert done["missing"] == 0
    for service in SERVICES:
        journal = await rows(
            stack, service, "select id, stream, version from journal order by stream, version"
        )
        sent = await asyncio.to_thread(events, stack, service)
        assert sent == [(str(row["id"]), row["stream"], row["version"]) for row in journal]
    await city.settle()
    journal, sent, _ = before
    assert (await disclosed(stack))[:2] == (journal, sent)
    assert await asyncio.to_thread(records, stack, "view.care") >= len(
        [one for one in sent if one["agency"] == "care"]
    )
    assert not (await tsunagu(stack, "parked", "list", "--json")).document["records"]
    (await tsunagu(stack, "views", "verify")).went_well()


def events(stack: Stack, topic: str) -> list[tuple[str, str, int]]:
    """Id, stream and version of each event by stream, repeats left out; in the topic's order."""
    found: dict[str, dict[int, str]] = {}
    for message in messages(stack, topic, 12):
        head = {name: value.decode() for name, value in message.headers()}
        stream = found.setdefault(head["ce_stream"], {})
        stream.setdefault(int(head["ce_version"]), head["ce_id"])
    return [
        (id, stream, version)
        for stream, versions in sorted(found.items())
        for version, id in versions.items()
    ]


# Parked.


def publish(stack: Stack, topic: str, *headers: dict[str, str], value: bytes = b"{}") -> None:
    sender = Producer(stack.kafka_client())
    for one in headers:
        sender.produce(topic, value, b"key", headers=[(k, v.encode()) for k, v in one.items()])
    assert not sender.flush(30)


def headers(
    stream: str, version: int, type: str = "jp.tsunagu.case.unheard_of.v1"
) -> dict[str, str]:
    at = "2026-04-01T00:00:00+09:00"
    return {
        "ce_id": str(uuid4()), "ce_type": type, "ce_stream": stream, "ce_version": str(version),
        "ce_time": at, "ce_occurredat": at, "ce_actor": NAME, "ce_agency": "window",
        "ce_correlationid": str(uuid4()),
    }  # fmt: skip


async def parked(stack: Stack) -> Any:
    return (await tsunagu(stack, "parked", "list", "--json")).document


async def test_what_is_parked_is_shown_without_content_and_replayed_in_order(
    stack: Stack, city: City
) -> None:
    stream = f"case/{uuid4()}"
    secret = json.dumps({"text": NAME}).encode()
    strays = [headers(stream, 1), headers(stream, 2), {"ce_stream": NAME}]
    await asyncio.to_thread(publish, stack, "intake", *strays, value=secret)

    wanted = len(strays) * len(SERVICES)

    async def all_parked() -> bool:
        return bool((await parked(stack))["records"] == wanted)

    await until(all_parked, "parked in every view that follows intake")
    found = await parked(stack)
    assert {one["service"] for one in found["streams"]} == set(SERVICES)
    unknown = [one for one in found["causes"] if "unheard_of" in one["cause"]]
    assert [(one["records"], one["streams"]) for one in unknown] == [(2, 1)] * len(SERVICES)
    told = await tsunagu(stack, "parked", "list")
    shown = await tsunagu(stack, "parked", "show", stream, "--json")
    record = shown.document["records"][0]
    assert record["headers"]["ce_type"] == "jp.tsunagu.case.unheard_of.v1"
    assert (record["topic"], record["stream"]) == ("intake", stream)
    strange = await tsunagu(stack, "parked", "show", "-")
    for text in (told.out, shown.out, strange.out, json.dumps(found, ensure_ascii=False)):
        assert "𠮷川" not in text
        assert "膝" not in text

    dry = (await tsunagu(stack, "parked", "replay", "--all", "--dry-run", "--json")).document
    assert (dry["applied"], dry["stayed"]) == (0, wanted)
    assert await parked(stack) == found
    told = await tsunagu(stack, "parked", "replay", "--stream", stream)
    assert (told.code, "stay" in told.err) == (1, True)
    assert (await parked(stack))["records"] == wanted


PARK = """
insert into parked values ($1, 'intake', $2, $3, $4, $5, $6, $7, $8::text::jsonb, 'gap: of this test')
on conflict do nothing"""


async def park_again(stack: Stack, service: str) -> tuple[str, int]:
    """Set a view back before one of its streams, whose records are parked; the stream, its length."""
    (row,) = await rows(
        stack, "intake", "select stream, max(version) as last from journal where stream like 'consent/%'"
        " group by stream order by max(version) desc, stream limit 1",
    )  # fmt: skip
    stream, length = row["stream"], row["last"]
    name = f"{service}-{await promoted(stack, service)}"
    await rows(
        stack, service, "update inbox set version = 0 where (view, stream) = ($1, $2)", name, stream
    )
    for message in await asyncio.to_thread(of_stream, stack, stream):
        shown = [[key, b64encode(value).decode()] for key, value in message.headers()]
        version = int(dict(message.headers())["ce_version"])
        place = message.partition(), message.offset()
        content = message.key(), message.value(), json.dumps(shown)
        await rows(stack, service, PARK, name, *place, stream, version, *content)
    return stream, length


def of_stream(stack: Stack, stream: str) -> list[Any]:
    return [
        message for message in messages(stack, "intake", 12)
        if ("ce_stream", stream.encode()) in (message.headers() or ())
    ]  # fmt: skip


async def test_a_replay_killed_at_any_step_is_run_again_and_proves_the_order(
    stack: Stack, city: City
) -> None:
    stream, length = await park_again(stack, "referral")
    words = ("parked", "replay", "--stream", stream)
    dry = (await tsunagu(stack, *words, "--dry-run", "--json")).document
    assert dry["applied"] == length
    await tsunagu(stack, *words, kill="repair.replaying")
    done = (await tsunagu(stack, *words, "--json")).document["streams"]
    assert [(one["before"], one["after"], one["in_order"]) for one in done] == [(0, length, True)]
    assert (await tsunagu(stack, *words)).code == 1  # nothing waits any more
    stream, length = await park_again(stack, "referral")
    await tsunagu(stack, *words, kill="repair.replayed")
    assert (await tsunagu(stack, *words)).code == 1
    (await tsunagu(stack, "views", "verify", "referral")).went_well()


async def test_what_relays_hold_back_is_shown_and_released(stack: Stack, city: City) -> None:
    held = """with gone as (delete from sent where (select max(seq) from journal) = any(seqs)
                             returning seqs),
                   others as (insert into unsent select unnest(trim_array(seqs, 1)) from gone)
              insert into held select seq, stream, version, 'MessageSizeTooLargeError' from journal
               order by seq desc limit 1 returning stream"""
    (row,) = await rows(stack, "intake", held)
    refused = """update delivery set refused = 'UnknownTopicOrPartitionError', sent_document = 0,
                        retry_at = now() + interval '1 day' where agency = 'care' returning document"""
    documents = len(await rows(stack, "views", refused))
    found = {
        (one["place"], one["stream"]): one["records"] for one in (await parked(stack))["streams"]
    }
    assert found["relay", row["stream"]] == 1
    assert found["documents", "view.care"] == documents
    await tsunagu(stack, "parked", "replay", "--cause", "MessageSize", kill="repair.released")
    await rows(stack, "intake", held)
    for cause, sent in (("MessageSize", 1), ("UnknownTopic", documents)):
        told = await tsunagu(stack, "parked", "replay", "--cause", cause, "--json")
        assert (told.document["applied"], told.document["stayed"]) == (sent, 0)
    left = {one["place"] for one in (await parked(stack))["streams"]}
    assert not left & {"relay", "documents"}


async def test_a_service_that_met_too_much_invalid_is_not_ready_and_says_why(
    stack: Stack, city: City
) -> None:
    await asyncio.to_thread(stack.stop, "intake")
    await asyncio.to_thread(stack.start, "intake", {"FOLLOWER_INVALID_IN_A_ROW": "3"})
    strays = [headers(f"case/{uuid4()}", 1) for _ in range(20)]
    await asyncio.to_thread(publish, stack, "intake", *strays)

    async def said() -> str | None:
        async with httpx.AsyncClient() as client:
            answer = await client.get(f"{stack.http('intake')}/readyz")
        return answer.json()["stopped"] if answer.status_code == 503 else None

    await until(said)
    assert await said() == "more than 3 records in a row cannot be applied"
    await asyncio.to_thread(stack.stop, "intake")
    await asyncio.to_thread(stack.start, "intake")
    await city.settle()
    live = f"intake-{await promoted(stack, 'intake')}"
    (row,) = await rows(stack, "intake", "select count(*) from parked where view = $1", live)
    assert row["count"] >= len(strays)


def test_every_kill_point_of_repair_is_killed_at() -> None:
    source = "".join(path.read_text() for path in (ROOT / "operate" / "repair").glob("*.py"))
    points = set(re.findall(r'\bpoint\("([a-z.]+)"\)', source))
    assert points
    here = Path(__file__).read_text()
    assert {point for point in points if f'kill="{point}"' not in here} == set()
