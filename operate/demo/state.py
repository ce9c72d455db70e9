"""An empty state for each run: the demo's own folder is wiped, anybody else's is left alone."""

from __future__ import annotations

import shutil
from pathlib import Path

from operate import control
from operate.install import Refused
from operate.stack import Stack

MARK = "made-by-demo"
"""A file in the state folder: what is in it was made by the demo and may go."""
DATA = ("kafka", "agencies", "copies", "log")


def empty(given: Stack) -> Stack:
    """The stack to run in: the given folder if it is new or the demo's, else `demo` inside it."""
    folder = given.state
    if _holds_data(folder) and not _ours(given):
        folder = folder / "demo"
    stack = Stack(folder, given.base_port, clock="simulated", brokers=1)
    for one in {given.state: given, folder: stack}.values():
        if control.running(one.places):
            raise Refused(
                f"something runs in {one.state}; end it with ./tsunagu down, then try again"
            )
    stack.places.make()
    if _holds_data(folder):
        control.down(stack.places)  # what a killed run has left behind
        _wipe(stack)
    (folder / MARK).touch()
    return stack


def _ours(stack: Stack) -> bool:
    """Made by the demo, and not used by `up` since: that one runs by the system's clock."""
    return (stack.state / MARK).exists() and stack.places.settings.get("clock") == "simulated"


def _holds_data(folder: Path) -> bool:
    return (folder / "kafka").exists() or (folder / "postgres" / "made").exists()


def _wipe(stack: Stack) -> None:
    """Data goes; passwords, keys of the issuer and settings stay."""
    for name in DATA:
        shutil.rmtree(stack.state / name, ignore_errors=True)
    postgres = stack.postgres.folder
    (postgres / "made").unlink(missing_ok=True)
    shutil.rmtree(postgres / "data", ignore_errors=True)
    stack.places.make()
