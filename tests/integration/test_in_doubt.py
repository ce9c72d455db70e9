"""In doubt: a stream that waits, a case that cannot be judged, a document that does not open. Nothing more
is shown by what may have ended, what has ended is taken back, and nobody else waits.
"""

from copy import copy
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from structlog.testing import capture_logs

from operate.repair import parked
from services.views import judge as judging
from services.views.delivery import document_of
from services.views.domain.joined import joined
from services.views.made import Made
from shared.contracts import Event
from shared.contracts.intake import CaseOpened, ConsentRecorded, PersonJoined
from shared.contracts.meetings import MemberLeft, MemberNamed
from shared.contracts.referral import AgencyRegistered, DeskRegistered
from shared.contracts.views import DocumentNotTaken
from shared.follow import Record
from tests.integration._kit import running, until
from tests.integration.test_views import (
    KNEE,
    PENSION,
    Subscriber,
    Town,
    deliver,
    subscribers,
    town,
)

__all__ = ["subscribers", "town"]
POOL = "juso-kaigi"
BOTH = ("health_disability", "money")


def named(town: Town, agency: str) -> MemberNamed:
    return MemberNamed(body=POOL, member="sato", agency=agency, secretariat=False)


def registered(agency: str, *purposes: str) -> AgencyRegistered:
    return AgencyRegistered(
        agency=agency, name=agency, kind="x", controller="private", purposes=purposes
    )


def to_group(town: Town) -> ConsentRecorded:
    given = town.consent("nobody", classes=BOTH)
    return given.model_copy(update={"holders": (), "group": POOL})


async def another(town: Town) -> Town:
    """Another household in the same town."""
    other = copy(town)
    other.case, other.hana = uuid4(), uuid4()
    await town.views.tell(
        CaseOpened(case=other.case, household=uuid4(), lead="city", route="family_visit"),
        PersonJoined(case=other.case, person=other.hana, relation="self"),
        other.fact(health=KNEE),
    )
    await town.judged()
    return other


# A stream that waits.


async def waits(town: Town, event: Event) -> None:
    """It comes without the version before it."""
    await town.views.apply([await town.views.record(event, skip=1)])


async def test_while_the_leaving_of_a_member_waits_no_document_grows_whoever_named_the_group(
    town: Town,
) -> None:
    given = to_group(town)
    await town.views.tell(named(town, town.care))
    await town.views.tell(given)
    await town.judged()
    assert await town.fields(town.care) == {"health"}
    other = await another(town)
    await waits(town, MemberLeft(body=POOL, member="sato"))
    town.hear()
    await town.views.tell(town.fact(money=PENSION))
    await town.views.tell(other.consent(town.clinic))
    assert await town.fields(town.care) == {"health"}
    assert await town.fields(town.clinic) == set()  # nor of a case of which nobody named the group
    await town.views.tell(town.withdrawn(given))
    assert await town.fields(town.care) == set()


async def test_what_waits_for_a_repair_is_not_judged_again_and_again_and_is_there_soon_after_it(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = await town.views.record(registered("nobody", "care"))
    await town.views.apply([await town.views.record(registered("nobody", "lending"))])
    town.hear()
    await town.views.tell(town.consent(town.care))
    await town.judge._once()
    with monkeypatch.context() as patch:
        patch.setattr(judging, "verdict", None)  # whoever judges is stuck
        await town.judge._once()
    assert await stuck(town) is None
    monkeypatch.setattr(judging, "PARKED_SECONDS", 0)
    await town.views.apply([first])

    async def there() -> bool:
        town.hear()
        await town.judge._once()
        return await town.fields(town.care) == {"health"}

    await until(there)


async def unreadable(town: Town, key: bytes) -> Record:
    """It tells no stream."""
    record = await town.views.record(registered(f"agency-{key.decode()}"))
    return record._replace(key=key, headers=())


@pytest.mark.parametrize("what", ["fewer purposes of an agency", "nobody knows what"])
async def test_while_what_may_bind_anybody_waits_no_document_grows(town: Town, what: str) -> None:
    given = town.consent(town.care, classes=BOTH)
    await town.views.tell(given)
    await town.judged()
    town.hear()
    if what == "nobody knows what":
        await town.views.apply([await unreadable(town, str(uuid4()).encode())])
        await town.views.tell(town.fact(health="腰の痛み"))
        assert len(await town.documents(town.care)) == 2  # it is of another case
        await town.views.apply([await unreadable(town, b"juso-kaigi")])
    else:
        await waits(town, registered(town.care, "lending"))
    await town.views.tell(town.fact(money=PENSION))
    assert await town.fields(town.care) == {"health"}
    await town.views.tell(town.withdrawn(given))
    assert await town.fields(town.care) == set()


@pytest.mark.parametrize("way", ["by the group", "by its desk"])
async def test_an_agency_that_loses_its_purpose_gives_back_what_it_held_though_no_basis_names_it(
    town: Town, way: str
) -> None:
    desk = f"desk-{town.care}"
    if way == "by the group":
        await town.views.tell(named(town, town.care))
        await town.views.tell(to_group(town))
    else:
        await town.views.tell(DeskRegistered(desk=desk, name="窓口", agency=town.care))
        await town.views.tell(town.consent(desk))
    await town.judged()
    assert await town.fields(town.care) == {"health"}
    await town.views.tell(registered(town.care, "lending"))
    assert await town.fields(town.care) == set()


# A document that is too large.


async def test_what_takes_something_away_and_is_too_large_goes_without_content_and_is_on_record(
    town: Town, subscribers: tuple[Subscriber, Subscriber]
) -> None:
    care, _ = subscribers
    money = town.consent(town.care, classes=("money",))
    await town.views.tell(town.fact(money=PENSION), town.consent(town.care), money)
    await town.judged()
    await deliver(town)
    await town.views.tell(town.fact(health="痛" * 300_000), town.withdrawn(money))
    await town.judged()
    await deliver(town)
    (_, _, before), (document, _, empty) = await care.bodies()
    assert (document, empty["items"], empty["withheld"]) == (2, [], "too-large")
    assert {item["value"] for item in before["items"]} == {KNEE, PENSION}
    told = [(one.document, one.emptied) for one in await town.views.written(DocumentNotTaken)]
    assert told == [(2, True)]
    shown, _ = await document_of(town.rt, town.care, town.case)
    assert [len(item["value"]) for item in shown["items"]] == [300_000]
    assert await town.delivery("refused", town.care) == "too-large"
    await town.rt.pool.execute("update delivery set retry_at = null")  # an hour later
    await deliver(town)
    assert len(await care.bodies()) == 2
    assert len(await town.views.written(DocumentNotTaken)) == 1
    await town.views.apply(await town.views.own())
    await town.views.tell(town.fact(health=KNEE))
    await town.judged()
    await deliver(town)
    assert [version for version, _, _ in await care.read()] == [1, 2, 3]
    assert (await care.read())[-1][-1] == [KNEE]


# A case that cannot be judged, a document that does not open.


@pytest.fixture
async def broken(town: Town, monkeypatch: pytest.MonkeyPatch) -> set[UUID]:
    """Cases that a defect keeps from being joined."""
    cases: set[UUID] = set()

    def defect(case: UUID, *args: Any) -> Any:
        if case in cases:
            raise ValueError(PENSION)
        return joined(case, *args)

    monkeypatch.setattr(judging, "joined", defect)
    return cases


async def stuck(town: Town) -> str | None:
    found: str | None = await town.rt.reads.fetchval(
        "select stuck from cases where id = $1", town.case
    )
    return found


async def test_a_case_that_could_not_be_judged_is_named_and_judged_again_in_its_time(
    town: Town, broken: set[UUID]
) -> None:
    other = await another(town)
    ends = town.rt.clock.now() + timedelta(minutes=15)
    await town.views.tell(town.consent(town.care, until=ends))
    await town.judged()
    broken.add(town.case)
    with capture_logs() as logs:
        await town.views.tell(town.fact(health="腰の痛み"), other.consent(town.clinic))
        await town.judged()
    told = [log["case"] for log in logs if log["event"] == "case.not_judged"]
    assert set(told) == {str(town.case)}
    assert await stuck(town) == "ValueError"
    assert await town.fields(town.clinic) == {"health"}
    await town.move(11 / 24 / 60)
    await town.judged()
    assert await stuck(town) == "ValueError"
    broken.clear()
    await town.move(5 / 24 / 60)
    await town.judged()
    assert await stuck(town) is None
    assert await town.fields(town.care) == set()


async def test_a_case_that_could_not_be_judged_is_judged_again_at_the_next_start(
    town: Town, broken: set[UUID]
) -> None:
    broken.add(town.case)
    await town.views.tell(town.consent(town.care))
    assert await stuck(town) == "ValueError"
    (shown,) = await town.rt.pool.fetch(parked.STUCK)
    assert (shown["stream"], shown["cause"]) == (f"case/{town.case}", "ValueError")
    broken.clear()
    town.hear()

    async def judged() -> bool:
        town.hear()
        return await town.fields(town.care) == {"health"}

    async with running(town.judge):
        await until(judged)


async def test_a_document_that_does_not_open_holds_up_no_other_and_is_held_in_sight(
    town: Town, subscribers: tuple[Subscriber, Subscriber], broken: set[UUID]
) -> None:
    care, clinic = subscribers
    other = await another(town)
    await town.views.tell(town.consent(town.care), other.consent(town.clinic))
    await town.judged()
    path = f"/v1/views/{await town.delivery('handle', town.care)}"
    town.judge.made = Made()  # of a process that has just started
    broken.add(town.case)
    with capture_logs() as logs:
        await deliver(town)
    assert await clinic.read() == [(1, 1, [KNEE])]
    assert not await care.read()
    assert await town.delivery("refused", town.care) == "not-opened"
    assert await town.delivery("handle::text", town.care) in {log.get("handle") for log in logs}
    async with town.views.client(town.care, "agency_worker") as client:
        answer = await client.get(path)
    assert (answer.status_code, answer.json()["type"]) == (503, "urn:tsunagu:problem:parked")
    broken.clear()
    await town.rt.pool.execute("update delivery set retry_at = null, refused = null")
    await deliver(town)
    assert await care.read() == [(1, 1, [KNEE])]
