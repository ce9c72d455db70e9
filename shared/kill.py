"""Kill points: with TSUNAGU_KILL=relay.sent:3 the third pass there ends the process like a power cut."""

import os
import signal

_name, _, _passes = os.environ.get("TSUNAGU_KILL", "").partition(":")
_left = int(_passes or 1)


def _fall(name: str) -> None:
    global _left
    if name == _name:
        _left -= 1
        if _left == 0:
            os.kill(os.getpid(), signal.SIGKILL)


def _stand(name: str) -> None:
    return None


point = _fall if _name else _stand
"""Each name stands once in the code, and a test of tests/integration kills there."""
