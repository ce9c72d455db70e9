"""Provisioning an agency: its topic, user, rights and key pair; development and tests only.

Libraries of one function are imported there: every command loads this, few need them.
"""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from confluent_kafka.admin import AdminClient

from operate import topics
from operate.install import Refused, locked
from operate.places import Places, write_private

USER = "agency-"


@dataclass(frozen=True)
class Credentials:
    """What an agency's system needs for reading its view."""

    bootstrap: str
    mechanism: str
    username: str
    password: str
    topic: str
    group_prefix: str
    private_key_file: str

    @property
    def code(self) -> str:
        return self.group_prefix.removesuffix(".")

    @property
    def public_key(self) -> dict[str, Any]:
        from joserfc.jwk import OKPKey

        key = OKPKey.import_key(json.loads(Path(self.private_key_file).read_text()))
        return dict(key.as_dict(private=False))

    def document(self) -> dict[str, str]:
        return asdict(self)


def provide(
    admin: AdminClient, places: Places, bootstrap: str, codes: Sequence[str], *, renew: bool = False
) -> dict[str, Credentials]:
    """Makes what is missing for each agency in one go, and returns their credentials by code."""
    found = credentials_of(places, bootstrap, codes)
    topics.apply(admin, wanted(found), renew=renew)
    return found


def credentials_of(places: Places, bootstrap: str, codes: Sequence[str]) -> dict[str, Credentials]:
    """By code; on the broker nothing is changed."""
    for code in codes:
        if not re.fullmatch(r"[a-z0-9-]+", code):
            raise Refused(f"'{code}' is no agency code; use small letters, digits and dashes")
    return {code: credentials(places, bootstrap, code) for code in codes}


def wanted(found: Mapping[str, Credentials]) -> topics.Wanted:
    return topics.for_agencies({code: (one.username, one.password) for code, one in found.items()})


def user(code: str) -> str:
    """Of the broker; an agency may be called as a service is."""
    return USER + code


def provided(places: Places) -> list[str]:
    """Codes that have a password of this copy."""
    return sorted(path.parent.name for path in (places.state / "agencies").glob("*/password"))


def renewed(places: Places, code: str) -> int:
    """Up to which wish for another login the present one is."""
    try:
        return int((places.state / "agencies" / code / "renewed").read_text())
    except FileNotFoundError:
        return 0


def keep_renewed(places: Places, code: str, upto: int) -> None:
    write_private(places.state / "agencies" / code / "renewed", str(upto))


def forget(places: Places, code: str, *names: str) -> None:
    """Password and key pair, or only what is named, were given up: the next call of `credentials` makes
    others.
    """
    for name in names or ("password", "private.jwk"):
        (places.state / "agencies" / code / name).unlink(missing_ok=True)


def credentials(places: Places, bootstrap: str, code: str) -> Credentials:
    """An agency's password and key, made on the first call."""
    from joserfc.jwk import OKPKey

    folder = places.state / "agencies" / code
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    password, private = folder / "password", folder / "private.jwk"
    with locked(folder, "waiting for the agency's key"):
        if not password.exists():
            write_private(password, secrets.token_urlsafe(24))
        if not private.exists():
            key = OKPKey.generate_key("X25519", {"use": "enc"}, auto_kid=True)
            write_private(private, json.dumps(key.as_dict(private=True)))
    return Credentials(
        bootstrap=bootstrap,
        mechanism="SCRAM-SHA-512",
        username=user(code),
        password=password.read_text(),
        topic=f"view.{code}",
        group_prefix=f"{code}.",
        private_key_file=str(private),
    )


def register(credentials: Credentials, views_url: str, token: str) -> None:
    """Gives views the agency's public key: from then on it seals the agency's view."""
    import httpx

    answer = httpx.put(
        f"{views_url}/v1/subscriptions/{credentials.code}",
        json={"public_key": credentials.public_key},
        headers={"authorization": f"Bearer {token}"},
        timeout=30,
    )
    if not answer.is_success:
        raise Refused(f"views did not take the key of {credentials.code}: {answer.text}")
