"""The keyring: who may open what, what erasing means, and that a wrong key is never taken for a right one."""

import asyncio
from types import SimpleNamespace
from uuid import UUID, uuid4

import asyncpg
import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from operate.stack import Stack
from shared import keyring
from shared.contracts import ERASED, SHUT, Unreadable
from shared.contracts.intake import PersonDescribed, WorriesRecorded
from shared.db import pool
from shared.journal import Damaged
from shared.keyring import CACHE_SECONDS, KeyMissing, Keyring
from shared.sealing import Codec, ErasedKey, Poison, envelope_of
from tests.integration._kit import (
    DECIDER,
    Kit,
    context,
    describe_person,
    new_key,
    running,
    stream_of,
    value_of,
    worry,
)

NAME = "山田 花"


class Time:
    """Real time as the keyring sees it, which we move."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 1000.0
        monkeypatch.setattr(keyring, "time", SimpleNamespace(monotonic=lambda: self.now))

    def passes(self, seconds: float) -> None:
        self.now += seconds


async def open_case(spine: Kit) -> tuple[UUID, UUID]:
    case, person = uuid4(), uuid4()
    events = [describe_person(case, person, NAME), worry(case, "借金")]
    await spine.journal.handle(DECIDER, stream_of(case), str(case), events, context())
    return case, person


async def names(spine: Kit, case: UUID) -> list[str | None]:
    return [value_of(r.event) for r in (await spine.journal.load(stream_of(case))).events]


def both(key: AESGCM | Unreadable) -> AESGCM:
    assert isinstance(key, AESGCM)
    return key


async def test_without_the_master_key_codes_are_read_and_persons_stay_shut(
    spine: Kit, servers: Stack
) -> None:
    await open_case(spine)
    url = servers.database_url("metrics", f"{spine.place.name}_keyring")
    rows = await spine.pool.fetch("select * from journal order by version")
    async with pool(url, size=1) as db:
        metrics = Codec(spine.keyring_with(db, master=None))
        described, worries = await metrics.open((envelope_of(r), r["data"]) for r in rows)
        assert not isinstance(described, Poison)
        assert not isinstance(worries, Poison)
        assert isinstance(described.event, PersonDescribed)
        assert isinstance(worries.event, WorriesRecorded)
        assert (value_of(described.event), value_of(worries.event)) == (repr(SHUT), repr(SHUT))
        assert worries.event.concerns == ("money",)
        # Nor would the database give it the wrapped keys, or let it make or destroy any.
        for statement in (
            "table data_key",
            "update data_key set wrapped = null",
            "insert into data_key (id, wrapped) values ('person/1', '')",
            "insert into codes_key (id, wrapped) values ('codes/1', '')",
            "delete from codes_key",
        ):
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await db.execute(statement)


@pytest.mark.parametrize("role", ["referral", "meetings", "views"])
async def test_only_intake_can_destroy_a_key_and_nobody_a_row(
    spine: Kit, servers: Stack, role: str
) -> None:
    case, person = await open_case(spine)
    key_id = f"person/{person}"
    url = servers.database_url(role, f"{spine.place.name}_keyring")
    async with pool(url, size=1) as db:
        other = spine.keyring_with(db, master=spine.place.master)
        assert not isinstance((await other.fetch([key_id]))[key_id], Unreadable)
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await other.destroy(key_id)
    for table in ("data_key", "codes_key"):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await spine.keys.execute(f"delete from {table}")
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await spine.keys.execute("update codes_key set wrapped = ''")
    assert await names(spine, case) == [NAME, "借金"]


async def test_a_destroyed_key_reads_as_erased_everywhere_when_the_cache_has_aged(
    spine: Kit, monkeypatch: pytest.MonkeyPatch
) -> None:
    time = Time(monkeypatch)
    case, person = await open_case(spine)
    elsewhere = spine.keyring_with(master=spine.place.master)
    key_id = f"person/{person}"
    assert not isinstance((await elsewhere.fetch([key_id]))[key_id], Unreadable)
    assert await spine.keyring.destroy(key_id)
    assert await names(spine, case) == [repr(ERASED), "借金"]  # here at once
    time.passes(CACHE_SECONDS - 1)
    assert not isinstance((await elsewhere.fetch([key_id]))[key_id], Unreadable)
    time.passes(2)
    assert CACHE_SECONDS + 1 <= 60  # what is promised
    assert (await elsewhere.fetch([key_id]))[key_id] is ERASED
    assert (await elsewhere.fetch([key_id], make=True))[key_id] is ERASED
    assert not await spine.keyring.destroy(key_id)  # it was already
    stored = await spine.keys.fetchrow("select * from data_key where id = $1", key_id)
    assert stored is not None
    assert stored["wrapped"] is None
    assert stored["destroyed_at"]


async def test_an_id_whose_key_was_destroyed_gets_no_new_one(spine: Kit) -> None:
    case, person = await open_case(spine)
    await spine.keyring.destroy(f"person/{person}")
    fresh = spine.keyring_with(master=spine.place.master)
    for codec in (spine.codec, Codec(fresh)):
        spine.journal.codec = codec
        with pytest.raises(ErasedKey):
            await spine.journal.handle(
                DECIDER,
                stream_of(case),
                str(case),
                [describe_person(case, person, NAME)],
                context(),
            )
    assert await spine.written() == {stream_of(case): [1, 2]}
    assert await names(spine, case) == [repr(ERASED), "借金"]


async def test_codes_stay_readable_when_a_household_is_erased(spine: Kit) -> None:
    case, person = await open_case(spine)
    assert await spine.keyring.destroy(f"text/{case}")
    assert await spine.keyring.destroy(f"person/{person}")
    assert not await spine.keyring.destroy(f"codes/{case}")
    described, worries = (await spine.journal.load(stream_of(case))).events
    assert isinstance(worries.event, WorriesRecorded)
    assert worries.event.concerns == ("money",)
    assert value_of(described.event) == value_of(worries.event) == repr(ERASED)


@pytest.mark.parametrize("wrong", ["master", "codes"])
async def test_a_wrong_master_key_opens_nothing_and_says_so(spine: Kit, wrong: str) -> None:
    case, person = await open_case(spine)
    if wrong == "master":
        other = spine.keyring_with(master=new_key())
    else:
        other = Keyring(spine.keys, AESGCM.generate_key(256), AESGCM.generate_key(256))
    key_id = f"person/{person}" if wrong == "master" else f"codes/{case}"
    for make in (False, True):
        with pytest.raises(KeyMissing):
            await other.fetch([key_id], make=make)
    rows = await spine.pool.fetch("select * from journal order by version")
    opened = await Codec(other).open((envelope_of(r), r["data"]) for r in rows)
    assert all(isinstance(one, Poison) for one in opened)
    spine.journal.codec = Codec(other)
    with pytest.raises(Damaged):
        await spine.journal.load(stream_of(case))
    assert await names_with(spine, Codec(spine.keyring), case) == [NAME, "借金"]


async def names_with(spine: Kit, codec: Codec, case: UUID) -> list[str | None]:
    spine.journal.codec = codec
    return await names(spine, case)


async def test_a_wrapped_key_moved_to_another_id_does_not_open(spine: Kit) -> None:
    (_, one), (case, other) = await open_case(spine), await open_case(spine)
    await spine.keys.execute(
        "update data_key set wrapped = (select wrapped from data_key where id = $1) where id = $2",
        f"person/{one}",
        f"person/{other}",
    )
    fresh = spine.keyring_with(master=spine.place.master)
    with pytest.raises(KeyMissing):
        await fresh.fetch([f"person/{other}"])
    with pytest.raises(Damaged):
        await names_with(spine, Codec(fresh), case)


async def test_one_missing_key_costs_only_its_own_stream(spine: Kit, servers: Stack) -> None:
    """The keyring was set back: a key of yesterday is not in it."""
    cases = [await open_case(spine) for _ in range(4)]
    (case, person), *_ = cases
    whole = {stream_of(c): [1, 2] for c, _ in cases}
    admin = await asyncpg.connect(servers.admin_database_url(f"{spine.place.name}_keyring"))
    rename = "update data_key set id = $1 where id = $2"
    await admin.execute(rename, "away", f"person/{person}")
    fresh = Codec(spine.keyring_with(master=spine.place.master))
    async with running(spine.relay(), await spine.follower(codec=fresh)):
        await spine.reached({s: v for s, v in whole.items() if s != stream_of(case)})
    assert await spine.parked() == {stream_of(case): [1, 2]}
    await admin.execute(rename, f"person/{person}", "away")
    await admin.close()
    async with running(await spine.follower(codec=fresh)):
        await spine.reached(whole)


async def test_writers_who_race_for_a_new_key_get_the_same_one(spine: Kit) -> None:
    ids = [f"person/{uuid4()}" for _ in range(20)] + [f"codes/{uuid4()}" for _ in range(5)]
    rings = [spine.keyring_with(master=spine.place.master) for _ in range(8)]
    found = await asyncio.gather(*(ring.fetch(ids, make=True) for ring in rings))
    for key_id in ids:
        sealed = both(found[0][key_id]).encrypt(bytes(12), b"text", None)
        assert all(both(f[key_id]).decrypt(bytes(12), sealed, None) == b"text" for f in found)
    with pytest.raises(KeyMissing):
        await rings[0].fetch([f"person/{uuid4()}"])


async def test_keys_are_stored_wrapped_only(spine: Kit) -> None:
    _, person = await open_case(spine)
    key_id = f"person/{person}"
    key = both((await spine.keyring.fetch([key_id]))[key_id])
    wrapped = await spine.keys.fetchval("select wrapped from data_key where id = $1", key_id)
    sealed = key.encrypt(bytes(12), b"text", None)
    for start in range(len(wrapped) - 31):
        candidate = AESGCM(wrapped[start : start + 32])
        assert candidate.encrypt(bytes(12), b"text", None) != sealed


async def test_the_keys_of_a_case_are_made_with_one_commit(spine: Kit) -> None:
    """The first text of a case does not wait for a key."""
    case = uuid4()
    await spine.keyring.fetch([f"codes/{case}"], make=True)
    fresh = spine.keyring_with(master=spine.place.master)
    assert not isinstance((await fresh.fetch([f"text/{case}"]))[f"text/{case}"], Unreadable)


async def test_of_more_keys_than_are_kept_at_hand_the_oldest_go(
    spine: Kit, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keyring, "CACHE_KEYS", 4)
    ids = [f"person/{uuid4()}" for _ in range(9)]
    ring = spine.keyring_with(master=spine.place.master)
    for key_id in ids:
        await ring.fetch([key_id], make=True)
    again = await ring.fetch(ids[3:5])  # read anew: as young as the last
    assert [key_id for key_id in ids if ring.at_hand()(key_id)] == [*ids[3:5], *ids[7:]]
    assert set((await ring.fetch(ids)).keys()) == set(ids) >= set(again)
    assert sum(ring.at_hand()(key_id) is not None for key_id in ids) == 4
