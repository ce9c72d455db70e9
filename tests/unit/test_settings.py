"""What is wrong with the environment is said in one line, with the names of variables and no value."""

import os
import subprocess
import sys
from base64 import b64encode

import pytest

from shared.settings import Database, Http, Keys, Mail, Oidc, Settings, WrongSettings

KEY, SECRET = b64encode(bytes(range(32))).decode(), "Geheim-𠮷-9f8e7d6c"
URL = f"postgresql://intake:{SECRET}@db/intake"
CASES: list[tuple[type[Settings], dict[str, str], str]] = [
    (Keys, {"KEYRING_CODES_KEY": KEY}, "INDEX_KEY is missing"),
    (Database, {"DATABASE_URL": URL}, "KEYRING_DATABASE_URL is missing"),
    (Oidc, {}, "OIDC_ISSUER is missing; OIDC_JWKS is missing"),
    (
        Keys,
        {"KEYRING_MASTER_KEY": KEY[:40], "KEYRING_CODES_KEY": SECRET, "INDEX_KEY": KEY},
        "KEYRING_MASTER_KEY: must be base64 of 32 bytes; "
        "KEYRING_CODES_KEY: must be base64 of 32 bytes",
    ),
    (
        Http,
        {"HTTP_PORT": SECRET},
        "HTTP_PORT: Input should be a valid integer, unable to parse string as an integer",
    ),
    (
        Mail,
        {"MAIL_HOST": "mail", "MAIL_PASSWORD": SECRET},
        "MAIL_HOST needs MAIL_SENDER and MAIL_PAGES",
    ),
    (
        Mail,
        {"MAIL_TLS": SECRET},
        "MAIL_TLS: Input should be 'starttls', 'tls' or 'none'",
    ),
]


@pytest.mark.parametrize(("settings", "given", "said"), CASES)
def test_each_variable_is_named_and_no_value_is_told(
    settings: type[Settings], given: dict[str, str], said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(WrongSettings) as wrong:
        settings()
    assert str(wrong.value) == said


def test_a_service_that_lacks_one_ends_with_one_line() -> None:
    env = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    env |= {"HTTP_PORT": "0", "DATABASE_URL": URL, "KEYRING_DATABASE_URL": URL}
    env |= {"KAFKA_BOOTSTRAP": "kafka:9092", "KEYRING_CODES_KEY": KEY}
    done = subprocess.run(
        [sys.executable, "-m", "operate", "run", "intake"], capture_output=True, text=True, env=env
    )
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "intake does not start: INDEX_KEY is missing.\n"
