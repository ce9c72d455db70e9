"""Kill points: places at which a process can be ended as by a power cut. Dead code unless asked for.

TSUNAGU_KILL=relay.sent:3 ends it at the third pass there. TSUNAGU_KILL=@FILE arms a running process
again and again: FILE, once it is there, holds a point and what to do (kill, stop or term); who comes
by removes it, and falls.
"""

import os
import signal
from collections.abc import Callable
from pathlib import Path

SIGNALS = {"kill": signal.SIGKILL, "stop": signal.SIGSTOP, "term": signal.SIGTERM}


def _stand(name: str) -> None:
    return None


def _counted(wanted: str) -> Callable[[str], None]:
    place, _, passes = wanted.partition(":")
    left = int(passes or 1)

    def fall(name: str) -> None:
        nonlocal left
        if name == place:
            left -= 1
            if left == 0:
                os.kill(os.getpid(), signal.SIGKILL)

    return fall


def _armed(path: Path) -> Callable[[str], None]:
    def fall(name: str) -> None:
        try:
            place, _, how = path.read_text().partition(" ")
            if place == name:
                path.unlink()
                os.kill(os.getpid(), SIGNALS[how])
        except FileNotFoundError:
            return

    return fall


def _asked() -> Callable[[str], None]:
    asked = os.environ.get("TSUNAGU_KILL", "")
    return _armed(Path(asked[1:])) if asked[:1] == "@" else _counted(asked) if asked else _stand


_fall: Callable[[str], None] | None = None


def point(name: str) -> None:
    """Each name stands once in the code; `operate.chaos.points` finds them there."""
    global _fall
    if _fall is None:  # at the first pass: a forked process has its environment by then
        _fall = _asked()
    _fall(name)
