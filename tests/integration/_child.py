"""One role of the spine in a process of its own, so that it can be killed or stopped."""

import asyncio
import json
import os
import sys
from pathlib import Path
from uuid import UUID

from services.intake.domain import deadlines
from shared.recover import take_back
from tests.integration._kit import KEY, Place, kit_at, timers_of


async def main(role: str) -> None:
    place = Place(**json.loads(os.environ["SPINE"]))
    async with kit_at(place, Path()) as kit:
        match role:
            case "write":
                await kit.write(UUID(os.environ["CASE"]), "一", "二", command=KEY, digest=b"d")
            case "relay":
                await kit.relay().run()
            case "follow":
                await (await kit.follower(os.environ.get("INSTANCE"))).run()
            case "timers":
                await timers_of(kit).run()
            case "timers_of_intake":
                await timers_of(kit, deadlines.plan, deadlines.fire).run()
            case "take_back":
                await take_back(kit.journal, kit.kafka, kit.topic)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
