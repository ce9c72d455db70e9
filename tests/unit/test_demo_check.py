"""The demo's checks find what they are for: losses, doubles, wrong figures, and spare a user's data."""

from collections import Counter
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from operate.demo import state
from operate.demo.check import Findings, Journal, accounted
from operate.demo.content import Difference
from operate.demo.intent import Actor, Intent
from operate.demo.ledger import Done
from operate.demo.mishap import Killing
from operate.demo.plan import Year
from operate.demo.rights import Readings, may_open
from operate.demo.verdict import AgencyVerdict, Verdict
from operate.demo.workdays import TOKYO
from operate.install import Refused
from operate.places import SERVICES
from operate.stack import Stack

AT = datetime(2026, 4, 1, 9, tzinfo=TOKYO)
ACTOR = Actor("window", "window.worker-1", ("intake_worker",))
FINE = Difference(0, 0, 0, 0)


def done(
    kind: str, stream: str = "", version: int = 1, effects: int = 1, *, id_: str = "",
    path: str = "", body: dict[str, Any] | None = None, **places: str,
) -> Done:  # fmt: skip
    intent = Intent(kind, AT, kind, "intake", "POST", path, {}, ACTOR, "", effects=effects)
    return Done(intent, body or {}, places, AT, id_, stream, version)


def journal(**versions: int) -> Journal:
    made = Journal()
    for stream, newest in versions.items():
        for version in range(1, newest + 1):
            made.ids[f"{stream}/1", version] = f"{stream}-{version}"
            made.asked[f"{stream}/1"] += 1
    return made


def test_every_acknowledged_event_is_in_the_journal() -> None:
    acknowledged = [done("case", "case/1", 3, 3), done("screening", "case/1", 4)]
    assert accounted(journal(case=4), acknowledged) == (Counter(), Counter())
    assert accounted(journal(case=3), acknowledged)[0].total() == 1
    assert accounted(journal(), acknowledged)[0].total() == 4


def test_an_intent_carried_out_twice_is_found() -> None:
    acknowledged = [done("case", "case/1", 3, 3)]
    assert accounted(journal(case=4), acknowledged)[1] == Counter({"case/1": 1})
    other = journal(case=3)
    other.ids["case/2", 1], other.asked["case/2"] = "other", 1
    assert accounted(other, acknowledged)[1] == Counter({"case/2": 1})


def verdict() -> Verdict:
    year = Year(1, 2, (), sittings=4, completed=10, survey=(1000, 440))
    indicators = [
        {"id": "I", "value": 4, "base": 12},
        {"id": "II", "value": 44.0, "base": 42.5},
        {"id": "III", "value": 1656, "base": 1646},
    ]
    findings = Findings(0, 0, 0, 0, dict.fromkeys(SERVICES, 0), ())
    agency = AgencyVerdict("window", "窓口", 2, 0, FINE)
    figures = {"cases_opened": 2}
    return Verdict(year, findings, (agency,), indicators, figures, Readings(0, 0, ()), {})


def test_a_right_year_has_nothing_wrong() -> None:
    assert verdict().wrong == []
    assert (verdict().lost, verdict().duplicated, verdict().parked) == (0, 0, 0)


@pytest.mark.parametrize(
    "changed",
    [
        {"agencies": (AgencyVerdict("a", "a", 1, 1, FINE),)},
        {"agencies": (AgencyVerdict("a", "a", 1, 0, Difference(1, 0, 0, 1)),)},
        {"findings": Findings(0, 0, 1, 0, {}, ())},
        {"findings": Findings(1, 0, 0, 0, {}, ("lost",))},
        {"indicators": [{**one, "value": 0} for one in verdict().indicators]},
        {"figures": {"cases_opened": 3}},
        {"readings": Readings(1, 1, ("somebody may open too much",))},
    ],
)
def test_anything_wrong_is_said(changed: dict[str, Any]) -> None:
    assert replace(verdict(), **changed).wrong


def test_missing_items_count_as_lost_and_more_of_the_same_as_duplicated() -> None:
    found = replace(verdict(), agencies=(AgencyVerdict("a", "a", 1, 0, Difference(2, 0, 3, 1)),))
    assert (found.lost, found.duplicated) == (2, 3)
    assert not found.agencies[0].in_sync


def test_only_pledged_members_who_are_called_or_of_the_office_open_what_is_before_a_live_matter() -> (
    None
):
    pool = "/v1/bodies/shien-106-6/members/"
    told = [
        done("member", path=f"{pool}clinic.member", body={"agency": "clinic"}),
        done("member", path=f"{pool}council.member", body={"agency": "council"}),
        done("pledge", path=f"{pool}council.member/pledge"),
        done("member", path=f"{pool}office.member", body={"agency": "office", "secretariat": True}),
        done("pledge", path=f"{pool}office.member/pledge"),
        done("matter", id_="m", body={"case": "case", "body": "shien-106-6"}),
        done("matter-members", body={"members": ["clinic.member", "council.member"]}, matter="m"),
    ]
    found = {actor.agency: cases for actor, cases in may_open(told).items()}
    assert found == {"clinic": set(), "council": {"case"}, "office": {"case"}}
    ended = may_open([*told, done("matter-ending", matter="m")])
    assert not any(ended.values())


def test_the_victim_and_the_moment_come_from_the_seed() -> None:
    assert Killing.chosen("random", 7, 300) == Killing.chosen("random", 7, 300)
    assert 100 <= Killing.chosen("random", 7, 300).after <= 200
    assert Killing.chosen("none", 7, 300).service is None
    assert Killing.chosen("views", 7, 300).service == "views"
    with pytest.raises(Refused):
        Killing.chosen("kafka-1", 7, 300)


def stack(folder: Path, clock: str) -> Stack:
    made = Stack(folder, 9500, clock=clock)
    made.places.make()
    made.remember()
    (folder / "kafka").mkdir(exist_ok=True)
    (folder / "kafka" / "records").touch()
    return made


def test_a_new_folder_and_the_demos_own_are_used_and_emptied(tmp_path: Path) -> None:
    folder = tmp_path / "state"
    first = state.empty(Stack(folder, 9500))
    assert first.state == folder
    stack(folder, "simulated")
    again = state.empty(Stack(folder, 9500))
    assert again.state == folder
    assert not (folder / "kafka").exists()


@pytest.mark.parametrize("clock", ["system", "simulated"])
def test_what_somebody_else_has_written_is_left_alone(tmp_path: Path, clock: str) -> None:
    folder = tmp_path / "state"
    given = stack(folder, clock)
    if clock == "system":
        (folder / state.MARK).touch()  # the demo's once, in use since
    assert state.empty(given).state == folder / "demo"
    assert (folder / "kafka" / "records").exists()
