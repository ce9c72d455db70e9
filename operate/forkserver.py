"""The fork server: imports what many processes need, once, and forks each of them from there.

It has no thread and no event loop, so that a fork of it is whole. It forks twice: the process becomes a
child of who asked for it, is waited for and ended like any other, and outlives the fork server.
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import gc
import importlib
import json
import os
import runpy
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, Protocol

import uuid_utils

LARGEST = 1 << 17  # bytes of one request: words and a whole environment
PATIENCE = 10.0  # seconds that a fork may take
SUBREAPER = 36  # of prctl(2), which Linux alone has


class Process(Protocol):
    """What is asked of a child, however it was started."""

    @property
    def pid(self) -> int: ...

    @property
    def returncode(self) -> int | None: ...

    async def wait(self) -> int: ...


class Forked:
    """A child of this process that nobody else waits for; made on the event loop that waits."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self.returncode: int | None = None
        self._ended = asyncio.Event()
        self._handle = os.pidfd_open(pid)
        asyncio.get_running_loop().add_reader(self._handle, self._reap)

    def _reap(self) -> None:
        asyncio.get_running_loop().remove_reader(self._handle)
        os.close(self._handle)
        self.returncode = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
        self._ended.set()

    def send_signal(self, number: int) -> None:
        if self.returncode is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)

    async def wait(self) -> int:
        await self._ended.wait()
        assert self.returncode is not None
        return self.returncode


class ForkServer:
    """The side that asks, on its event loop. OSError from anything here: start it without me."""

    def __init__(self, modules: Sequence[str], log: IO[bytes] | None = None) -> None:
        if not hasattr(os, "pidfd_open"):
            raise OSError("this system hands no forked processes over")
        os.close(os.pidfd_open(os.getpid()))
        self._line, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._line.settimeout(PATIENCE)
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "operate.forkserver", *modules],
                stdin=theirs.fileno(), stdout=log, stderr=log, start_new_session=True,
                env={**os.environ, "PYTHONUNBUFFERED": "1"},
            )  # fmt: skip
        self.pid = self._process.pid
        self._imported = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(self._line, self._hear)

    def _hear(self) -> None:
        self._loop.remove_reader(self._line)
        self._imported.set()
        self._line.recv(1)

    async def start(
        self, words: Sequence[str], environment: Mapping[str, str], out: int, err: int
    ) -> Forked:
        """`python -m words…` in a session of its own, with this environment and these files."""
        await self._imported.wait()
        request = {"words": [*words], "environment": {**environment}}
        with adopting():
            socket.send_fds(self._line, [json.dumps(request).encode()], [out, err])
            if answer := self._line.recv(LARGEST):
                return Forked(int(answer))
        raise ConnectionResetError("the fork server has ended")

    def close(self) -> None:
        """Nobody can ask it any more, and it ends."""
        if not self._imported.is_set():
            self._loop.remove_reader(self._line)
        self._imported.set()
        self._line.close()
        self._process.kill()
        self._process.wait()


@contextlib.contextmanager
def adopting() -> Iterator[None]:
    """Orphans below us become our children; only for as long as one is made, as we reap no others."""
    prctl = ctypes.CDLL(None, use_errno=True).prctl
    if prctl(SUBREAPER, 1, 0, 0, 0):
        raise OSError(ctypes.get_errno(), "no child can be adopted")
    try:
        yield
    finally:
        prctl(SUBREAPER, 0, 0, 0, 0)


# The side that forks


def serve(line: socket.socket) -> list[str]:
    """Forks whenever it is asked. Returns in the fork only, with the words of its command."""
    line.send(b"i")
    while True:
        request, files, _, _ = socket.recv_fds(line, LARGEST, 2)
        if not request:
            sys.exit()
        told, tells = os.pipe()
        if child := os.fork():
            for file in (tells, *files):
                os.close(file)
            os.waitpid(child, 0)  # from here on its child is that of who asked
            with open(told, "rb") as answer:
                line.send(answer.read())
        elif os.fork():
            os._exit(0)
        else:
            become(**(asked := json.loads(request)), files=files)
            os.write(tells, b"%d" % os.getpid())
            os.close(told)
            os.close(tells)
            return [*asked["words"]]


def become(words: Sequence[str], environment: Mapping[str, str], files: Sequence[int]) -> None:
    """From here on it shares nothing with the fork server but memory. `random`, `logging` and OpenSSL
    see to forks by themselves; the ids of Rust do not.
    """
    os.setsid()
    nothing = os.open(os.devnull, os.O_RDONLY)
    for number, file in enumerate((nothing, *files)):
        os.dup2(file, number)
        os.close(file)
    os.environ.clear()
    os.environ.update(environment)
    uuid_utils.reseed_rng()
    gc.enable()
    with contextlib.suppress(OSError):
        Path("/proc/self/comm").write_text(words[-1])  # what `top` shows


if __name__ == "__main__":
    gc.disable()
    for module in sys.argv[1:]:
        importlib.import_module(module)
    gc.freeze()  # a look for garbage would write on each page, and it would be shared no more
    own = socket.socket(fileno=0)
    module, *sys.argv[1:] = serve(own)
    own.detach()
    runpy.run_module(module, run_name="__main__", alter_sys=True)
