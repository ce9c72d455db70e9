"""PostgreSQL and Kafka that crash, lose their connections, meet a sick disk or a full one."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import subprocess
from pathlib import Path

import psutil

from operate import databases
from operate.chaos.ground import Ground
from operate.install import Refused
from operate.places import SERVICES

BACKENDS = "select pg_terminate_backend(pid) from pg_stat_activity where usename = $1"
IMMEDIATE = signal.SIGQUIT
ATTACHED = 5.0
"""Seconds for which system calls are watched at most: a commit comes by at once."""
FULL = 3.0


async def postgres_immediate(ground: Ground) -> None:
    """As `pg_ctl stop -m immediate` does."""
    async with ground.alone("postgres"):
        await ground.end("postgres", by=IMMEDIATE)
    ground.faults["postgres immediate stop"] += 1


async def postgres_kill(ground: Ground) -> None:
    """The postmaster only: its children notice and end."""
    async with ground.alone("postgres"):
        await ground.end("postgres")
    ground.faults["postgres kill"] += 1


async def backends(ground: Ground) -> None:
    """One service loses all its connections."""
    service = ground.random.choice(SERVICES)
    async with ground.alone("postgres"):
        await databases.fetch(ground.stack.admin_database_url(), BACKENDS, service)
    ground.faults["backends terminated"] += 1


async def sync_error(ground: Ground) -> None:
    """The write-ahead log cannot be flushed (EIO): PostgreSQL panics and recovers, all commits in
    flight end in doubt.
    """
    if not (strace := shutil.which("strace")):
        ground.missed["sync error: there is no strace"] += 1
        return
    async with ground.alone("postgres"):
        pid = ground.stack.pid("postgres")
        assert pid
        children = psutil.Process(pid).children()
        attach = [part for child in children for part in ("-p", str(child.pid))]
        inject = ["-e", "trace=fdatasync", "-e", "inject=fdatasync:error=EIO"]
        tracer = await asyncio.create_subprocess_exec(
            strace, "-qq", "-o", os.devnull, *inject, *attach,
            stderr=asyncio.subprocess.DEVNULL,
        )  # fmt: skip
        try:
            _, alive = await asyncio.to_thread(psutil.wait_procs, children, ATTACHED)
            if alive:
                ground.missed["sync error: nothing was flushed"] += 1
            else:
                ground.faults["postgres sync error"] += 1
        finally:
            if tracer.returncode is None:
                tracer.terminate()
            await tracer.wait()
        await ground.ready("postgres")


async def disk_full(ground: Ground) -> None:
    """The disk of PostgreSQL's data has no room for some seconds."""
    ballast = ground.stack.postgres.data.parent / "ballast"
    with ballast.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(bytes(1 << 16))
        except OSError:
            pass
    await asyncio.sleep(FULL)
    ballast.unlink()
    await ground.ready("postgres")
    ground.faults["postgres disk full"] += 1


def small_disk(folder: Path, mebibytes: int) -> None:
    """A disk of its own for what comes into this folder. Raises Refused where it may not be made."""
    folder.mkdir(parents=True, exist_ok=True)
    made = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={mebibytes}m,mode=0711", "tsunagu", folder],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    if made.returncode:
        raise Refused(f"a small disk cannot be mounted here: {made.stderr.strip()}")


def unmount(folder: Path) -> None:
    subprocess.run(["umount", folder], check=False, capture_output=True)


async def broker_kill(ground: Ground) -> None:
    """Any broker; of three, also the leader of what it leads."""
    broker = ground.random.randint(1, ground.stack.brokers or 1)
    await ground.end(f"kafka-{broker}")
    ground.faults["broker kill"] += 1


async def leader_kill(ground: Ground) -> None:
    """The broker that leads the first partition of a topic, drawn; the others elect another."""
    topic = ground.random.choice(SERVICES)
    shown = await asyncio.to_thread(ground.stack.kafka_admin().list_topics, topic, 20)
    leader = shown.topics[topic].partitions[0].leader
    if leader < 1:
        ground.missed["leader kill: there is no leader"] += 1
        return
    await ground.end(f"kafka-{leader}")
    ground.faults["leader kill"] += 1
