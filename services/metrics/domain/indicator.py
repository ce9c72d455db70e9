"""The three indicators of the plan: names, bases and targets, from indicators.toml."""

import tomllib
from functools import cache
from importlib.resources import files

from pydantic import BaseModel, ConfigDict, Field

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


@cache
def indicators() -> dict[str, Indicator]:
    text = files("services.metrics").joinpath("indicators.toml").read_text("utf-8")
    rows = tomllib.loads(text)["indicator"]
    return {row["id"]: Indicator.model_validate(row) for row in rows}
