"""The certification run: reads the topic twice and checks what an agency may rely on, and may not do."""

from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.errors import (
    GroupAuthorizationFailedError,
    KafkaError,
    TopicAuthorizationFailedError,
)
from joserfc.jwk import KeySet

from agency.broker import consumer, record_of
from agency.copy import Copy
from agency.credentials import Credentials
from agency.sealed import Change, Poison, Record, heartbeat_at, opened

OTHERS = ("intake", "referral", "meetings", "views", "metrics", "heartbeats", "view.somebody-else")


@dataclass(frozen=True, slots=True)
class Check:
    name: str
    passed: bool
    detail: str = ""


async def certify(credentials: Credentials, others: Sequence[str] = OTHERS) -> list[Check]:
    """Each check once; those that need the records are left out when the topic cannot be read."""
    try:
        first, second = await read(credentials), await read(credentials)
    except KafkaError as error:
        detail = f"{type(error).__name__}: {error}"
        return [Check("we can log in and read our topic", False, detail)]
    changes, poison = sort(first, credentials.keys())
    again, _ = sort(second, credentials.keys())
    sort_of = f"{len(changes)} changes of {len({c.handle for _, c in changes})} handles"
    return [
        Check("we can log in and read our topic", True, f"{len(first)} records"),
        Check("every record opens with our key", not poison, "; ".join(poison[:5]) or sort_of),
        rising([change for _, change in changes]),
        equal(changes, again),
        *[await refused(f"topic {name} is refused", credentials, name) for name in others],
        await group_refused(credentials),
        await writing_refused(credentials),
    ]


async def read(credentials: Credentials) -> list[Record]:
    """The whole topic as it is now. Raises KafkaError."""
    place = TopicPartition(credentials.topic, 0)
    reader = consumer(credentials, None)
    reader.assign([place])
    records: list[Record] = []
    try:
        await reader.start()
        await reader.seek_to_beginning(place)
        end = (await reader.end_offsets([place]))[place]
        while await reader.position(place) < end:
            found = await reader.getmany(place, timeout_ms=500)
            records += [record_of(message) for message in found.get(place, ())]
    finally:
        await reader.stop()
    return [record for record in records if record.offset < end]


def sort(records: Sequence[Record], keys: KeySet) -> tuple[list[tuple[int, Change]], list[str]]:
    """What can be taken over, with its offset, and in words what cannot."""
    changes, poison = [], []
    for record in records:
        try:
            if record.heartbeat:
                heartbeat_at(record)
            else:
                changes.append((record.offset, opened(record, keys)))
        except Poison as error:
            poison.append(f"record {record.offset}: {error}")
    return changes, poison


def rising(changes: Sequence[Change]) -> Check:
    """A record may come again after a crash of the sender, but as it was, and never as the last."""
    name = "versions of each handle only rise"
    seen: dict[str, dict[tuple[int, int, bool], str | None]] = {}
    last: dict[str, Change] = {}
    repeated = 0
    for change in changes:
        known = seen.setdefault(change.handle, {})
        if known and change.rank <= max(known):
            repeated += 1
            if change.rank not in known or known[change.rank] != change.body:
                return Check(
                    name, False, f"{change.handle}: {change.rank[:2]} after {max(known)[:2]}"
                )
        known[change.rank] = change.body
        last[change.handle] = change
    for handle, change in last.items():
        if change.rank < max(seen[handle]):
            return Check(name, False, f"{handle}: its last record is not its newest")
    return Check(name, True, f"{repeated} came again" if repeated else "")


def equal(first: list[tuple[int, Change]], second: list[tuple[int, Change]]) -> Check:
    """The second reading may hold newer records; it is compared up to the end of the first."""
    end = max((offset for offset, _ in first), default=-1)
    one, two = Copy(":memory:"), Copy(":memory:")
    one.apply(first)
    two.apply([change for change in second if change[0] <= end])
    touched = {change.handle for offset, change in second if offset > end}
    a, b = one.content(), two.content()
    differ = [handle for handle in a.keys() | b.keys() if a.get(handle) != b.get(handle)]
    wrong = [handle for handle in differ if handle not in touched]  # compacted away in between
    one.close()
    two.close()
    return Check("a second reading makes the same copy", not wrong, ", ".join(wrong[:5]))


async def refused(name: str, credentials: Credentials, topic: str) -> Check:
    async def attempt() -> None:
        place = TopicPartition(topic, 0)
        reader = AIOKafkaConsumer(**credentials.login(), auto_offset_reset="earliest")
        reader.assign([place])
        try:
            await reader.start()
            await reader.end_offsets([place])
            await reader.getone(place)
        finally:
            await reader.stop()

    return await _expect(name, TopicAuthorizationFailedError, attempt)


async def group_refused(credentials: Credentials) -> Check:
    async def attempt() -> None:
        reader = consumer(credentials, f"not-{credentials.group_prefix}certify")
        reader.subscribe([credentials.topic])
        try:
            await reader.start()
            await reader.getone()
        finally:
            with suppress(KafkaError):
                await reader.stop()

    return await _expect("groups of others are refused", GroupAuthorizationFailedError, attempt)


async def writing_refused(credentials: Credentials) -> Check:
    async def attempt() -> None:
        sender = AIOKafkaProducer(**credentials.login())
        await sender.start()
        try:
            await sender.send_and_wait(credentials.topic, b"", b"_certify")
        finally:
            await sender.stop()

    name = "writing to our topic is refused"
    return await _expect(name, TopicAuthorizationFailedError, attempt)


async def _expect(
    name: str, error: type[KafkaError], attempt: Callable[[], Awaitable[None]]
) -> Check:
    try:
        await attempt()
    except error:
        return Check(name, True, error.__name__)
    except KafkaError as other:
        return Check(name, False, f"{type(other).__name__}: {other}")
    return Check(name, False, "it was allowed")
