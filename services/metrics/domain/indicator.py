"""The three indicators of the plan, and how running figures are counted, from indicators.toml."""

from functools import cache
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from shared.contracts import lists

Number = int | float


class Counting(BaseModel):
    """`opening_balance` is where a cumulative figure starts."""

    opening_balance: int = 0


class Indicator(BaseModel):
    """`confirmed` False: the counting rule is a default that the city has not agreed to yet."""

    model_config = ConfigDict(frozen=True)
    id: str
    code: str
    name: str = Field(alias="name_ja")
    definition: str = Field(alias="definition_ja")
    unit: str
    base: Number = Field(alias="base_value")
    target: Number = Field(alias="target_value")
    target_fiscal_year: int
    confirmed: bool
    counting: Counting


class Running(BaseModel):
    """How a running figure is counted; `confirmed` as for an indicator."""

    model_config = ConfigDict(frozen=True, populate_by_name=True)
    id: str
    name: str = Field(validation_alias="name_ja")
    definition: str = Field(validation_alias="definition_ja")
    confirmed: bool


@cache
def _configuration() -> dict[str, Any]:
    return lists.read("indicators.toml", "services.metrics")


@cache
def indicators() -> dict[str, Indicator]:
    rows = _configuration()["indicator"]
    return {row["id"]: Indicator.model_validate(row) for row in rows}


@cache
def running() -> tuple[Running, ...]:
    return tuple(Running.model_validate(row) for row in _configuration()["running"])
