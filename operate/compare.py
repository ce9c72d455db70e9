"""What the broker holds against what it should: every difference, put down where operators are told it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass

from confluent_kafka import KafkaException
from confluent_kafka.admin import AclBinding, AdminClient

from operate import agencies, topics
from operate.install import Refused
from operate.stack import Stack
from operate.subscriptions import Subscription, administrators, fetch, listed, subscriptions, wanted
from operate.topics import Wanted

COMPARED = """
insert into broker_compared (at, differences) values (now(), $1)
on conflict (one) do update set at = excluded.at, differences = excluded.differences"""
TOPIC = "view."
OWN_TOPICS = ("__consumer_offsets", "__transaction_state", "__share_group_state")


@dataclass(frozen=True)
class Difference:
    """`kind`: topic, user, right or agency. `what`: missing, surplus, or what is other. `agency`: whose
    share it is of; None: of the services.
    """

    kind: str
    name: str
    what: str
    agency: str | None = None


def verify(stack: Stack) -> list[Difference]:
    """Every difference between the broker and what directory, subscriptions and topics.yaml say."""
    found = asyncio.run(subscriptions(stack))
    known = asyncio.run(listed(stack))
    strangers = [one.agency for one in found if one.login and one.agency not in known]
    try:
        on_broker = list(_differences(stack, stack.kafka_admin(), found))
    except KafkaException as error:
        raise Refused(f"the broker refused or did not answer: {error}") from error
    unlisted = [Difference("agency", code, "not in the directory", code) for code in strangers]
    return [*on_broker, *unlisted]


def compare(stack: Stack) -> list[Difference]:
    """The same, and views can tell it to operators."""
    found = verify(stack)
    document = json.dumps([asdict(one) for one in found])
    asyncio.run(fetch(stack, "views", COMPARED, document))
    return found


def _differences(
    stack: Stack, admin: AdminClient, found: Sequence[Subscription]
) -> Iterator[Difference]:
    should = wanted(stack, found)
    resting = {f"view.{one.agency}" for one in found if not one.login and not one.closed}
    yield from _of_topics(admin, should, resting, alone=stack.external is None)
    users = topics.known_users(admin)
    yield from (_of_user(name, "missing") for name in should.users.keys() - users)
    foreign = users - should.users.keys() - administrators(stack)
    yield from (_of_user(name, "surplus") for name in foreign)
    rights = topics.known_rights(admin)
    yield from (_of_right(right, "missing") for right in should.rights - rights)
    yield from (_of_right(right, "surplus") for right in rights - should.rights)


def _of_topics(
    admin: AdminClient, wanted: Wanted, resting: set[str], *, alone: bool
) -> Iterator[Difference]:
    """On a cluster that others use too (not `alone`) only what bears a name of ours is surplus."""
    there = admin.list_topics(timeout=topics.WAIT).topics
    yield from (_of_topic(n, "missing") for n in wanted.topics.keys() - there.keys())
    for name in there.keys() - wanted.topics.keys() - resting - set(OWN_TOPICS):
        if alone or name.startswith(TOPIC):
            yield _of_topic(name, "surplus")
    both = {name: one for name, one in wanted.topics.items() if name in there}
    for name, one in both.items():
        if (count := len(there[name].partitions)) != one.partitions:
            yield _of_topic(name, f"{count} partitions, not {one.partitions}")
    for name, setting, value, shall in topics.other_config(admin, both):
        yield _of_topic(name, f"{setting} is {value}, not {shall}")


def _of_topic(name: str, what: str) -> Difference:
    return Difference("topic", name, what, _after(TOPIC, name))


def _of_user(name: str, what: str) -> Difference:
    return Difference("user", name, what, _after(agencies.USER, name))


def _of_right(right: AclBinding, what: str) -> Difference:
    user = right.principal.removeprefix("User:")
    return Difference("right", topics.said(right), what, _after(agencies.USER, user))


def _after(prefix: str, name: str) -> str | None:
    return name.removeprefix(prefix) if name.startswith(prefix) else None
