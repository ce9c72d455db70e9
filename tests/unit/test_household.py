"""A household: told by parts, each relation from both sides, nobody an ancestor of himself."""

from uuid import UUID

from hypothesis import given as for_all
from hypothesis import strategies as st

from services.intake.domain.household import DECIDER, INVERSE, Save
from shared.contracts.intake import (
    HouseholdJoined,
    HouseholdLeft,
    KeyPersonNamed,
    PersonsRelated,
)
from shared.decider import Refused
from tests.unit._given import given

HOME = {"household": UUID(int=1), "told_in": UUID(int=2)}
HANA, KEN, YUI, STRANGER = (UUID(int=n) for n in range(10, 14))
everyone = tuple(HouseholdJoined(**HOME, person=person) for person in (HANA, KEN, YUI))


def related(person: UUID, relation: str | None, to: UUID) -> PersonsRelated:
    return PersonsRelated(**HOME, person=person, to=to, relation=relation)


def test_one_act_tells_as_much_as_is_known() -> None:
    parts = (*everyone, related(HANA, "parent", KEN), KeyPersonNamed(**HOME, person=HANA))
    given(DECIDER).when(Save(parts)).then(*parts)


def test_who_left_is_remembered_and_may_come_back() -> None:
    left = HouseholdLeft(**HOME, person=KEN, reason="moved")
    key = KeyPersonNamed(**HOME, person=KEN)
    assert DECIDER.fold((*everyone, key, left)).key_person is None
    given(DECIDER, *everyone, left).when(Save((left,))).refused("person-not-in-household")
    given(DECIDER, *everyone, left).when(Save((key,))).refused("person-not-in-household")
    given(DECIDER, *everyone, left).when(Save((everyone[1],))).then(everyone[1])
    given(DECIDER, *everyone).when(Save((everyone[1],))).refused("person-in-household")


def test_nobody_is_his_own_relative_and_a_stranger_is_nobodys() -> None:
    at_home = given(DECIDER, *everyone)
    at_home.when(Save((related(HANA, "parent", HANA),))).refused("related-to-oneself")
    at_home.when(Save((related(HANA, "parent", STRANGER),))).refused("person-not-in-household")
    at_home.when(Save((KeyPersonNamed(**HOME, person=STRANGER),))).refused(
        "person-not-in-household"
    )


def test_a_circle_of_parents_is_refused_however_it_is_told() -> None:
    told = (*everyone, related(HANA, "parent", KEN), related(YUI, "child", KEN))
    for circle in (related(YUI, "parent", HANA), related(HANA, "grandchild", YUI)):
        given(DECIDER, *told).when(Save((circle,))).refused("ancestor-of-oneself")
    given(DECIDER, *told).when(Save((related(HANA, None, KEN), circle))).then(
        related(HANA, None, KEN), circle
    )


def test_a_relation_that_was_wrong_is_told_anew() -> None:
    told = (*everyone, related(HANA, "parent", KEN), related(KEN, "parent", HANA))
    given(DECIDER, *told[:-1]).when(Save(told[-1:])).then(*told[-1:])
    assert DECIDER.fold(told).relative(HANA, KEN) == "child"


people = st.sampled_from([HANA, KEN, YUI])
relations = st.builds(related, people, st.sampled_from([*INVERSE, None]), people)


@for_all(st.lists(relations, max_size=12))
def test_each_relation_is_told_from_both_sides_and_no_circle_arises(
    told: list[PersonsRelated],
) -> None:
    state = DECIDER.fold(everyone)
    for one in told:
        try:
            DECIDER.decide(state, Save((one,)))
        except Refused:
            continue
        state = DECIDER.evolve(state, one)
        for person in state.lives_in:
            assert person not in state.descendants(person)
            for other in state.lives_in:
                there, back = state.relative(person, other), state.relative(other, person)
                assert back == (INVERSE[there] if there else None)
