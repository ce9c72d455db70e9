"""Speed beside its limit, both measured in the same run: `./tsunagu bench`."""

from operate.bench.command import app

__all__ = ["app"]
