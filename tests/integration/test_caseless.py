"""The end of what had no case: of a closed notice and a removed watch nothing opens again, all else stays."""

from collections.abc import AsyncIterator
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import pytest
import pytest_asyncio

from operate.stack import Stack
from services.intake import disposal, readings
from services.metrics.timeline import fold
from shared.calendar import TOKYO, fiscal_year
from shared.contracts.referral import AgencyRegistered
from shared.sealing import Codec
from tests.integration._service import service_on
from tests.integration.test_disposal import Office
from tests.integration.test_notice import WORDS
from tests.integration.test_watch import UNIT


class Desk(Office):
    """Notices and watches of the office; `step`: of the end of one of them."""

    async def post(self, path: str, by: str = "sato", expect: int = 200, **body: Any) -> Any:
        answer = await getattr(self, by).post(path, json=body)
        assert answer.status_code == expect, answer.text
        await self.follow()
        return answer.json()

    async def made(self, path: str, ending: str = "", **body: Any) -> str:
        """The id of one that has ended, if `ending` says how."""
        id = str((await self.post(path, expect=201, **body))["id"])
        if ending:
            reason = "checked" if path == "/v1/notices" else "died"
            await self.post(f"{path}/{id}/{ending}", reason=reason, note="葛󠄀城さん")
        return id

    async def waits(self) -> dict[str, Any]:
        """What is due, two by two to the end."""
        found: dict[str, Any] = {}
        asked: dict[str, Any] = {"limit": 2}
        while True:
            page = (await self.abe.get("/v1/disposals/due", params=asked)).json()
            found |= {one["id"]: one for one in page["items"]}
            if page["next"] is None:
                return found
            asked["after"] = page["next"]


@pytest_asyncio.fixture
async def desk(servers: Stack, templates: None) -> AsyncIterator[Desk]:
    async with service_on(servers, "intake") as running:
        about: dict[str, Any] = {"kind": "window", "controller": "city", "purposes": ()}
        await running.tell(AgencyRegistered(agency="city", name="福祉課", **about))
        yield Desk(running)


async def test_it_goes_by_two_persons_after_its_time_and_nothing_else_with_it(desk: Desk) -> None:
    memo = await desk.made("/v1/notices", "closing", **WORDS | {"kind": "memo"})
    unit = await desk.made("/v1/watches", "removal", **UNIT)
    other = await desk.made("/v1/notices", "closing", **WORDS)
    kept = [await desk.made("/v1/notices", **WORDS), await desk.made("/v1/watches", **UNIT)]
    taken = await desk.made("/v1/notices", **WORDS)
    await desk.post(f"/v1/notices/{taken}/taking")
    ends = {memo: f"/v1/disposals/notice/{memo}", unit: f"/v1/disposals/watch/{unit}"}
    assert await desk.waits() == {}
    for end in ends.values():
        refused = await desk.post(end, expect=409)
        assert refused["reason"] == "retention-has-not-run-out"

    await desk.later()
    due = await desk.waits()
    assert {id: (one["kind"], one["rule"], one["case"]) for id, one in due.items()} == {
        memo: ("notice", "notice-city-2026", None),
        other: ("notice", "notice-city-2026", None),
        unit: ("watch", "watch-city-2026", None),
    }
    assert {one["confirmed"] for one in due.values()} == {False}
    for path in (*kept, taken):
        kind = "watch" if path == kept[1] else "notice"
        refused = await desk.post(f"/v1/disposals/{kind}/{path}", expect=409)
        assert refused["reason"] == "has-not-ended"
    worker, shakyo = (
        desk.running.client("city", "intake_worker"),
        desk.running.client("shakyo", "supervisor"),
    )
    for client, path, status in (
        (worker, ends[memo], 403),
        (shakyo, ends[memo], 404),
        (desk.abe, f"/v1/disposals/watch/{memo}", 404),
        (desk.abe, f"/v1/disposals/record/{memo}", 404),
    ):
        assert (await client.get(path)).status_code == status
        assert (await client.post(f"{path}/approval", json={})).status_code == status

    figures = fold({}, await desk.events(Codec(desk.rt.keyring)))
    assert figures
    before, written = await desk.readable(), [e.wire for e in await desk.events()]
    backup = await desk.rt.keyring._pool.fetch("select id, wrapped from data_key")
    for end in ends.values():
        await desk.post(f"{end}/hold", reason="訴訟")
        assert (await desk.post(end, expect=409))["reason"] == "on-hold"
        await desk.post(f"{end}/hold-lifting")
        await desk.post(end)
        refused = await desk.post(f"{end}/approval", expect=409)
        assert refused["reason"] == "needs-a-second-person"
        await desk.post(f"{end}/approval", by="abe")

    erased = {f"text/{memo}", f"text/{unit}"}
    after = await desk.readable()
    assert {key for key, opens in after.items() if True not in opens} == erased
    assert {key for key, opens in after.items() if opens == {True}} == before.keys() - erased
    assert [e.wire for e in await desk.events()][: len(written)] == written
    assert fold({}, await desk.events()) == figures
    assert set(await desk.waits()) == {other}
    for id, end in ends.items():
        found = (await desk.abe.get(end)).json()
        assert (found["step"], found["proposed_by"], found["approved_by"]) == (
            "disposed", "sato", "abe",
        )  # fmt: skip
        assert (found["keys"], len(found["signature"])) == ([f"text/{id}"], 64)
        assert found["disposed_at"]
        refused = await desk.post(f"{end}/hold", reason="訴訟", expect=409)
        assert refused["reason"] == "disposal-is-disposed"
    notice = (await desk.sato.get(f"/v1/notices/{memo}")).json()
    assert {notice[name] for name in ("kind", "sender", "phone", "about", "text")} == {None}
    shown = (await desk.sato.get(f"/v1/watches/{unit}")).json()
    assert (shown["name"], shown["users"], shown["status_reason"], shown["calls"]) == (
        None, [], None, [],
    )  # fmt: skip

    await desk.rt.keyring._pool.executemany(
        "update data_key set wrapped = $2, destroyed_at = null where id = $1",
        [(row["id"], row["wrapped"]) for row in backup],
    )
    await disposal.carry_out(desk.rt)  # as at every start after a restore
    assert await desk.readable() == after


async def test_who_has_read_what_goes_by_the_year_but_stays_with_a_case_that_is_kept(
    desk: Desk,
) -> None:
    going, kept = await desk.case(uuid4()), await desk.case(uuid4())
    for case in (going, kept):
        assert (await desk.sato.get(f"/v1/cases/{case}")).status_code == 200
    await desk.post(f"/v1/cases/{going}/closing", reason="resolved")
    memo = await desk.made("/v1/notices", "closing", **WORDS | {"kind": "memo"})
    assert (await desk.sato.get(f"/v1/notices/{memo}")).status_code == 200
    this_year = readings.id_of("city", fiscal_year(desk.rt.clock.now()))
    path = f"/v1/disposals/reading/{this_year}"
    assert (await desk.post(path, expect=409))["reason"] == "has-not-ended"
    of_shakyo = readings.id_of("shakyo", fiscal_year(desk.rt.clock.now()))
    await desk.post(f"/v1/disposals/reading/{of_shakyo}", expect=404)

    await desk.later()
    for by, step in (("sato", "disposal"), ("abe", "disposal/approval")):
        await desk.post(f"/v1/cases/{going}/{step}", by=by)
    found = (await desk.waits())[str(this_year)]
    assert (found["kind"], found["rule"], found["case"]) == ("reading", "reading-city-2026", None)
    rows = await read_cases(desk)
    assert rows >= {going, kept, None}
    with pytest.raises(asyncpg.RaiseError):
        await desk.rt.pool.execute("delete from reading")
    await desk.post(path)
    await desk.post(f"{path}/hold", reason="監査")
    assert (await desk.post(f"{path}/approval", by="abe", expect=409))["reason"] == "on-hold"
    await desk.post(f"{path}/hold-lifting")
    assert await read_cases(desk) == rows
    await desk.post(f"{path}/approval", by="abe")
    assert await read_cases(desk) == {kept}
    assert str(this_year) not in await desk.waits()
    evidence = (await desk.abe.get(path)).json()
    assert (evidence["step"], evidence["approved_by"]) == ("disposed", "abe")


async def read_cases(desk: Desk) -> set[UUID | None]:
    """Of the first year, the cases that were read; None: what has no case."""
    rows = await desk.rt.pool.fetch(
        "select distinct case_id from reading where at < $1",
        datetime(fiscal_year(desk.rt.clock.now()) - 5, 4, 1, tzinfo=TOKYO),
    )
    return {row["case_id"] for row in rows}
