"""Dated data of a municipality: its own files in place of those that are shipped (要確認)."""

import os
import tomllib
from importlib.resources import files
from pathlib import Path
from typing import Any

FOLDER = "LISTS_FOLDER"
"""Names a folder in the environment of every process; what is not in it is as it is shipped."""


def read(name: str, package: str = "shared.contracts") -> dict[str, Any]:
    """Of `codes.toml`, what the own file has list by list; of any other, the own file whole. Raises
    ValueError that names a file which cannot be read.
    """
    shipped = tomllib.loads(files(package).joinpath(name).read_text("utf-8"))
    own = _own(name)
    return {**shipped, **own} if name == "codes.toml" else own or shipped


def _own(name: str) -> dict[str, Any]:
    path = Path(os.environ.get(FOLDER, "")) / name
    if FOLDER not in os.environ or not path.exists():
        return {}
    try:
        return tomllib.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise ValueError(f"{path}: {error}") from None
