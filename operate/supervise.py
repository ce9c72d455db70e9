"""The process that owns all others of a copy: starts them, starts them again, ends them."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import fcntl
import json
import os
import shutil
import signal
import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from operate import control, processes, reconcile
from operate.forkserver import ForkServer, Process
from operate.install import ROOT, Refused
from operate.places import HTTP, SERVICES, http_port, write_private
from operate.stack import Stack

TRIES = 3  # deaths before the first readiness that are forgiven
SHORTEST, LONGEST = 0.1, 5.0  # seconds before a part is started again
IMPORTED = ("operate.console.app", *(f"services.{name}" for name in SERVICES), "shared.host")


@dataclass
class Part:
    """One process: how it is started, and what became of it."""

    name: str
    command: Callable[[], list[str]]
    environment: Callable[[], dict[str, str]] = dict
    options: dict[str, Any] = field(default_factory=dict)
    more: dict[str, str] = field(default_factory=dict)  # environment of one start
    process: Process | None = None
    task: asyncio.Task[None] | None = None
    state: str = "stopped"
    wanted: bool = False
    deaths: int = 0
    first: asyncio.Future[None] | None = None  # readiness, or why there is none

    def document(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "state": self.state,
            "wanted": self.wanted,
            "pid": self.process.pid if self.process and self.wanted else None,
            "restarts": self.deaths,
        }


def parts(stack: Stack) -> dict[str, Part]:
    """What the stack is made of, in the order of starting."""
    found = []
    if stack.external is None:
        postgres, kafka = stack.postgres, stack.kafka
        drop = {"cwd": "/", **postgres.dropped()}
        found.append(Part("postgres", postgres.command, options=drop))
        for index in range(stack.brokers):
            options = {"cwd": kafka.folder(index)}
            name = f"kafka-{index + 1}"
            found.append(Part(name, kafka.command, kafka.environment, options))
    python = [sys.executable, "-m", "operate"]
    for name in HTTP:
        if name == "console":
            part = Part(name, lambda: [sys.executable, "-m", "operate.console"], stack.console_env)
        else:
            command = [*python, "run", name.partition("-")[0]]
            part = Part(name, partial(list, command), partial(stack.env, name))
        found.append(part)
    return {part.name: part for part in found}


class Supervisor:
    def __init__(self, stack: Stack, services: list[str]) -> None:
        self.stack = stack
        self.services = services
        self.run = stack.places.run
        self.parts = parts(stack)
        self.phase = "starting"
        self.training: asyncio.subprocess.Process | None = None
        self.agencies: asyncio.Task[None] | None = None
        self.forks: ForkServer | None = None

    async def serve(self, until: asyncio.Event) -> None:
        """Brings everything up and keeps it so `until` it shall end."""
        processes.write(self.run, "supervisor", os.getpid())
        left = [name for name in processes.recorded(self.run) if name != "supervisor"]
        await asyncio.to_thread(processes.end, self.run, left)
        path = self.stack.places.sockets / "control"
        path.unlink(missing_ok=True)
        server = await asyncio.start_unix_server(self.answer, path)
        path.chmod(0o600)
        starting = asyncio.create_task(self.bring_up())
        ending = asyncio.create_task(until.wait())
        try:
            await asyncio.wait({starting, ending}, return_when=asyncio.FIRST_COMPLETED)
            if starting.done():
                await starting
                await ending
        finally:
            starting.cancel()
            await asyncio.gather(starting, return_exceptions=True)
            await self.end()
            server.close()
            path.unlink(missing_ok=True)

    async def bring_up(self) -> None:
        """What services import is imported while the servers start."""
        if self.services:
            self.fork_from()
        if self.stack.external is None:
            await together(self.bring_up_postgres(), self.bring_up_kafka())
        else:
            await together(
                asyncio.to_thread(self.stack.provide_databases),
                asyncio.to_thread(self.stack.provide_topics),
            )
        await together(*(self.begin(self.parts[name]) for name in self.services))
        self.phase = "ready"
        tell = partial(print, file=sys.stderr, flush=True)
        self.agencies = asyncio.create_task(reconcile.watch(self.stack, tell))
        await self.train()

    async def bring_up_postgres(self) -> None:
        await asyncio.to_thread(self.stack.postgres.prepare)
        await self.begin(self.parts["postgres"])
        await asyncio.to_thread(self.stack.provide_databases)

    async def bring_up_kafka(self) -> None:
        ports = [port for ports in self.stack.kafka.ports for port in ports.values()]
        processes.check_free(ports)
        await asyncio.to_thread(self.stack.kafka.prepare)
        brokers = [part for name, part in self.parts.items() if name.startswith("kafka")]
        await together(*(self.begin(part) for part in brokers))
        await asyncio.to_thread(self.stack.kafka.wait, 60.0)
        await asyncio.to_thread(self.stack.provide_topics)

    def begin(self, part: Part) -> asyncio.Future[None]:
        """Starts a part; the answer is its first readiness."""
        if part.name in HTTP:
            processes.check_free([http_port(self.stack.base_port, part.name)])
        part.wanted, part.deaths, part.state = True, 0, "starting"
        part.first = asyncio.get_running_loop().create_future()
        part.first.add_done_callback(lambda done: done.cancelled() or done.exception())
        part.task = asyncio.create_task(self.keep(part))
        return part.first

    async def keep(self, part: Part) -> None:
        """Runs a part, again and again, as long as it is wanted."""
        delay = SHORTEST
        while True:
            try:
                process = await self.spawn(part)
                watching = asyncio.create_task(self.watch(part))
                try:
                    await process.wait()
                finally:
                    watching.cancel()
            except OSError as error:
                print(f"{part.name}: {error}", file=sys.stderr, flush=True)
            part.deaths += 1
            worked, part.state = part.state == "ready", "restarting"
            if part.deaths >= TRIES and part.first and not part.first.done():
                log = self.stack.places.log(part.name)
                part.first.set_exception(Refused(f"{part.name} does not start; look into {log}"))
            delay = SHORTEST if worked else min(2 * delay, LONGEST)
            await asyncio.sleep(delay)

    async def spawn(self, part: Part) -> Process:
        environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"}
        environment |= part.environment() | part.more
        with self.stack.places.log(part.name).open("ab") as log:
            part.process = await self.fork(part, environment, log.fileno())
            if part.process is None:
                part.process = await asyncio.create_subprocess_exec(
                    *part.command(), stdin=asyncio.subprocess.DEVNULL, stdout=log, stderr=log,
                    start_new_session=True, env=environment, **part.options,
                )  # fmt: skip
        processes.write(self.run, part.name, part.process.pid)
        return part.process

    async def fork(self, part: Part, environment: dict[str, str], log: int) -> Process | None:
        """A Python part from the fork server; None: it is to be started on its own."""
        python, _, *words = part.command()
        if python == sys.executable and (forks := self.forks or self.fork_from()):
            try:
                return await forks.start(words, environment, log, log)
            except OSError as error:
                print(f"{part.name} is started alone: {error}", file=sys.stderr, flush=True)
                if self.forks is forks:
                    forks.close()
                    self.forks = None
        return None

    def fork_from(self) -> ForkServer | None:
        with contextlib.suppress(OSError), self.stack.places.log("forkserver").open("ab") as log:
            self.forks = ForkServer(IMPORTED, log)
            processes.write(self.run, "forkserver", self.forks.pid)
        return self.forks

    async def watch(self, part: Part) -> None:
        while True:
            if await asyncio.to_thread(control.ready, self.stack, part.name):
                break
            await asyncio.sleep(control.POLL)
        part.state = "ready"
        if part.first and not part.first.done():
            part.first.set_result(None)

    async def train(self) -> None:
        """Makes the broker's AOT cache for the next start, when nothing else has work."""
        if self.stack.external or self.stack.kafka.archive.exists():
            return
        command = [sys.executable, "-m", "operate.training", str(self.run / "training")]
        with self.stack.places.log("training").open("wb") as log:
            self.training = await asyncio.create_subprocess_exec(
                *command, stdin=asyncio.subprocess.DEVNULL, stdout=log, stderr=log,
                start_new_session=True, preexec_fn=partial(os.nice, 19),
            )  # fmt: skip
        processes.write(self.run, "training", self.training.pid)
        await self.training.wait()
        shutil.rmtree(self.run / "training", ignore_errors=True)

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError, ValueError):
            request = json.loads(await reader.readline())
            try:
                answer = await self.obey(request)
            except Refused as refusal:
                answer = {"refused": str(refusal)}
            writer.write(json.dumps(answer).encode() + b"\n")
            await writer.drain()
        writer.close()

    async def obey(self, request: dict[str, Any]) -> dict[str, Any]:
        if request["do"] != "status":
            part = self.parts.get(request["name"])
            if part is None:
                raise Refused(
                    f"there is no part '{request['name']}'; there are {', '.join(self.parts)}"
                )
            if request["do"] == "stop":
                await self.stop(part)
            else:
                await self.start(part, request)
        shown = [part for part in self.parts.values() if part.wanted or part.name not in HTTP]
        return {"phase": self.phase, "parts": [part.document() for part in shown]}

    async def start(self, part: Part, request: dict[str, Any]) -> None:
        if not part.wanted:
            part.more = request["environment"]
            self.begin(part)
        if request["wait"] and part.first:
            try:
                async with asyncio.timeout(control.READY):
                    await asyncio.shield(part.first)
            except TimeoutError:
                log = self.stack.places.log(part.name)
                raise Refused(f"{part.name} is not ready yet; look into {log}") from None

    async def stop(self, part: Part) -> None:
        """Ends a part; it stays away until it is started again."""
        part.wanted = False
        if part.task:
            part.task.cancel()  # first, or it would be started again
            await asyncio.gather(part.task, return_exceptions=True)
        if part.process:
            await finish(part.process, part.name)
            (self.run / f"{part.name}.pid").unlink(missing_ok=True)
        part.state = "stopped"

    async def end(self) -> None:
        """Services first, then the servers they stand on."""
        if self.agencies:
            self.agencies.cancel()
        if self.training:
            await finish(self.training, "training", grace=0.5)
            shutil.rmtree(self.run / "training", ignore_errors=True)
        every = list(self.parts.values())
        await asyncio.gather(*(self.stop(part) for part in every if part.name in HTTP))
        if self.forks:
            self.forks.close()
        await asyncio.gather(*(self.stop(part) for part in every if part.name not in HTTP))


async def finish(process: Process, name: str, grace: float = processes.GRACE) -> None:
    """Asks a child to end, and ends it if it does not."""
    for number in (processes.polite(name), signal.SIGKILL):
        if process.returncode is None:
            processes.send(process.pid, number)
            processes.send(process.pid, signal.SIGCONT)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(grace):
                    await process.wait()


async def together(*works: Awaitable[Any]) -> None:
    """All of these at once; the first that is refused ends the others."""
    tasks = [asyncio.ensure_future(work) for work in works]
    try:
        await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def main() -> int:
    options = argparse.ArgumentParser()
    options.add_argument("--state", type=Path, required=True)
    options.add_argument("--services", default="")
    options.add_argument("--bound", action="store_true")
    given = options.parse_args()
    stack = Stack(given.state).recall()
    lock = os.open(stack.places.run / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return refuse(stack, "another run is starting this copy; try again in a moment")
    until, loop = asyncio.Event(), asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, until.set)
    if given.bound:
        loop.add_reader(sys.stdin, until.set)
    try:
        await Supervisor(stack, [name for name in given.services.split(",") if name]).serve(until)
    except Refused as refusal:
        return refuse(stack, str(refusal))
    finally:
        (stack.places.run / "supervisor.pid").unlink(missing_ok=True)
    return 0


def refuse(stack: Stack, sentence: str) -> int:
    print(sentence, file=sys.stderr)
    write_private(stack.places.run / "refused", sentence)
    return 1


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
