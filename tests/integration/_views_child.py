"""One loop of views in a process of its own, on the database of the test, so that it can be killed."""

import asyncio
import sys

from services.views.ways import mailing, webhooks
from shared import host
from shared.settings import Http
from tests.integration._kit import plain_logs


async def main(role: str) -> None:
    plain_logs()
    async with host.runtime(host.load("views"), Http()) as rt:
        rt.recovering, rt.applier.live = False, True
        match role:
            case "mailing":
                await mailing.Mailing(rt).run()
            case "webhooks":
                webhooks.FIRST_PAUSE, webhooks.LONGEST_PAUSE = 0.02, 0.1
                await webhooks.Webhooks(rt).run()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
