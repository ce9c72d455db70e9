"""What is done in a run: faults in lanes, each lane one after another, the lanes beside each other."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial

from operate.chaos.faults import backwards, network, processes, servers, stream
from operate.chaos.ground import Ground
from operate.chaos.points import MODES, points
from operate.install import Refused

Fault = Callable[[Ground], Awaitable[None]]
Lane = list[Fault]
SELDOM = ("recover.took", "follow.parked", "follow.replayed")
"""Points that only data which went backwards, or poison, brings anybody to."""
FAULTS: dict[str, tuple[Fault, int]] = {
    "kill": (processes.kill, 0),
    "stop": (processes.stop, 20),
    "rolling": (processes.rolling, 5),
    "term": (processes.term, 50),
    "all-at-once": (processes.all_at_once, 10),
    "clock-jump": (processes.clock_jump, 10),
    "postgres-immediate": (servers.postgres_immediate, 20),
    "postgres-kill": (servers.postgres_kill, 5),
    "backends": (servers.backends, 20),
    "sync-error": (servers.sync_error, 10),
    "broker-kill": (servers.broker_kill, 5),
    "cut": (network.cut, 100),
    "leader-kill": (servers.leader_kill, 10),
    "disk-full": (servers.disk_full, 5),
    "snapshot": (backwards.snapshot, 1),
    "kafka-deleted": (backwards.kafka_deleted, 1),
    "tail-cut": (backwards.tail_cut, 3),
    "database-back": (backwards.database_back, 2),
    "follower-back": (backwards.follower_back, 2),
    "reorder": (backwards.reorder, 1),
    "rewind": (stream.rewind, 5),
    "duplicates": (partial(stream.duplicates, count=20_000), 10),
    "poison": (partial(stream.poison, count=1_000), 10),
}
"""Each with how often it is done in tier 1; `kill` fills up to the number of kills."""


@dataclass(frozen=True)
class Plan:
    """`proxied`: services reach their servers through proxies. `disk`: MiB of PostgreSQL's own disk.
    With `replicas` no answer is lost, and a client repeats a request once at the most. `at_once`:
    requests; the more there are, the more slowly comes back what was ended.
    """

    name: str
    lanes: Callable[[Ground], list[Lane]]
    brokers: int = 1
    proxied: bool = False
    disk: int = 0
    replicas: int = 1
    at_once: int = 4


def some(*names: str) -> Lane:
    return [FAULTS[name][0] for name in names]


def all_of(*names: str) -> Lane:
    return [FAULTS[name][0] for name in names for _ in range(FAULTS[name][1])]


def at_points(*modes: str) -> Lane:
    ordinary = [name for name in points() if name not in SELDOM]
    return [
        partial(processes.at_point, point=name, mode=mode) for name in ordinary for mode in modes
    ]


def at_seldom_points() -> tuple[Lane, Lane]:
    """While a journal takes its events back; while a follower parks, and tries again."""
    return [partial(backwards.killed_taking_back, mode=mode) for mode in MODES], [
        partial(fault, mode=mode)
        for fault in (stream.killed_parking, stream.killed_replaying)
        for mode in MODES
    ]


def spread(ground: Ground, faults: Lane, lanes: int) -> list[Lane]:
    ground.random.shuffle(faults)
    return [faults[lane::lanes] for lane in range(lanes)]


def _processes(kills: int, ground: Ground) -> list[Lane]:
    faults = [*at_points(*MODES), *all_of("stop", "term", "all-at-once", "clock-jump")]
    deadly = 2 * len(at_points("kill")) + 7 * FAULTS["all-at-once"][1] + FAULTS["term"][1]
    faults += some("kill") * max(0, kills - deadly)
    return spread(ground, faults, 4)


def _servers(ground: Ground) -> list[Lane]:
    crashes = all_of("postgres-immediate", "postgres-kill", "sync-error", "backends", "broker-kill")
    return [*spread(ground, crashes, 1), all_of("cut")]


def _backwards(ground: Ground) -> list[Lane]:
    taking_back, _ = at_seldom_points()
    faults = all_of("kafka-deleted", "tail-cut", "database-back", "follower-back", "reorder")
    return [[*some("snapshot"), *spread(ground, [*faults, *taking_back], 1)[0]]]


def _stream(ground: Ground) -> list[Lane]:
    _, parking = at_seldom_points()
    return [[*all_of("duplicates", "rewind"), *all_of("poison"), *parking]]


def _sample(ground: Ground) -> list[Lane]:
    """Something of everything that one broker and an ordinary disk allow, in a few minutes."""
    somewhere = ground.random.sample(at_points(*MODES), 4)
    processes_ = [*somewhere, *some("stop", "term", "all-at-once", "clock-jump")]
    servers_ = [
        *some("postgres-immediate", "sync-error", "backends", "broker-kill"),
        *some("cut") * 2,
    ]
    back = some("tail-cut", "kafka-deleted", "database-back", "follower-back", "rewind", "reorder")
    records: Lane = [partial(stream.duplicates, count=2_000), partial(stream.poison, count=200)]
    _, parking = at_seldom_points()
    return [
        [*some("snapshot"), *spread(ground, [*servers_, *back], 1)[0], *records, parking[0]],
        spread(ground, processes_, 1)[0],
    ]


SAMPLE = Plan("sample", _sample, proxied=True)


def _sharing(ground: Ground) -> list[Lane]:
    """What may keep an end of a basis from views: relays that fall silent, followers that fall or are
    cut off, streams with a gap, which are parked, databases and topics that go back, to a copy that is
    as old as the round. No poison: what is sent again and reordered after it would be parked a
    second time.
    """
    ends = [name for name in points() if name.split(".")[0] in ("views", "relay", "follow")]
    modes = [(name, mode) for name in ends if name not in SELDOM for mode in MODES]
    somewhere: Lane = [
        partial(processes.at_point, point=name, mode=mode)
        for name, mode in ground.random.sample(modes, 4)
    ]
    silent = [
        *somewhere,
        *some("stop", "stop", "term", "kill", "kill", "all-at-once", "clock-jump"),
    ]
    servers_ = some("postgres-immediate", "backends", "broker-kill", "cut", "cut")
    back = some("reorder", "rewind", "database-back", "follower-back")
    records: Lane = [partial(stream.duplicates, count=2_000)]
    return [
        [*some("snapshot"), *spread(ground, [*servers_, *back, *records], 1)[0]],
        spread(ground, silent, 1)[0],
    ]


SHARING = Plan("sharing", _sharing, proxied=True, at_once=8)
"""Again and again, for as long as there are consents and memberships to change."""


def tier(kills: int) -> list[Plan]:
    """Tier 1 of reliability.md: everything, at full size."""
    return [
        Plan("processes", partial(_processes, kills)),
        Plan("servers", _servers, proxied=True),
        Plan("leaders", lambda ground: [all_of("leader-kill")], brokers=3),
        Plan("backwards", _backwards),
        Plan("stream", _stream),
        Plan("rolling", lambda ground: [all_of("rolling")], replicas=2),
        Plan("disk", lambda ground: [all_of("disk-full")], disk=400),
    ]


def only(fault: str, times: int) -> Plan:
    """One kind of fault, or all kill points (`points`). Raises Refused for one that is not there."""
    if fault == "points":
        return Plan(fault, lambda ground: spread(ground, at_points(*MODES), 4))
    if fault not in FAULTS:
        raise Refused(f"there is no fault '{fault}'; there are points, {', '.join(FAULTS)}")
    first = some("snapshot") if fault.endswith("-back") or fault == "reorder" else []
    lane = [*first, *some(fault) * times]
    return Plan(
        fault,
        lambda ground: [lane],
        brokers=3 if fault == "leader-kill" else 1,
        proxied=fault == "cut",
        disk=400 if fault == "disk-full" else 0,
        replicas=2 if fault == "rolling" else 1,
    )
