"""A watch is registered once, suspended and resumed, called if it is a unit, and stays removed."""

from typing import Any
from uuid import UUID

from services.intake.domain.watch import DECIDER
from shared.contracts import Event
from shared.contracts.intake import (
    WatchCalled,
    WatchCorrected,
    WatchMissed,
    WatchMoved,
    WatchRegistered,
    WatchRemoved,
    WatchResumed,
    WatchSuspended,
)
from tests.unit._given import given

IT: dict[str, Any] = {"watch": UUID(int=1)}
unit = WatchRegistered(**IT, agency="city", kind="alarm_unit", name="第12号")
partner = WatchRegistered(**IT, agency="city", kind="partner", name="新聞店")
corrected = WatchCorrected(**IT, name="第13号", reason="番号の誤り")
moved, resumed = WatchMoved(**IT, place="辻町"), WatchResumed(**IT)
suspended, removed = WatchSuspended(**IT, reason="hospital"), WatchRemoved(**IT, reason="died")
called, missed = WatchCalled(**IT, result="well"), WatchMissed(**IT)
EVERYTHING: tuple[Event, ...] = (
    unit, corrected, moved, suspended, resumed, removed, called, missed,
)  # fmt: skip


def only(*history: Event, takes: tuple[Event, ...], otherwise: str) -> None:
    for command in EVERYTHING:
        if command in takes:
            given(DECIDER, *history).when(command).then(command)
        else:
            given(DECIDER, *history).when(command).refused(otherwise)


def test_each_state_takes_what_can_follow_and_nothing_else() -> None:
    only(takes=(unit,), otherwise="watch-is-none")
    in_use = (corrected, moved, suspended, removed, called, missed)
    only(unit, takes=in_use, otherwise="watch-is-in_use")
    away = (corrected, moved, resumed, removed)
    only(unit, suspended, takes=away, otherwise="watch-is-suspended")
    only(unit, suspended, resumed, takes=in_use, otherwise="watch-is-in_use")
    only(unit, removed, takes=(), otherwise="watch-is-removed")


def test_a_business_is_not_called_every_month() -> None:
    for command in (called, missed):
        given(DECIDER, partner).when(command).refused("not-an-alarm-unit")
