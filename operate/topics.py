"""Topics, users and rights on the broker: brings a cluster to what deploy/topics.yaml declares."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import yaml
from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import (
    AclBinding,
    AclBindingFilter,
    AclOperation,
    AclPermissionType,
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    NewTopic,
    ResourcePatternType,
    ResourceType,
    ScramCredentialInfo,
    ScramMechanism,
    UserScramCredentialAlteration,
    UserScramCredentialDeletion,
    UserScramCredentialUpsertion,
)

from operate.install import ROOT, Refused
from operate.places import SERVICES

WAIT = 30.0  # seconds for one request of the administrator
ITERATIONS = 4096  # the least that Kafka takes: passwords are random, and clients pay at each login
SHOWN = 90.0  # seconds until the broker shows its effect; a busy machine takes its time


@dataclass(frozen=True)
class Topic:
    partitions: int
    config: dict[str, str] = field(default_factory=dict)


@dataclass
class Wanted:
    """What a cluster shall hold."""

    topics: dict[str, Topic] = field(default_factory=dict)
    users: dict[str, str] = field(default_factory=dict)  # password by name
    rights: set[AclBinding] = field(default_factory=set)


@cache
def declaration() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((ROOT / "deploy" / "topics.yaml").read_text())
    return found


def topic(entry: Mapping[str, Any]) -> Topic:
    return Topic(entry["partitions"], {name: str(value) for name, value in entry["config"].items()})


def rights(user: str, entries: Iterable[Mapping[str, Any]], **names: str) -> Iterator[AclBinding]:
    for entry in entries:
        literal = [name.format(**names) for name in entry.get("names", ())]
        patterns = [(name, ResourcePatternType.LITERAL) for name in literal]
        if "prefix" in entry:
            patterns.append((entry["prefix"].format(**names), ResourcePatternType.PREFIXED))
        if entry["resource"] == "cluster":
            patterns.append(("kafka-cluster", ResourcePatternType.LITERAL))
        kind = (
            ResourceType.BROKER
            if entry["resource"] == "cluster"
            else ResourceType[entry["resource"].upper()]
        )
        for name, pattern in patterns:
            for operation in entry["allow"]:
                yield AclBinding(
                    kind, name, pattern, f"User:{user}", "*",
                    AclOperation[operation.upper()], AclPermissionType.ALLOW,
                )  # fmt: skip


def for_services(passwords: Mapping[str, str]) -> Wanted:
    """The services' topics, users and rights."""
    declared = declaration()
    wanted = Wanted({name: topic(entry) for name, entry in declared["topics"].items()})
    for name in SERVICES:
        wanted.users[name] = passwords[name]
        entries = [*declared["service"], *declared["services"].get(name, [])]
        wanted.rights.update(rights(name, entries, name=name))
    return wanted


def for_agencies(users: Mapping[str, tuple[str, str]]) -> Wanted:
    """The agencies' topics, users and rights; user and password by code."""
    declared = declaration()["agency"]
    wanted = Wanted()
    for code, (user, password) in users.items():
        wanted.topics[declared["topic"]["name"].format(code=code)] = topic(declared["topic"])
        wanted.users[user] = password
        wanted.rights.update(rights(user, declared["allow"], code=code))
    return wanted


def remove(admin: AdminClient, names: Sequence[str]) -> None:
    """Deletes topics with all that is in them, and waits until they are gone."""
    for future in admin.delete_topics(list(names), operation_timeout=WAIT).values():
        future.result(WAIT)
    until = time.monotonic() + SHOWN
    while admin.list_topics(timeout=WAIT).topics.keys() & set(names):
        if time.monotonic() > until:
            raise Refused(f"{', '.join(names)} were deleted and are still there")
        time.sleep(0.02)


def apply(admin: AdminClient, wanted: Wanted, *, renew: bool = False) -> list[str]:
    """Brings the cluster to what is wanted and returns the changes, one a line.

    `renew` sets passwords also where the user is known already. Rights that these users have
    beyond what is wanted are taken away.
    """
    try:
        changes = [
            *apply_topics(admin, wanted.topics),
            *apply_users(admin, wanted.users, renew),
            *apply_rights(admin, wanted.rights, set(wanted.users)),
        ]
        wait_for_leaders(admin, wanted.topics)
        wait_for_groups(admin)
    except KafkaException as error:
        raise Refused(f"the broker refused or did not answer: {error}") from error
    return changes


def apply_topics(admin: AdminClient, topics: Mapping[str, Topic]) -> Iterator[str]:
    there = admin.list_topics(timeout=WAIT).topics
    fresh = [
        NewTopic(name, wanted.partitions, config=wanted.config)
        for name, wanted in topics.items()
        if name not in there
    ]
    if fresh:
        for name, future in admin.create_topics(fresh, request_timeout=WAIT).items():
            try:
                future.result()
            except KafkaException as error:
                if error.args[0].code() != KafkaError.TOPIC_ALREADY_EXISTS:
                    raise
                continue  # somebody else made it meanwhile
            yield f"topic {name}: made with {topics[name].partitions} partition(s)"
    old = {name: wanted for name, wanted in topics.items() if name in there}
    for name, wanted in old.items():
        if len(there[name].partitions) != wanted.partitions:
            raise Refused(
                f"topic {name} has {len(there[name].partitions)} partitions and shall have "
                f"{wanted.partitions}, which cannot be changed; use another cluster"
            )
    yield from apply_config(admin, old)


def apply_config(admin: AdminClient, topics: Mapping[str, Topic]) -> Iterator[str]:
    changed = []
    for topic, name, found, value in other_config(admin, topics):
        entry = ConfigEntry(name, value, incremental_operation=AlterConfigOpType.SET)
        changed.append(ConfigResource(ResourceType.TOPIC, topic, incremental_configs=[entry]))
        yield f"topic {topic}: {name} {found} → {value}"
    for one in changed:
        for altered in admin.incremental_alter_configs([one], request_timeout=WAIT).values():
            altered.result()


def other_config(
    admin: AdminClient, topics: Mapping[str, Topic]
) -> Iterator[tuple[str, str, str | None, str]]:
    """Topic, setting, what it is, what it shall be: where these differ."""
    asked = [ConfigResource(ResourceType.TOPIC, name) for name in topics]
    if not asked:
        return
    for resource, future in admin.describe_configs(asked, request_timeout=WAIT).items():
        found = {name: entry.value for name, entry in future.result().items()}
        for name, value in topics[resource.name].config.items():
            if found.get(name) != value:
                yield resource.name, name, found.get(name), value


def apply_users(admin: AdminClient, users: Mapping[str, str], renew: bool) -> Iterator[str]:
    known = known_users(admin)
    info = ScramCredentialInfo(ScramMechanism.SCRAM_SHA_512, ITERATIONS)
    asked: list[UserScramCredentialAlteration] = [
        UserScramCredentialUpsertion(name, info, password.encode())
        for name, password in users.items()
        if renew or name not in known
    ]
    if asked:
        for future in admin.alter_user_scram_credentials(asked, request_timeout=WAIT).values():
            future.result()
        shown(lambda: users.keys() <= known_users(admin))
    yield from (f"user {name}: made" for name in users if name not in known)


def known_users(admin: AdminClient) -> set[str]:
    described: Any = admin.describe_user_scram_credentials(request_timeout=WAIT)
    return set(described.result())


def take_users(admin: AdminClient, names: set[str]) -> list[str]:
    """Takes rights and logins away: the rights first, since they bind sessions that live on."""
    changes = take_rights(admin, known_rights(admin, names))
    gone = sorted(names & known_users(admin))
    if gone:
        deleted: list[UserScramCredentialAlteration] = [
            UserScramCredentialDeletion(name, ScramMechanism.SCRAM_SHA_512) for name in gone
        ]
        for future in admin.alter_user_scram_credentials(deleted, request_timeout=WAIT).values():
            future.result()
        shown(lambda: known_users(admin).isdisjoint(gone))
    return [*changes, *(f"user {name}: deleted" for name in gone)]


def take_rights(admin: AdminClient, surplus: set[AclBinding]) -> list[str]:
    if surplus:
        filters = [exactly(right) for right in surplus]
        for taken in admin.delete_acls(filters, request_timeout=WAIT).values():
            taken.result()
        shown(lambda: known_rights(admin).isdisjoint(surplus))
    return sorted(f"right taken: {said(right)}" for right in surplus)


def apply_rights(admin: AdminClient, wanted: set[AclBinding], users: set[str]) -> Iterator[str]:
    found = known_rights(admin, users)
    missing, surplus = wanted - found, found - wanted
    if missing:
        for future in admin.create_acls(list(missing), request_timeout=WAIT).values():
            future.result()
        shown(lambda: missing <= known_rights(admin, users))
    yield from sorted(f"right given: {said(right)}" for right in missing)
    yield from take_rights(admin, surplus)


def known_rights(admin: AdminClient, users: set[str] | None = None) -> set[AclBinding]:
    """Of these users, or of everybody."""
    nothing: Any = None  # matches all; the package's types know names only
    every = AclBindingFilter(
        ResourceType.ANY, nothing, ResourcePatternType.ANY, nothing, nothing,
        AclOperation.ANY, AclPermissionType.ANY,
    )  # fmt: skip
    rights = set(admin.describe_acls(every, request_timeout=WAIT).result())
    if users is None:
        return rights
    return {right for right in rights if right.principal.removeprefix("User:") in users}


def shown(condition: Callable[[], bool]) -> None:
    """The controller has answered; waits until the broker, which learns it later, shows it too."""
    until = time.monotonic() + SHOWN
    while not condition():
        if time.monotonic() > until:
            raise Refused(
                "the broker does not show what it was told; look at its log and try again"
            )
        time.sleep(0.02)


def exactly(right: AclBinding) -> AclBindingFilter:
    return AclBindingFilter(
        right.restype, right.name, right.resource_pattern_type, right.principal, right.host,
        right.operation, right.permission_type,
    )  # fmt: skip


def said(right: AclBinding) -> str:
    prefixed = "*" if right.resource_pattern_type == ResourcePatternType.PREFIXED else ""
    operation, kind = AclOperation(right.operation), ResourceType(right.restype)
    user = right.principal.removeprefix("User:")
    return f"{user} {operation.name.lower()} {kind.name.lower()} {right.name}{prefixed}"


def wait_for_leaders(admin: AdminClient, names: Iterable[str]) -> None:
    """A producer that meets a partition without leader stalls: waits until each has one."""
    wanted = set(names)

    def led() -> bool:
        there = admin.list_topics(timeout=WAIT).topics
        found = [there[name].partitions for name in wanted if name in there]
        return len(found) == len(wanted) and all(
            parts and all(part.leader >= 0 for part in parts.values()) for parts in found
        )

    shown(led)


def wait_for_groups(admin: AdminClient) -> None:
    """The broker makes its topic of groups when first asked for one; services need not wait for it."""

    def known() -> bool:
        with contextlib.suppress(KafkaException):
            for asked in admin.describe_consumer_groups(["setup"], request_timeout=WAIT).values():
                asked.result()
            return True
        return False

    shown(known)
