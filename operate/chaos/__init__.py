"""Faults on purpose, and a checker that says what came of them: `./tsunagu chaos`."""

from operate.chaos.command import app

__all__ = ["app"]
