"""The kill points of the product, found by reading its source, so that none is missed."""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path

from operate.install import ROOT
from operate.places import SERVICES

MODES = ("kill", "stop", "term")
WHERE = {
    "journal": ("intake", "referral", "meetings"),
    "timers": ("intake",),
    "keyring": ("intake",),
    "keyring.read_back": ("views",),
    "stream": ("metrics",),
}
"""Who comes by the points of a module, or by one of them, in an ordinary year; the others: every
service.
"""


@cache
def points() -> dict[str, tuple[str, ...]]:
    """Services that come by each point, by the point's name. Raises ValueError for a name twice."""
    found: dict[str, tuple[str, ...]] = {}
    for path in sorted([*(ROOT / "shared").rglob("*.py"), *(ROOT / "services").rglob("*.py")]):
        for name in _named(path):
            if name in found:
                raise ValueError(f"the kill point {name} stands twice")
            part = path.relative_to(ROOT).parts
            own = (part[1],) if part[0] == "services" else SERVICES
            found[name] = WHERE.get(name) or WHERE.get(name.partition(".")[0], own)
    return found


def _named(path: Path) -> list[str]:
    calls = (node for node in ast.walk(ast.parse(path.read_bytes())) if isinstance(node, ast.Call))
    return [
        str(call.args[0].value)
        for call in calls
        if isinstance(call.func, ast.Name)
        and call.func.id == "point"
        and isinstance(call.args[0], ast.Constant)
    ]
