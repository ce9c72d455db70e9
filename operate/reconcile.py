"""What the broker holds against what it should: the services' share, and each agency's by its subscription.

Services have no administrator's login, so that this is where an agency's topic, login and rights are
made when it subscribes, and taken away when its key is revoked, it is quarantined, or it ends.
"""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, NamedTuple

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from operate import agencies, topics
from operate.agencies import Credentials
from operate.install import Refused, locked
from operate.stack import Stack
from operate.topics import Wanted

PATIENCE = 30.0  # seconds until a registered key is acted on
LOOK = 3.0  # seconds between two looks at the subscriptions
SUBSCRIPTIONS = """
select agency, public_key is not null and not quarantined as login, closed
  from subscription order by agency"""
LISTED = "select distinct key from journal where stream like 'agency/%'"
OWN_TOPICS = ("__consumer_offsets", "__transaction_state", "__share_group_state")


class Subscription(NamedTuple):
    """`login`: it has a key and no quarantine. `closed`: it ended, and its topic goes too."""

    agency: str
    login: bool
    closed: bool


@dataclass(frozen=True)
class Difference:
    """`kind`: topic, user, right or agency. `what`: missing, surplus, or what is other."""

    kind: str
    name: str
    what: str


async def subscriptions(stack: Stack) -> list[Subscription]:
    return [Subscription(*row) for row in await _fetch(stack, "views", SUBSCRIPTIONS)]


async def listed(stack: Stack) -> set[str]:
    """Codes in the directory."""
    return {str(row[0]) for row in await _fetch(stack, "referral", LISTED)}


async def _fetch(stack: Stack, service: str, query: str) -> list[tuple[Any, ...]]:
    import asyncpg

    try:
        connection = await asyncpg.connect(stack.database_url(service, service))
        try:
            return [tuple(row) for row in await connection.fetch(query)]
        finally:
            await connection.close()
    except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        raise Refused(
            f"the database of {service} does not answer ({type(error).__name__}); look at "
            "./tsunagu status"
        ) from error


def verify(stack: Stack) -> list[Difference]:
    """Every difference between the broker and what directory, subscriptions and topics.yaml say."""
    found = asyncio.run(subscriptions(stack))
    known = asyncio.run(listed(stack))
    strangers = [one.agency for one in found if one.login and one.agency not in known]
    try:
        on_broker = list(_differences(stack, stack.kafka_admin(), found))
    except KafkaException as error:
        raise Refused(f"the broker refused or did not answer: {error}") from error
    return [*on_broker, *(Difference("agency", code, "not in the directory") for code in strangers)]


def _differences(
    stack: Stack, admin: AdminClient, found: Sequence[Subscription]
) -> Iterator[Difference]:
    wanted = _wanted(stack, found)
    resting = {f"view.{one.agency}" for one in found if not one.login and not one.closed}
    yield from _of_topics(admin, wanted, resting, alone=stack.external is None)
    users = topics.known_users(admin)
    yield from (Difference("user", name, "missing") for name in wanted.users.keys() - users)
    foreign = users - wanted.users.keys() - administrators(stack)
    yield from (Difference("user", name, "surplus") for name in foreign)
    rights = topics.known_rights(admin)
    yield from (Difference("right", topics.said(r), "missing") for r in wanted.rights - rights)
    yield from (Difference("right", topics.said(r), "surplus") for r in rights - wanted.rights)


def _of_topics(
    admin: AdminClient, wanted: Wanted, resting: set[str], *, alone: bool
) -> Iterator[Difference]:
    """On a cluster that others use too (not `alone`) only what bears a name of ours is surplus."""
    there = admin.list_topics(timeout=topics.WAIT).topics
    yield from (Difference("topic", n, "missing") for n in wanted.topics.keys() - there.keys())
    for name in there.keys() - wanted.topics.keys() - resting - set(OWN_TOPICS):
        if alone or name.startswith("view."):
            yield Difference("topic", name, "surplus")
    both = {name: one for name, one in wanted.topics.items() if name in there}
    for name, one in both.items():
        if (count := len(there[name].partitions)) != one.partitions:
            yield Difference("topic", name, f"{count} partitions, not {one.partitions}")
    for name, setting, value, shall in topics.other_config(admin, both):
        yield Difference("topic", name, f"{setting} is {value}, not {shall}")


def _wanted(stack: Stack, found: Sequence[Subscription]) -> Wanted:
    """With those that this copy has given a login and that have not subscribed yet."""
    made = topics.for_services(stack.places.secrets["kafka"])
    codes = set(agencies.provided(stack.places)) - {one.agency for one in found}
    codes |= {one.agency for one in found if one.login}
    theirs = topics.for_agencies({code: (agencies.user(code), "") for code in codes})
    return Wanted(
        {**made.topics, **theirs.topics},
        {**made.users, **theirs.users},
        made.rights | theirs.rights,
    )


def administrators(stack: Stack) -> set[str]:
    return {stack.external.username} if stack.external else {"admin", "broker"}


def repair(stack: Stack) -> list[str]:
    """Makes what is missing, takes away what is surplus; a surplus topic that belongs to no ended
    subscription is left to a person, since what is in it would be lost.
    """
    with _locked(stack):
        found = asyncio.run(subscriptions(stack))
        changes = [*stack.provide_topics(), *_follow(stack, found)]
        admin = stack.kafka_admin()
        wanted = _wanted(stack, found)
        surplus = topics.known_users(admin) - wanted.users.keys() - administrators(stack)
        ours = {name for name in surplus if name.startswith(agencies.USER)}
        changes += topics.take_users(admin, ours)
        return [*changes, *topics.take_rights(admin, topics.known_rights(admin) - wanted.rights)]


def follow(stack: Stack, codes: set[str]) -> list[str]:
    """Brings these agencies to what their subscriptions say now; returns the changes."""
    with _locked(stack):
        found = asyncio.run(subscriptions(stack))
        return _follow(stack, [one for one in found if one.agency in codes])


def join(stack: Stack, code: str) -> Credentials:
    """Registers the agency's key with views, then makes what the broker is to hold of it: in the
    other order `watch` could take a fresh login away because the last key was revoked.
    """
    with _locked(stack):
        before = asyncio.run(subscriptions(stack))
        if any(one.agency == code and not one.login for one in before):
            agencies.forget(stack.places, code)  # a key that was given up is never taken again
        made = agencies.credentials_of(stack.places, stack.agency_bootstrap, [code])[code]
        stack.register(made)
        until = time.monotonic() + PATIENCE
        while not any(one.login for one in asyncio.run(subscriptions(stack)) if one.agency == code):
            if time.monotonic() > until:
                raise Refused(
                    f"views took the key of {code} and does not act on it; look at its log"
                )
            time.sleep(0.05)
        return stack.agency(code)


def _locked(stack: Stack) -> AbstractContextManager[None]:
    return locked(stack.places.state / "agencies", "waiting for another change of the agencies")


def _follow(stack: Stack, found: Sequence[Subscription]) -> list[str]:
    admin = stack.kafka_admin()
    given = [one.agency for one in found if one.login]
    taken = [one for one in found if not one.login]
    changes: list[str] = []
    if given:
        made = agencies.credentials_of(stack.places, stack.agency_bootstrap, given)
        changes += topics.apply(admin, agencies.wanted(made))
    if taken:
        changes += topics.take_users(admin, {agencies.user(one.agency) for one in taken})
        for one in taken:
            agencies.forget(stack.places, one.agency)
        there = admin.list_topics(timeout=topics.WAIT).topics
        gone = [f"view.{one.agency}" for one in taken if one.closed]
        if gone := [name for name in gone if name in there]:
            topics.remove(admin, gone)
            changes += [f"topic {name}: deleted" for name in gone]
    return changes


async def watch(stack: Stack, tell: Callable[[str], None] = lambda line: None) -> None:
    """For ever: follows each change of a subscription within seconds. At the start it takes away
    what should be gone; what is missing then is for `repair`.
    """
    seen: Mapping[str, Subscription] | None = None
    while True:
        try:
            found = {one.agency: one for one in await subscriptions(stack)}
            if seen is None:
                changed = {code for code, one in found.items() if not one.login}
            else:
                changed = {code for code, one in found.items() if seen.get(code) != one}
            if changed:
                for line in await asyncio.to_thread(follow, stack, changed):
                    tell(line)
            seen = found
        except (Refused, KafkaException) as error:
            print(f"agencies: {error}", file=sys.stderr, flush=True)
        await asyncio.sleep(LOOK)
