"""The judge over random histories beside the oracle: a sample of `./tsunagu prove sharing`."""

from dataclasses import replace

import pytest

from operate.prove.life import Tally
from operate.prove.pairs import differ
from operate.prove.run import proven
from operate.prove.teller import history

HISTORIES = 350
SEED = 7


@pytest.fixture(scope="module")
def tally() -> Tally:
    return proven((SEED, 0, HISTORIES))


def test_each_document_is_what_the_rules_say_at_every_look(
    tally: Tally, capsys: pytest.CaptureFixture[str]
) -> None:
    """L1–L5b, L7–L9, L11–L13, L16–L19, L22, and fail closed: each field has a basis live when it is
    disclosed, none is missing, nothing grows while not all is heard or a basis is parked, a rebuild sends
    nothing; a referral carries what its sender may tell the receiver; each named member opens what he
    may; and who may not see the difference between two histories was sent the same (L14).
    """
    with capsys.disabled():
        print(f" {tally.histories} histories, {tally.looks} looks, {tally.pairs} pairs ", end="")
    assert tally.wrong == []


def test_the_sample_reaches_every_kind_of_basis_and_what_is_held_back(tally: Tally) -> None:
    """Else it would prove nothing."""
    assert tally.histories == HISTORIES
    kinds = ("own_record", "consent", "urgent", "ground", "warning", "merged", "referral")
    for kind in (*kinds, "own_record under a programme"):
        assert tally.shown[kind] >= 20, kind
    assert min(tally.withdrawn, tally.waited, tally.refolded, tally.opened) >= 100
    assert tally.held_back >= 500
    assert tally.referable >= 40
    assert min(tally.told["corrected"], tally.told["recorded_in_error"]) >= 20
    assert tally.pairs_that_saw_something >= 40


def test_the_same_seed_gives_the_same_histories() -> None:
    assert proven((SEED, 0, 8)) == proven((SEED, 0, 8))


def test_a_history_in_which_nothing_happens_has_no_twin() -> None:
    tally = Tally()
    of = history(1, 0)
    differ(replace(of, told=of.told[: of.bare]), 0, tally)
    assert (tally.pairs, tally.wrong) == (0, [])
