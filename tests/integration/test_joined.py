"""Merged cases, judged as one: facts joined, consents only as confirmed, undone as if it had never been."""

from collections.abc import AsyncIterator, Sequence
from typing import Any
from uuid import UUID, uuid4

import pytest

from operate.stack import Stack
from shared.contracts import Event
from shared.contracts.intake import (
    CaseOpened,
    CasesMerged,
    ConsentConfirmed,
    ConsentRecorded,
    MergeUndone,
    PersonDescribed,
    PersonJoined,
    SituationRecorded,
)
from shared.contracts.views import ItemRef
from tests.integration._service import Running, service_on
from tests.integration.test_views import Town


class Two(Town):
    """A second case, of a person who is Hana too."""

    def __init__(self, views: Running) -> None:
        super().__init__(views)
        self.other, self.twin = uuid4(), uuid4()
        self.merge = CasesMerged(
            merge=uuid4(), merged=self.other, into=self.case, same=((self.twin, self.hana),)
        )

    async def open(self) -> None:
        await super().open()
        await self.views.tell(
            CaseOpened(case=self.other, household=uuid4(), lead="shakyo", route="agency"),
            PersonJoined(case=self.other, person=self.twin, relation="self"),
            self.there(health="腰の痛み"),
            agency="shakyo",
        )
        await self.judged()

    def there(self, **values: str) -> SituationRecorded:
        return SituationRecorded(case=self.other, person=self.twin, **values)

    def given_there(self, holder: str, **terms: Any) -> ConsentRecorded:
        consent = self.consent(holder, **terms)
        return consent.model_copy(update={"case": self.other, "person": self.twin})

    async def tell(self, *events: Event) -> None:
        await self.views.tell(*events)
        await self.judged()

    async def shown(self, agency: str, case: UUID) -> set[str]:
        found = [d for d in await self.documents(agency) if d.case == case]
        return {ref.field for ref in found[-1].items} if found else set()

    async def account(self, *roles: str) -> Any:
        client = self.views.client("city", *roles)
        return await client.get(f"/v1/merges/{self.merge.merge}")


@pytest.fixture
async def two(servers: Stack, templates: None) -> AsyncIterator[Two]:
    async with service_on(servers, "views") as running:
        made = Two(running)
        await made.open()
        yield made


async def test_a_consent_reaches_the_other_case_once_it_is_confirmed_and_no_longer(
    two: Two,
) -> None:
    there = two.given_there(two.care, classes=("health_disability", "money"))
    await two.tell(there, two.fact(money="年金のみ"))
    assert await two.shown(two.care, two.other) == {"health"}
    await two.tell(two.merge)
    assert await two.shown(two.care, two.case) == set()
    await two.tell(ConsentConfirmed(merge=two.merge.merge, consent=there.consent))
    assert await two.shown(two.care, two.case) == {"health", "money"}
    assert (await two.account("privacy_officer")).json()["incident"] is False
    await two.tell(MergeUndone(merge=two.merge.merge, reason="別の方"))
    last = (await two.documents(two.care))[-1]
    assert (last.case, last.items, last.cause) == (two.case, (), "content_ended")
    assert await two.shown(two.care, two.other) == {"health"}
    assert sum(d.case == two.other for d in await two.documents(two.care)) == 1


async def test_what_was_disclosed_through_a_merge_is_an_incident_to_look_at(two: Two) -> None:
    here, there = two.consent(two.care), two.given_there(two.clinic, classes=("money",))
    await two.tell(here, there, two.fact(money="年金のみ"))
    await two.tell(two.merge)
    for consent in (here, there):
        await two.tell(ConsentConfirmed(merge=two.merge.merge, consent=consent.consent))
    await two.tell(MergeUndone(merge=two.merge.merge, reason="別の方"))
    for role in ("supervisor", "matcher", "system"):
        assert (await two.account(role)).status_code == 403
    account = (await two.account("privacy_officer")).json()
    assert (account["undone"], account["incident"]) == (True, True)
    grown = {one["agency"]: one for one in account["grown"]}
    for agency in (two.care, two.clinic):
        one = grown[agency]
        assert (one["case"], one["crossing"], one["shown_now"]) == (str(two.case), 1, False)
    assert "年金" not in str(account)
    client = two.views.client("city", "privacy_officer")
    assert (await client.get(f"/v1/merges/{uuid4()}")).status_code == 404


async def test_a_correction_through_a_merge_is_no_retraction_and_ends_with_it(two: Two) -> None:
    """L17: the newest shows, in whichever of the two it was told; the merged one's own document never
    tells what was told in the other. Undone, each shows its own, and what came through is given back.
    """

    def lives(case: UUID, person: UUID, address: str) -> PersonDescribed:
        return PersonDescribed(case=case, person=person, address=address)

    there = two.given_there(two.care, classes=("contact",))
    here = two.consent(two.care, classes=("contact",))
    await two.tell(here, there, lives(two.other, two.twin, "西町1"))
    confirmed = [ConsentConfirmed(merge=two.merge.merge, consent=c.consent) for c in (here, there)]
    await two.tell(two.merge, *confirmed)
    told = []
    for step in (
        lives(two.case, two.hana, "東町2"),
        lives(two.other, two.twin, "西町3"),
        MergeUndone(merge=two.merge.merge, reason="別の方"),
    ):
        await two.tell(step)
        last = [d for d in await two.documents(two.care) if d.case == two.case][-1]
        told.append((addresses(last.items), addresses(last.withdrawn)))
    assert told == [(1, 0), (1, 0), (1, 1)]
    own = [d for d in await two.documents(two.care) if d.case == two.other]
    assert [(addresses(d.items), d.withdrawn) for d in own] == [(1, ())] * 2


async def test_a_persons_list_names_what_was_told_of_him_in_any_of_merged_cases(two: Two) -> None:
    """L21: he asks by either of his ids, and is told of both, as long as they are his."""
    there = two.given_there(two.care, classes=("health_disability", "money"))
    await two.tell(there, two.fact(money="年金のみ"), two.merge)
    await two.tell(ConsentConfirmed(merge=two.merge.merge, consent=there.consent))

    async def told(person: UUID) -> set[tuple[str, str]]:
        async with two.views.client("city", "privacy_officer") as officer:
            answer = await officer.get(f"/v1/persons/{person}/disclosures")
        lines = answer.json() if answer.status_code == 200 else []
        return {(one["receiver"], one["field"]) for one in lines if one["receiver"] == two.care}

    both = {(two.care, "health"), (two.care, "money")}
    assert await told(two.hana) == await told(two.twin) == both
    await two.tell(MergeUndone(merge=two.merge.merge, reason="別の方"))
    assert (await told(two.hana), await told(two.twin)) == ({(two.care, "money")}, set())


def addresses(refs: Sequence[ItemRef]) -> int:
    return sum(ref.field == "address" for ref in refs)


async def test_a_document_does_not_grow_by_a_merge_that_may_be_undone(two: Two) -> None:
    """An event of the merge is parked: whatever it says, nothing new flows until it is known."""
    await two.tell(two.consent(two.care), two.merge)
    undone = MergeUndone(merge=two.merge.merge, reason="別の方")
    two.hear()
    await two.views.apply([await two.views.record(undone, skip=1)])
    await two.views.tell(two.fact(health="腰の痛み"))
    assert len(await two.documents(two.care)) == 1
