"""Brings the broker to what it should hold: the services' share, and each agency's by its subscription.

Services have no administrator's login, so that this is where an agency's topic, login and rights are
made when it subscribes, and taken away when its key is revoked, it is quarantined, or it ends.
"""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, suppress

from confluent_kafka import KafkaException

from operate import agencies, topics
from operate.agencies import Credentials
from operate.compare import compare
from operate.install import Refused, locked
from operate.stack import Stack
from operate.subscriptions import Subscription, administrators, subscriptions, wanted

PATIENCE = 30.0  # seconds until a registered key is acted on
LOOK = 3.0  # seconds between two looks at the subscriptions
COMPARE = 60.0  # seconds between two comparisons
REACHED = 3.0  # seconds in which a broker that is well answers


def repair(stack: Stack) -> list[str]:
    """Makes what is missing, takes away what is surplus; a surplus topic that belongs to no ended
    subscription is left to a person, since what is in it would be lost.
    """
    with _locked(stack):
        found = asyncio.run(subscriptions(stack))
        changes = [*stack.provide_topics(), *_follow(stack, found)]
        admin = stack.kafka_admin()
        should = wanted(stack, found)
        surplus = topics.known_users(admin) - should.users.keys() - administrators(stack)
        ours = {name for name in surplus if name.startswith(agencies.USER)}
        changes += topics.take_users(admin, ours)
        return [*changes, *topics.take_rights(admin, topics.known_rights(admin) - should.rights)]


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
    renewed = [one for one in found if _asks(stack, one)]
    for one in renewed:
        agencies.forget(stack.places, one.agency, "password")
    taken = [one for one in found if not one.login]
    changes: list[str] = []
    if given:
        made = agencies.credentials_of(stack.places, stack.agency_bootstrap, given)
        changes += topics.apply(admin, agencies.wanted(made))
        logins = {made[one.agency].username: made[one.agency].password for one in renewed}
        changes += topics.apply_users(admin, logins, renew=True)
        for one in renewed:
            agencies.keep_renewed(stack.places, one.agency, one.renewed)
            changes.append(f"user {agencies.user(one.agency)}: another password")
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


def _asks(stack: Stack, one: Subscription) -> bool:
    """For another login than the one it has; also if nobody looked when it did."""
    return one.login and one.renewed > agencies.renewed(stack.places, one.agency)


async def watch(stack: Stack, tell: Callable[[str], None] = lambda line: None) -> None:
    """For ever: follows each change of a subscription within seconds, and compares everything once a
    minute; neither waits for the other. At the start it takes away what should be gone; what is missing
    then is for `repair`.
    """
    changed = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        group.create_task(_following(stack, tell, changed))
        group.create_task(_comparing(stack, changed))


async def _following(stack: Stack, tell: Callable[[str], None], done: asyncio.Event) -> None:
    seen: Mapping[str, Subscription] | None = None
    while True:
        try:
            found = {one.agency: one for one in await subscriptions(stack)}
            if seen is None:
                changed = {c for c, one in found.items() if not one.login or _asks(stack, one)}
            else:
                changed = {code for code, one in found.items() if seen.get(code) != one}
            if changed:
                for line in await asyncio.to_thread(follow, stack, changed):
                    tell(line)
                done.set()
            seen = found
        except (Refused, KafkaException) as error:
            print(f"agencies: {error}", file=sys.stderr, flush=True)
        await asyncio.sleep(LOOK)


async def _comparing(stack: Stack, changed: asyncio.Event) -> None:
    while True:
        changed.clear()
        try:
            await asyncio.to_thread(_reached, stack)
            await asyncio.to_thread(compare, stack)
        except (Refused, KafkaException) as error:
            print(f"agencies: not compared: {error}", file=sys.stderr, flush=True)
        with suppress(TimeoutError):
            async with asyncio.timeout(COMPARE):
                await changed.wait()


def _reached(stack: Stack) -> None:
    """A broker that is away is not waited for: the end of this process would wait too."""
    stack.kafka_admin().list_topics(timeout=REACHED)
