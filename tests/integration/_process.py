"""Other processes of a test: forked from one that has imported what they need."""

import asyncio
import atexit
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from operate.forkserver import Forked, ForkServer
from operate.install import ROOT
from operate.supervise import IMPORTED

MODULES = (*IMPORTED, "operate.cli", "operate.repair", "tests.integration._kit")
Process = Forked | asyncio.subprocess.Process

_forks: list[ForkServer] = []


async def started(*words: str, out: int = 1, err: int = 2, **more: str) -> Process:
    """`python -m words…` with more environment, forked where this system can."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), **more}
    try:
        if not _forks:
            made = ForkServer(MODULES)
            atexit.register(made.close)
            _forks.append(made)
        return await _forks[0].start(words, environment, out, err)
    except OSError:
        return await asyncio.create_subprocess_exec(
            sys.executable, "-m", *words, env=environment, stdout=out, stderr=err
        )


@asynccontextmanager
async def running(*words: str, **more: str) -> AsyncIterator[Process]:
    """The same, ended at the end."""
    process = await started(*words, **more)
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
