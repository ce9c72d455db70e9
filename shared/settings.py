"""Settings from the environment, one small frozen class per concern, read once by the host."""

import base64
import binascii
from contextlib import suppress
from functools import partial
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, ValidationError, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict


class WrongSettings(Exception):
    """Which variables of the environment are missing or wrong: one line, with no value."""


def _key(value: object) -> object:
    if not isinstance(value, str):
        return value
    with suppress(binascii.Error, ValueError):
        if len(found := base64.b64decode(value)) == 32:
            return found
    raise ValueError("must be base64 of 32 bytes")


Key = Annotated[bytes, BeforeValidator(_key)]
_config = partial(SettingsConfigDict, frozen=True, extra="ignore", hide_input_in_errors=True)


class Settings(BaseSettings):
    """Raises WrongSettings."""

    def __init__(self, **given: Any) -> None:
        try:
            super().__init__(**given)
        except ValidationError as error:
            told = error.errors(include_url=False, include_context=False, include_input=False)
            prefix = self.model_config["env_prefix"]
            raise WrongSettings("; ".join(_sentence(prefix, one) for one in told)) from None


def _sentence(prefix: str, error: Any) -> str:
    said = error["msg"].removeprefix("Value error, ")
    if not error["loc"]:
        return str(said)
    name = f"{prefix}{str(error['loc'][0]).removeprefix(prefix)}".upper()
    return f"{name} is missing" if error["type"] == "missing" else f"{name}: {said}"


class Database(Settings):
    model_config = _config()
    database_url: str = Field(repr=False)
    keyring_database_url: str = Field(repr=False)


class Keys(Settings):
    """`master` wraps person and text keys (absent in metrics), `codes` wraps codes keys."""

    model_config = _config()
    keyring_master_key: Key | None = Field(None, repr=False)
    keyring_codes_key: Key = Field(repr=False)
    index_key: Key = Field(repr=False)


class Kafka(Settings):
    model_config = _config(env_prefix="KAFKA_")
    bootstrap: str
    username: str = ""
    password: str = Field("", repr=False)
    mechanism: str = "SCRAM-SHA-512"
    security_protocol: str = "SASL_PLAINTEXT"
    instance: str | None = None
    session_timeout_ms: int = 10_000


class Limits(Settings):
    """When a follower stops for its operator: so many invalid records in a row, without one good
    one between them, or so many records parked in all.
    """

    model_config = _config(env_prefix="FOLLOWER_")
    invalid_in_a_row: int = 1_000
    parked: int = 20_000


class Oidc(Settings):
    model_config = _config(env_prefix="OIDC_")
    issuer: str
    audience: str = "tsunagu"
    jwks: str
    """URL or file path of the issuer's public keys."""


class Mail(Settings):
    """How cover sheets leave; without `host` they are printed only. `fax`: the address form of the
    city's mail-to-fax gateway, as `{number}@fax.example.jp`. `pages`: where views is reached by who
    gets a sheet; `contact`: whom he may ring, as it is to be printed.
    """

    model_config = _config(env_prefix="MAIL_")
    host: str = ""
    port: int = 587
    tls: Literal["starttls", "tls", "none"] = "starttls"
    ca_file: str | None = None
    username: str = ""
    password: str = Field("", repr=False)
    sender: str = ""
    fax: str = ""
    pages: str = ""
    contact: str = ""

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if self.host and not (self.sender and self.pages):
            raise ValueError("MAIL_HOST needs MAIL_SENDER and MAIL_PAGES")
        if self.fax and "{number}" not in self.fax:
            raise ValueError("MAIL_FAX must hold {number}")
        return self


class Http(Settings):
    """`clock` may be `simulated` in development only."""

    model_config = _config()
    http_host: str = "127.0.0.1"
    http_port: int
    development: bool = False
    clock: str = "system"
    log_level: str = "info"
