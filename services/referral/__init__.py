"""Referral (つなぎ): requests that must be answered, and the directory of agencies."""

from shared.runtime import Service

from .api import router
from .view import view

SERVICE = Service(name="referral", streams=("referral", "agency"), router=router, view=view)
