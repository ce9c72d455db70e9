"""What is forked from the fork server is a process like any other, only there sooner."""

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator, Iterator
from tempfile import TemporaryFile
from typing import Any

import psutil
import pytest

from operate.forkserver import Forked, ForkServer
from operate.install import ROOT
from operate.supervise import IMPORTED

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux hands forks over")

PROBE = """
import json, os, random, sys, time
if sys.argv[1:] == ["wait"]:
    time.sleep(600)
from uuid_utils.compat import uuid7
print(json.dumps({
    "words": sys.argv[1:], "environment": dict(os.environ), "loaded": list(sys.modules),
    "leads": [os.getpgid(0), os.getsid(0)] == 2 * [os.getpid()], "input": sys.stdin.read(),
    "threads": len(os.listdir("/proc/self/task")), "files": len(os.listdir("/proc/self/fd")) - 1,
    "chance": [random.random(), os.urandom(8).hex(), uuid7().hex[-12:]],
}))
sys.exit(3)
"""


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    folder = tmp_path_factory.mktemp("modules")
    (folder / "probe.py").write_text(PROBE)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", f"{folder}:{ROOT}")
        yield


@pytest.fixture(scope="module")
async def forks(path: None) -> AsyncIterator[ForkServer]:
    """With all that services import."""
    made = ForkServer(IMPORTED)
    yield made
    made.close()


async def asked(forks: ForkServer, *words: str, **environment: str) -> dict[str, Any]:
    with TemporaryFile("w+") as out:
        process = await forks.start(["probe", *words], environment, out.fileno(), 2)
        assert await process.wait() == 3
        out.seek(0)
        found: dict[str, Any] = json.loads(out.read())
        return found


async def waiting(forks: ForkServer) -> Forked:
    return await forks.start(["probe", "wait"], {}, 1, 2)


async def test_it_has_its_own_words_environment_session_and_files_and_all_is_imported(
    forks: ForkServer,
) -> None:
    found = await asked(forks, "one", "二", NAME="値")
    assert found["words"] == ["one", "二"]
    assert found["environment"] == {"NAME": "値"}
    assert found["leads"]
    assert found["input"] == ""
    assert found["threads"] == 1
    assert found["files"] == 3
    assert set(IMPORTED) <= set(found["loaded"])


async def test_no_two_draw_the_same_random_numbers(forks: ForkServer) -> None:
    one, other = [(await asked(forks))["chance"] for _ in range(2)]
    assert not set(one) & set(other)


async def test_it_is_our_own_child_and_lives_on_without_the_fork_server(path: None) -> None:
    server = ForkServer(())
    one, other = await waiting(server), await waiting(server)
    assert [psutil.Process(made.pid).ppid() for made in (one, other)] == 2 * [os.getpid()]
    one.send_signal(signal.SIGTERM)
    assert await one.wait() == -signal.SIGTERM
    os.kill(server.pid, signal.SIGKILL)
    with pytest.raises(OSError):
        await waiting(server)
    assert other.returncode is None
    other.kill()
    assert await other.wait() == -signal.SIGKILL
    server.close()


async def test_where_something_cannot_be_imported_it_says_so_to_all_who_ask(path: None) -> None:
    server = ForkServer(("nothing.of.the.kind",))
    found = await asyncio.gather(waiting(server), waiting(server), return_exceptions=True)
    assert [isinstance(one, OSError) for one in found] == [True, True]
    server.close()
