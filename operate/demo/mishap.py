"""What goes wrong on purpose: a service killed in mid-run, records delivered once more."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

from operate.demo.records import read, send_again
from operate.install import Refused
from operate.places import SERVICES
from operate.stack import Stack


@dataclass
class Killing:
    """SIGKILL for one service, in the middle third of the year, between two answers."""

    service: str | None
    after: int
    seen: int = 0
    killed: int | None = None

    @classmethod
    def chosen(cls, who: str, seed: int, intents: int) -> Killing:
        """`who` is a service, `none` or `random`; which and when come from the seed."""
        random = Random(f"kill/{seed}")
        after = random.randint(intents // 3, 2 * intents // 3)
        if who == "none":
            return cls(None, after)
        drawn = random.choice(SERVICES)
        if who not in ("random", *SERVICES):
            raise Refused(f"--kill takes none, random or one of {', '.join(SERVICES)}")
        return cls(drawn if who == "random" else who, after)

    def due(self) -> bool:
        """Counts one more answer; true once."""
        self.seen += 1
        return self.service is not None and self.seen == self.after

    def strike(self, stack: Stack) -> None:
        assert self.service
        self.killed = stack.pid(self.service)
        stack.kill(self.service)

    async def healed(self, stack: Stack) -> None:
        """Waits until another process does its work; refuses if none does."""
        if self.killed is None or self.service is None:
            return
        for _ in range(600):
            pid = stack.pid(self.service)
            if pid not in (None, self.killed):
                return
            await asyncio.sleep(0.1)
        raise Refused(f"{self.service} was killed and did not come back")


async def redeliver(stack: Stack, topics: Sequence[str], each: int) -> int:
    """The newest records of these topics once more, as a broker may do; how many."""
    return await asyncio.to_thread(_redeliver, stack, topics, each)


def _redeliver(stack: Stack, topics: Sequence[str], each: int) -> int:
    records = list(read(stack, topics, each))
    send_again(stack, records)
    return len(records)
