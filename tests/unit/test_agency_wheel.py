"""The kit as an agency gets it: one wheel, which runs where nothing is but what it declares, and is typed."""

import shutil
import subprocess
import sys
from importlib.metadata import PathDistribution, distribution
from pathlib import Path
from zipfile import ZipFile

import pytest
from packaging.requirements import Requirement

SOURCE = Path(__file__).parents[2] / "agency"
PIP = [sys.executable, "-m", "pip", "--no-input", "--disable-pip-version-check", "-q"]
FIRST = "import sys; sys.path[:0] = sys.argv[1:]\n"
WHAT_IS_UNTYPED = """
import importlib, inspect, pkgutil, agency
for module in pkgutil.walk_packages(agency.__path__, 'agency.'):
    if module.name in ('agency.__main__', 'agency.postgresql') or 'samples' in module.name:
        continue
    for name, made in vars(importlib.import_module(module.name)).items():
        if name.startswith('_') or getattr(made, '__module__', '') != module.name:
            continue
        members = vars(made).items() if inspect.isclass(made) else [('', made)]
        for member, function in members:
            function = getattr(function, '__func__', getattr(function, 'fget', function))
            if not inspect.isfunction(function) or function.__module__ != module.name:
                continue
            if member.startswith('_') and member != '__init__':
                continue
            signature = inspect.signature(function)
            parts = [p for p in list(signature.parameters.values()) if p.name not in ('self', 'cls')]
            if any(p.annotation is p.empty for p in parts) or signature.return_annotation is signature.empty:
                print(module.name, name, member)
"""


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Where the wheel is installed, and where its dependencies are, and theirs, and nothing else."""
    place = tmp_path_factory.mktemp("alone")
    source, installed, others = place / "agency", place / "installed", place / "others"
    shutil.copytree(SOURCE, source, ignore=shutil.ignore_patterns("__pycache__"))
    wheel = ["wheel", "--no-deps", "--no-index", "--no-build-isolation", "-w", str(place)]
    subprocess.run([*PIP, *wheel, str(source)], check=True)
    (built,) = place.glob("tsunagu_agency-*.whl")
    with ZipFile(built) as files:
        files.extractall(installed)
        names = set(files.namelist())
    assert {f"agency/{p.relative_to(SOURCE).as_posix()}" for p in _parts()} <= names
    others.mkdir()
    (info,) = installed.glob("*.dist-info")
    wanted, seen = list(PathDistribution(info).requires or ()), set[str]()
    while wanted:
        one = Requirement(wanted.pop())
        if one.name in seen or (one.marker and not one.marker.evaluate({"extra": ""})):
            continue
        seen.add(one.name)
        found = distribution(one.name)
        wanted += found.requires or ()
        for top in {path.parts[0] for path in found.files or ()} - {"..", "__pycache__"}:
            (others / top).exists() or (others / top).symlink_to(Path(str(found.locate_file(top))))
    return installed, others


def _parts() -> list[Path]:
    typed = SOURCE / "py.typed"
    return [typed, *SOURCE.rglob("*.py"), *SOURCE.rglob("*.mjs")]


def run(alone: tuple[Path, Path], code: str) -> str:
    command = [sys.executable, "-I", "-S", "-c", FIRST + code, *map(str, alone)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_wheel_runs_its_demo_where_only_its_dependencies_are(alone: tuple[Path, Path]) -> None:
    said = run(alone, "from agency.__main__ import app; app(['demo'], standalone_mode=False)")
    assert "certif" in said
    missing = (
        "import importlib.util as u; print([n for n in ('shared', 'fastapi') if u.find_spec(n)])"
    )
    assert run(alone, missing) == "[]\n"


def test_whoever_builds_on_the_wheel_finds_a_type_for_all_that_is_public(
    alone: tuple[Path, Path],
) -> None:
    assert run(alone, WHAT_IS_UNTYPED) == ""
