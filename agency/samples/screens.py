"""Three screens of example code: keep a copy, answer the city, test what you built. `demo` shows them."""

import asyncio
import threading
from collections.abc import Sequence
from datetime import date

from agency.commands import Commands
from agency.copy import Copy
from agency.credentials import Credentials
from agency.port import Candidate, serve
from agency.receipts import Receipts
from agency.sealed import Change
from agency.subscriber import Subscriber
from agency.trial import Trial
from agency.year import Year


async def keep(
    credentials: Credentials, copy: Copy, receipts: Receipts | None = None
) -> asyncio.Task[None]:
    """1. Keep your copy in step. `receipts` tell the city what was placed, and what was deleted."""

    def changed(changes: Sequence[Change]) -> None:
        for change in changes:  # it is in the copy already, and comes here once
            if change.document is None or change.document.ended:
                print(f"{change.handle}: it is over, delete it in your other systems too")
            else:
                print(f"{change.handle}: {len(change.document.items)} items")

    subscriber = Subscriber(credentials, copy, receipts=receipts, on_change=changed)
    running = asyncio.create_task(subscriber.run())  # waits by itself while the broker is away
    await subscriber.caught_up()
    for held in copy.documents():
        for item in held.body["items"] if held.body else ():
            print(f"{held.handle}: {item['field']} was recorded on {item['occurred_at'][:10]}")
    return running


async def answer(commands: Commands, first_contact_on: date) -> None:
    """2. Answer the city. `key` is the act's number with you: sent twice, it is done once."""
    for referral in await commands.inbox():
        match referral["id"], referral["status"]:
            case id, "requested":
                await commands.receive(id, key=f"{id}-receipt")
            case id, "received":
                await commands.accept(id, first_contact_on, key=f"{id}-acceptance")
            case id, "accepted":
                await commands.start(id, first_contact_on, key=f"{id}-start")
            case id, "in_progress":
                await commands.complete(id, "helped", key=f"{id}-completion")


async def read(commands: Commands, copy: Copy, handle: str) -> None:
    """2. A person reads a document here; the city hears of it, with the digest of what was read."""
    if held := copy.document(handle):
        await commands.acknowledge(held, "opened")
        await commands.confirm(handle, held.document)  # what it no longer holds is deleted


def certified(candidate: Candidate, year: Year) -> list[str]:
    """3. Test what you built: a year with all that goes wrong; what is not right comes as sentences."""
    with serve(candidate) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        wrong = Trial(year, f"http://127.0.0.1:{server.server_port}").run()
        server.shutdown()
    return wrong
