"""Repair (修復): what was parked, numbered views, lost topics; and proof by refolding the journals."""

from operate.repair.commands import app

__all__ = ["app"]
