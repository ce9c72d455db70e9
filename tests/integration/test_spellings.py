"""Search at size: of thousands of invented people the right one is found, however the name is typed."""

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from uuid import UUID, uuid4

from operate.bench.people import invented
from operate.stack import Stack
from shared import views
from shared.contracts import Envelope, Event, Recorded
from shared.contracts.intake import CaseOpened, PersonDescribed
from tests.integration._service import Running, service_on

SPELLINGS = Path(__file__).with_name("spellings.tsv")
"""Name and kana as recorded, and one way in which somebody typed them."""
OTHERS, TOGETHER, AT = 2000, 100, datetime(2026, 4, 1, tzinfo=UTC)


async def test_the_right_one_is_found_by_each_of_500_spellings(
    servers: Stack, templates: None
) -> None:
    lines = [line.split("\t") for line in SPELLINGS.read_text("utf-8").splitlines()[1:]]
    assert len(lines) == 500
    people = {(name, kana): uuid4() for _, name, kana, _ in lines}
    described = [
        PersonDescribed(case=case, person=case, name=name, kana=kana)
        for (name, kana), case in people.items()
    ]
    random = Random(1)
    described += [invented(random).described(id, id) for id in (uuid4() for _ in range(OTHERS))]
    async with service_on(servers, "intake") as running:
        await folded(running, described)
        client = running.client("city", "intake_worker")

        async def found(typed: str) -> list[str]:
            query = {"q": typed, "limit": "500"}
            answer = await client.get("/v1/cases", params=query)
            return [line["id"] for line in answer.raise_for_status().json()["items"]]

        missed = [
            (kind, typed)
            for kind, name, kana, typed in lines
            if str(people[name, kana]) not in await found(typed)
        ]
    assert missed == []


async def folded(running: Running, described: Sequence[PersonDescribed]) -> None:
    """One household each, as the follower would apply them."""
    for n in range(0, len(described), TOGETHER):
        told: list[Recorded] = []
        for person in described[n : n + TOGETHER]:
            opened = CaseOpened(case=person.case, household=uuid4(), lead="city", route="agency")
            told += [as_told(opened, person.case, 1), as_told(person, person.case, 2)]
        async with running.rt.pool.acquire() as db, db.transaction():
            await views.enter(db)
            await running.rt.applier.view.project(db, told)


def as_told(event: Event, case: UUID, version: int) -> Recorded:
    id, stream = uuid4(), f"case/{case}"
    envelope = Envelope(id, stream, version, str(case), event.TYPE, AT, AT, "tanaka", "city", id)
    return Recorded(event, envelope, {})
