"""Planted defects: small changes of the real source, each of which the tests that claim to cover it catch."""

from .hunt import run

__all__ = ["run"]
