"""What an agency was given: where the broker is, a login, its topic, and its private key."""

import json
import ssl
from pathlib import Path
from typing import Any

from joserfc.jwk import KeySet, OKPKey
from pydantic import BaseModel, ConfigDict, Field


class Credentials(BaseModel):
    """The output of `tsunagu agency credentials CODE --json`; members we do not know are left alone.

    `private_key_file` holds one private JWK, or a JWK set while a key is being replaced.
    """

    model_config = ConfigDict(frozen=True)
    bootstrap: str
    mechanism: str = "SCRAM-SHA-512"
    security_protocol: str = "SASL_PLAINTEXT"
    ca_file: str | None = None
    username: str
    password: str = Field(repr=False)
    topic: str
    group_prefix: str
    private_key_file: str

    @classmethod
    def load(cls, path: Path) -> "Credentials":
        """A relative `private_key_file` is looked for beside the file. Raises OSError, ValueError."""
        found = cls.model_validate_json(path.read_bytes())
        beside = str(path.parent / found.private_key_file)
        return found.model_copy(update={"private_key_file": beside})

    def keys(self) -> KeySet:
        """Raises OSError, ValueError."""
        found = json.loads(Path(self.private_key_file).read_text("utf-8"))
        listed = found.get("keys", [found])
        return KeySet([OKPKey.import_key(key) for key in listed])

    def login(self) -> dict[str, Any]:
        """Settings of an aiokafka client."""
        secured = self.security_protocol.endswith("SSL")
        return {
            "bootstrap_servers": self.bootstrap,
            "security_protocol": self.security_protocol,
            "sasl_mechanism": self.mechanism,
            "sasl_plain_username": self.username,
            "sasl_plain_password": self.password,
            "ssl_context": ssl.create_default_context(cafile=self.ca_file) if secured else None,
        }
