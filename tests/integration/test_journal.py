"""The journal: a fact is written once, in order, sealed; and a command has one effect."""

import asyncio
import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest
from asyncpg import DeadlockDetectedError, UniqueViolationError
from uuid_utils.compat import uuid8

from shared.clock import SimulatedClock
from shared.contracts import ERASED, Envelope, Event
from shared.contracts.intake import CaseScreened, ConsentRecorded, WorriesRecorded
from shared.deadline import Timer
from shared.decider import Decider, Refused
from shared.journal import (
    LARGEST_EVENT,
    Addition,
    Behind,
    Damaged,
    Journal,
    KeyReused,
    Stale,
    TooLarge,
)
from shared.sealing import ErasedKey
from shared.timers import Timers
from tests.integration._kit import (
    DECIDER,
    KEY,
    PATIENCE,
    Kit,
    at_once,
    context,
    describe_person,
    fire,
    running,
    stream_of,
    timers_of,
    until,
    value_of,
    worry,
)

NAME = "山田 葛󠄀花"


async def opened(spine: Kit, case: UUID) -> list[Event]:
    return [recorded.event for recorded in (await spine.journal.load(stream_of(case))).events]


async def texts_of(spine: Kit, case: UUID) -> list[str]:
    return [str(e.text) for e in await opened(spine, case) if isinstance(e, WorriesRecorded)]


async def rows(spine: Kit) -> int:
    return int(await spine.pool.fetchval("select count(*) from journal"))


async def test_writers_who_race_all_win_in_turn(spine: Kit) -> None:
    case = uuid4()
    texts = [f"第{n}" for n in range(12)]
    written = await asyncio.gather(*(spine.write(case, text, text) for text in texts))
    assert sorted(one.version for one in written) == [2 * n for n in range(1, 13)]
    assert [one.created for one in sorted(written, key=lambda one: one.version)] == [
        True,
        *[False] * 11,
    ]
    assert await spine.written() == {stream_of(case): list(range(1, 25))}
    found = await texts_of(spine, case)
    assert found[::2] == found[1::2]  # the two events of a command stand together
    assert sorted(found[::2]) == sorted(texts)


async def test_a_command_that_is_refused_takes_none_along(spine: Kit) -> None:
    cases = [uuid4() for _ in range(6)]
    for case in cases:  # and their keys are at hand: the next ones reach the journal at once
        await spine.write(case, "一")
    journal = spine.journal

    def addition(case: UUID, version: int) -> Addition:
        return Addition(stream_of(case), str(case), version, [worry(case, "二")], context())

    found = await asyncio.gather(
        *(
            journal.append_all(journal.pool, [addition(case, 0 if case == cases[3] else 1)])
            for case in cases
        ),
        return_exceptions=True,
    )
    lost = [isinstance(one, UniqueViolationError) for one in found]
    assert lost == [case == cases[3] for case in cases]
    assert [await texts_of(spine, case) for case in cases[2:5]] == [
        ["一", "二"],
        ["一"],
        ["一", "二"],
    ]


async def test_trouble_that_one_meets_by_itself_is_not_told_to_those_who_are_written(
    spine: Kit,
) -> None:
    """Who was told so would decide anew and write a second time."""
    cases = [uuid4() for _ in range(5)]
    for case in cases:
        await spine.write(case, "一")
    raced, deadlocked = cases[2], cases[3]
    await spine.pool.execute(
        f"""create function deadlocked() returns trigger language plpgsql as $$
            begin raise 'deadlock' using errcode = 'deadlock_detected'; end $$;
        create trigger deadlocked before insert on journal for each row
            when (new.stream = '{stream_of(deadlocked)}') execute function deadlocked()"""
    )
    journal = spine.journal

    def addition(case: UUID) -> Addition:
        version = 0 if case == raced else 1
        return Addition(stream_of(case), str(case), version, [worry(case, "二")], context())

    found = await asyncio.gather(
        *(journal.append_all(journal.pool, [addition(case)]) for case in cases),
        return_exceptions=True,
    )
    told = [type(one) for one in found]
    assert told == [list, list, UniqueViolationError, DeadlockDetectedError, list]
    assert [len(await texts_of(spine, case)) for case in cases] == [2, 2, 1, 1, 2]


async def test_streams_that_are_read_together_come_to_those_who_asked(spine: Kit) -> None:
    cases = [uuid4() for _ in range(5)]
    for n, case in enumerate(cases):
        await spine.write(case, f"第{n}")
    asked = [*cases, cases[2], uuid4()]
    found = await asyncio.gather(*(texts_of(spine, case) for case in asked))
    assert found == [["第0"], ["第1"], ["第2"], ["第3"], ["第4"], ["第2"], []]


async def test_who_has_seen_an_older_version_is_told(spine: Kit) -> None:
    case = uuid4()
    await spine.write(case, "一", expected=0)
    await spine.write(case, "二", expected=1)
    with pytest.raises(Stale) as stale:
        await spine.write(case, "三", expected=1)
    assert stale.value.version == 2
    with pytest.raises(Stale):
        await spine.write(case, "三", expected=3)
    assert await spine.written() == {stream_of(case): [1, 2]}


async def test_of_those_who_saw_the_same_version_one_wins(spine: Kit) -> None:
    case = uuid4()
    await spine.write(case, "一")
    answers = await asyncio.gather(
        *(spine.write(case, str(n), expected=1) for n in range(8)), return_exceptions=True
    )
    assert sum(isinstance(answer, Stale) for answer in answers) == 7
    assert await spine.written() == {stream_of(case): [1, 2]}


async def test_a_repeat_writes_nothing_and_answers_the_same(spine: Kit) -> None:
    case = uuid4()
    first = await spine.write(case, "一", command=KEY, digest=b"body")
    await spine.write(case, "二")
    again = await spine.write(case, "一", command=KEY, digest=b"body")
    assert again == replace(first, repeated=True)
    stale = await spine.write(case, "一", command=KEY, digest=b"body", expected=0)
    assert stale == again  # it was carried out when the version was right
    assert await spine.written() == {stream_of(case): [1, 2]}


async def test_a_repeat_of_what_changed_nothing_answers_the_same(spine: Kit) -> None:
    case = uuid4()
    await spine.write(case, "一")
    first = await spine.write(case, command=KEY, digest=b"body")
    await spine.write(case, "二")
    assert await spine.write(case, command=KEY, digest=b"body") == replace(first, repeated=True)
    assert first.version == 1
    assert await spine.written() == {stream_of(case): [1, 2]}


@pytest.mark.parametrize("texts", [("一",), ()], ids=["writes", "changes nothing"])
@pytest.mark.parametrize("same_stream", [True, False], ids=["change", "create"])
async def test_ten_at_once_have_one_effect(
    spine: Kit, texts: Sequence[str], same_stream: bool
) -> None:
    one = uuid4()
    cases = [one if same_stream else uuid4() for _ in range(10)]
    answers = await asyncio.gather(
        *(spine.write(case, *texts, command=KEY, digest=b"body") for case in cases)
    )
    assert len({(a.stream, a.version, a.created) for a in answers}) == 1
    assert sum(not a.repeated for a in answers) == 1
    assert await rows(spine) == len(texts)


async def test_ten_at_once_who_name_a_version_have_one_effect(spine: Kit) -> None:
    case = uuid4()
    await spine.write(case, "一")
    answers = await asyncio.gather(
        *(spine.write(case, "二", command=KEY, digest=b"body", expected=1) for _ in range(10))
    )
    assert {a.version for a in answers} == {2}
    assert await rows(spine) == 2


async def test_ten_at_once_have_one_effect_where_the_second_would_be_refused(spine: Kit) -> None:
    def once(state: int, command: Sequence[Event]) -> Sequence[Event]:
        if state:
            raise Refused("done")
        return command

    case = uuid4()
    decider = Decider(0, once, DECIDER.evolve)
    command = [worry(case, "一")]
    who = context(command=KEY, digest=b"body")
    answers = await asyncio.gather(
        *(spine.journal.handle(decider, stream_of(case), "k", command, who) for _ in range(10))
    )
    assert sum(not a.repeated for a in answers) == 1
    assert await rows(spine) == 1


async def test_a_key_with_another_body_is_refused(spine: Kit) -> None:
    case = uuid4()
    await spine.write(case, "一", command=KEY, digest=b"body")
    with pytest.raises(KeyReused):
        await spine.write(case, "二", command=KEY, digest=b"other")
    other = uuid8(0, 0, 2)
    answers = await asyncio.gather(
        *(spine.write(case, str(n), command=other, digest=b"%d" % n) for n in range(6)),
        return_exceptions=True,
    )
    assert sum(isinstance(answer, KeyReused) for answer in answers) == 5
    assert await rows(spine) == 2


async def test_what_was_refused_may_be_tried_again_with_its_key(spine: Kit) -> None:
    case = uuid4()
    with pytest.raises(Refused):
        await spine.write(case, "refuse", command=KEY, digest=b"body")
    assert not await rows(spine)
    assert not (await spine.write(case, "一", command=KEY, digest=b"other")).repeated


async def test_an_event_larger_than_the_broker_takes_is_refused(spine: Kit) -> None:
    case = uuid4()
    with pytest.raises(TooLarge):
        await spine.write(case, "一", "あ" * (LARGEST_EVENT // 4))
    assert not await rows(spine)


async def test_the_size_of_an_event_is_counted_in_bytes(spine: Kit) -> None:
    consent, case = uuid4(), uuid4()
    wide = ConsentRecorded(
        consent=consent, case=case, person=uuid4(), status="granted", classes=(), purposes=(),
        medium="paper", begins=datetime.now(UTC), text_version="葛" * (LARGEST_EVENT // 2),
    )  # fmt: skip
    with pytest.raises(TooLarge):
        await spine.journal.handle(DECIDER, f"consent/{consent}", str(case), [wide], context())
    assert not await rows(spine)


async def test_the_largest_event_that_is_taken_reaches_the_topic(spine: Kit) -> None:
    case = uuid4()
    await spine.write(case, "x" * int(LARGEST_EVENT * 0.74))
    async with running(spine.relay()):
        await spine.drained()
    assert await spine.published() == {stream_of(case): [1]}


async def test_a_person_is_nowhere_in_the_database(spine: Kit) -> None:
    case, person = uuid4(), uuid4()
    events = [
        describe_person(case, person, NAME),
        worry(case, f"{NAME}さんは借金に悩む"),
        CaseScreened(case=case, outcome="own_support", note=NAME),
    ]
    await spine.journal.handle(DECIDER, stream_of(case), str(case), events, context())
    stored = await spine.pool.fetch("select j::text as row, j.data::text as data from journal j")
    assert len(stored) == 3
    for word in (NAME, NAME.split()[0], "借金", "own_support", "money"):
        for form in (word, json.dumps(word).strip('"'), word.encode().hex()):
            assert not any(form in row["row"] or form in row["data"] for row in stored)
    assert await opened(spine, case) == events


async def test_what_was_erased_reads_as_erased(spine: Kit) -> None:
    case, person, other = uuid4(), uuid4(), uuid4()
    events = [describe_person(case, one, NAME) for one in (person, other)]
    await spine.journal.handle(DECIDER, stream_of(case), str(case), events, context())
    assert await spine.keyring.destroy(f"person/{person}")
    gone, kept = await opened(spine, case)
    assert (value_of(gone), value_of(kept)) == (repr(ERASED), NAME)
    with pytest.raises(ErasedKey):
        await spine.journal.handle(
            DECIDER, stream_of(case), str(case), [describe_person(case, person, NAME)], context()
        )
    assert await rows(spine) == 2


async def test_a_row_moved_to_another_version_is_noticed(spine: Kit) -> None:
    one, other = uuid4(), uuid4()
    await spine.write(one, "一", "二")
    await spine.write(other, "三")
    await spine.pool.execute(
        "update journal set data = (select data from journal where stream = $1 and version = 2)"
        " where stream = $1 and version = 1",
        stream_of(one),
    )
    with pytest.raises(Damaged):
        await spine.journal.load(stream_of(one))
    with pytest.raises(Damaged):
        await spine.write(one, "四")
    await spine.write(other, "五")
    assert await rows(spine) == 4


async def test_a_journal_that_is_behind_its_topic_gives_no_version_again(spine: Kit) -> None:
    case = uuid4()
    spine.journal.behind = True
    with pytest.raises(Behind):
        await spine.write(case, "一")
    assert not await rows(spine)
    spine.journal.behind = False
    assert (await spine.write(case, "一")).version == 1


async def test_a_stream_with_a_hole_is_not_written_to(spine: Kit) -> None:
    case = uuid4()
    await spine.write(case, "一", "二", "三")
    await spine.pool.execute("delete from journal where version = 2")
    with pytest.raises(Damaged):
        async with asyncio.timeout(10):
            await spine.write(case, "四")
    assert await rows(spine) == 2


@pytest.mark.parametrize("point", ["journal.decided", "journal.committed", "keyring.made"])
async def test_a_writer_killed_at_any_step_is_repeated_with_one_effect(
    spine: Kit, point: str
) -> None:
    case = uuid4()
    await spine.falls("write", point, CASE=str(case))
    assert await rows(spine) == (2 if point == "journal.committed" else 0)
    again = await spine.write(case, "一", "二", command=KEY, digest=b"d")
    assert again.repeated == (point == "journal.committed")
    assert (again.version, again.created) == (2, True)
    assert await opened(spine, case) == [worry(case, "一"), worry(case, "二")]
    async with running(spine.relay(), await spine.follower()):
        await spine.in_step()


# Timers fire through the journal.


class Clocked:
    """A journal that sets timers, and what fires them."""

    def __init__(self, spine: Kit) -> None:
        self.journal = Journal(spine.pool, spine.codec, lambda: None, at_once)
        self.timers = timers_of(spine)

    async def write(self, case: UUID, text: str) -> None:
        command = [worry(case, text)]
        await self.journal.handle(DECIDER, stream_of(case), str(case), command, context())

    async def fired(self) -> None:
        async def condition() -> bool:
            return not await self.timers.waiting()

        await until(condition, "no timer is due")


async def test_a_timer_fires_once_whoever_writes_or_fires_at_the_same_time(spine: Kit) -> None:
    case = uuid4()
    clocked = Clocked(spine)
    for n in range(15):
        await clocked.write(case, f"timer {n}")
    others = [Clocked(spine).timers for _ in range(2)]
    async with running(clocked.timers, *others):
        for n in range(15):
            await clocked.write(case, f"between {n}")
        await clocked.fired()
    texts = await texts_of(spine, case)
    assert texts.count("fired") == 15
    assert len(texts) == 45


async def test_a_timer_waits_for_its_time(spine: Kit) -> None:
    def tomorrow(event: Event, envelope: Envelope) -> list[Timer]:
        return [Timer(envelope.stream, envelope.at + timedelta(days=1), envelope.stream, {})]

    case = uuid4()
    journal = Journal(spine.pool, spine.codec, lambda: None, tomorrow)
    clock = SimulatedClock(datetime.now(UTC))
    timers = Timers(Journal(spine.pool, spine.codec, lambda: None), clock, fire)
    await journal.handle(DECIDER, stream_of(case), str(case), [worry(case, "一")], context())
    assert not await timers.waiting()
    assert not await timers.fire_one()
    await clock.move(spine.pool, clock.now() + timedelta(days=1, seconds=1))
    assert await timers.fire_one()
    assert await texts_of(spine, case) == ["一", "fired"]


async def test_a_timer_in_hand_is_left_to_who_holds_it(spine: Kit) -> None:
    case = uuid4()
    clocked = Clocked(spine)
    await clocked.write(case, "timer")
    async with spine.pool.acquire() as db, db.transaction():
        await db.execute("select from timer for update")
        async with asyncio.timeout(PATIENCE):
            assert not await clocked.timers.fire_one()
    assert await clocked.timers.fire_one()
    assert await texts_of(spine, case) == ["timer", "fired"]


async def test_a_timer_killed_while_it_fires_fires_once(spine: Kit) -> None:
    case = uuid4()
    clocked = Clocked(spine)
    await clocked.write(case, "timer")
    await clocked.write(case, "timer")
    await spine.falls("timers", "timers.fired")
    assert await texts_of(spine, case) == ["timer", "timer"]
    await spine.falls("timers", "timers.fired:2")
    async with running(clocked.timers):
        await clocked.fired()
    assert await texts_of(spine, case) == ["timer", "timer", "fired", "fired"]


async def test_a_timer_that_can_not_fire_holds_up_no_other(spine: Kit) -> None:
    broken, sound = uuid4(), uuid4()
    clocked = Clocked(spine)
    await clocked.write(broken, "timer")
    await spine.pool.execute("""update journal set data = '{"case": "?"}'""")
    await clocked.write(sound, "timer")
    async with running(clocked.timers):
        await clocked.fired()
    assert await opened(spine, sound) == [worry(sound, "timer"), worry(sound, "fired")]
    kept = await spine.pool.fetch("select stream, last_error from timer")
    assert [tuple(row) for row in kept] == [(stream_of(broken), "Damaged")]


async def test_a_timer_that_could_not_fire_is_tried_again_by_itself(spine: Kit) -> None:
    """Each time after a longer pause, and without a restart; once its stream can be read, it fires."""
    case = uuid4()
    clocked = Clocked(spine)
    await clocked.write(case, "timer")
    sound = await spine.pool.fetchval("select data from journal")
    await spine.pool.execute("""update journal set data = '{"case": "?"}'""")
    pauses = []

    async def failed() -> bool:
        times = await spine.pool.fetchval("select failures from timer")
        return bool(times > len(pauses))

    async with running(clocked.timers):
        for _ in range(2):
            await until(failed, "it is tried")
            pauses.append(await spine.pool.fetchval("select retry_at - now() from timer"))
            await spine.pool.execute("update timer set retry_at = now()")
        await until(failed, "it is tried")
        await spine.pool.execute("update journal set data = $1", sound)
        await spine.pool.execute("update timer set retry_at = now()")

        async def fired() -> bool:
            return not await spine.pool.fetchval("select count(*) from timer")

        await until(fired, "it fires")
    assert timedelta() < pauses[0] < pauses[1]
    assert await opened(spine, case) == [worry(case, "timer"), worry(case, "fired")]
