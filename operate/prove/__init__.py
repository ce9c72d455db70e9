"""Proof by random histories: the judge beside an oracle that shares no code with it: `./tsunagu prove`."""

from operate.prove.command import app

__all__ = ["app"]
