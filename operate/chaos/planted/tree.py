"""A copy of the source tree, in which one defect at a time is planted."""

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from operate.install import ROOT, Refused

from .defects import Defect


def copy(to: Path) -> Path:
    """The files that belong to the checkout, as they are now; the environment is linked."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    if listed.returncode:
        raise Refused("defects are planted in a copy of a git checkout; clone the repository")
    for name in listed.stdout.split("\0"):
        if name and (ROOT / name).is_file():
            (to / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, to / name, follow_symlinks=False)
    if not (to / ".venv").is_symlink():
        (to / ".venv").symlink_to((ROOT / ".venv").resolve())
    return to


@contextmanager
def planted(tree: Path, defect: Defect) -> Iterator[None]:
    """The defect is in the tree meanwhile. Raises Refused if the source is not as it says."""
    file = tree / defect.file
    sound = file.read_text("utf-8")
    if sound.count(defect.before) != 1:
        raise Refused(f"{defect.file} has changed; write {defect.name} anew for it")
    file.write_text(sound.replace(defect.before, defect.after), "utf-8")
    try:
        yield
    finally:
        file.write_text(sound, "utf-8")
