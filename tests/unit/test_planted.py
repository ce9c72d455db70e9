"""Planted defects: the list fits the source, and a defect that nobody catches is told."""

import ast
import json
import subprocess
import sys
from pathlib import Path

import pytest

from operate.chaos.planted import hunt
from operate.chaos.planted.defects import Defect, defects
from operate.chaos.planted.tree import copy, planted
from operate.install import ROOT, Refused

EVERY = pytest.mark.parametrize("defect", [pytest.param(d, id=d.name) for d in defects()])
AGENCY = "tests/unit/test_agency_kit.py"


def of(name: str) -> Defect:
    return next(defect for defect in defects() if defect.name == name)


def test_there_are_enough_and_each_has_a_name_of_its_own() -> None:
    names = [defect.name for defect in defects()]
    assert len(names) >= 40
    assert len(set(names)) == len(names)


@EVERY
def test_the_source_is_as_the_defect_says(defect: Defect) -> None:
    assert (ROOT / defect.file).read_text("utf-8").count(defect.before) == 1
    assert defect.before != defect.after


@EVERY
def test_the_tests_that_claim_to_catch_it_are_there(defect: Defect) -> None:
    assert defect.tests
    for test in defect.tests:
        file, _, name = test.partition("::")
        tree = ast.parse((ROOT / file).read_text("utf-8"))
        functions = {
            node.name
            for node in tree.body
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        }
        assert not name or name.partition("[")[0] in functions


def test_what_is_planted_is_code_that_runs(tmp_path: Path) -> None:
    """No defect is caught because a name or a bracket is missing."""
    files = []
    for defect in defects():
        if defect.file.endswith(".py"):
            changed = (ROOT / defect.file).read_text("utf-8").replace(defect.before, defect.after)
            compile(changed, defect.name, "exec")
            file = tmp_path / f"{defect.name}.py"
            file.write_text(changed)
            files.append(str(file))
    ruff = [sys.executable, "-m", "ruff", "check", "--isolated", "--select", "F821"]
    done = subprocess.run([*ruff, *files], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_a_defect_is_in_the_copy_for_a_while_and_never_in_the_source(tmp_path: Path) -> None:
    defect = of("the-newest-arrival-wins")
    sound = (ROOT / defect.file).read_text("utf-8")
    tree = copy(tmp_path / "tree")
    with planted(tree, defect):
        assert (tree / defect.file).read_text("utf-8") != sound
        assert (ROOT / defect.file).read_text("utf-8") == sound
        with pytest.raises(Refused, match="has changed"), planted(tree, defect):
            pass
    assert (tree / defect.file).read_text("utf-8") == sound


def test_what_caught_it_is_told_and_an_escape_fails_the_run(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    test = f"{AGENCY}::test_a_place_keeps_the_last_heartbeat"
    harmless = Defect(
        "harmless",
        "Nothing.",
        "agency/store.py",
        "busy_timeout = 5000",
        "busy_timeout = 5001",
        (test,),
    )
    caught = of("place-without-content")
    monkeypatch.setattr(hunt, "defects", lambda: [harmless, caught])
    assert not hunt.run(as_json=True)
    told = json.loads(capsys.readouterr().out)
    assert (told["planted"], told["caught"]) == (2, 1)
    assert [row["by"] for row in told["defects"]] == [
        None,
        caught.tests[0].replace("tests/unit/", "").replace(".py", ""),
    ]
    assert hunt.run("place-without-content")
    assert capsys.readouterr().out.endswith("planted 1, caught 1\n")


def test_tests_that_fail_on_sound_source_catch_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    broken = Defect(
        "x", "x", "agency/store.py", "busy_timeout = 5000", "", (f"{AGENCY}::no_such_test",)
    )
    monkeypatch.setattr(hunt, "defects", lambda: [broken])
    with pytest.raises(Refused, match="does not pass where nothing is planted"):
        hunt.run()


def test_a_name_that_is_not_there_is_refused() -> None:
    with pytest.raises(Refused, match="no planted defect 'nobody'"):
        hunt.run("nobody")
