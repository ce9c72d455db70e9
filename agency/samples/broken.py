"""A subscriber with the mistakes that are made most; each can be put in alone. Do not copy from here."""

import argparse
import json
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from joserfc import jwe
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from agency.document import digest
from agency.port import serve
from agency.sealed import CHANGED, Record

FAULTS = {
    "no_duplicates": "A record that came twice",
    "last_wins": "An older version replaced",
    "as_text": "Versions are compared as text",
    "waits_for_gaps": "A version behind a gap",
    "no_editions": "The same version with a higher edition",
    "edition_first": "A newer version was not taken over because",
    "merges": "What a newer document no longer holds",
    "ignores_tombstones": "A tombstone did not delete",
    "forgets_versions": "A late record brought back",
    "known_members_only": "A document with members or types",
    "any_type": "A record of an unknown type",
    "any_version": "A document of a later version of its type",
    "falls_at_poison": "A record of an unknown type",
    "stops_at_poison": "A record that does not open held up",
    "poison_is_end": "A record that does not open was taken for an end",
    "silent": "A record that does not open was passed over in silence",
    "any_algorithm": "A record sealed with an algorithm",
    "trusts_the_key": "A document of one case",
    "first_key_only": "With two keys at once",
    "keeps_old_keys": "A key that was given up",
    "place_first": "After a cut in mid-batch content was missing",
    "confirms_nothing": "That content left the document was not noted",
    "drops_early_tombstones": "A tombstone that came before",
    "small_only": "A document of more than 64 KiB",
    "never_heals": "What did not open is still shown",
    "pause_is_news": "A heartbeat of a paused subscription",
}
"""By name, how the sentence begins that a certification says of it."""


class Broken:
    """Without faults it is a correct subscriber in as few lines as it takes; `path` outlives a restart."""

    def __init__(self, *faults: str, path: Path | None = None) -> None:
        unknown = set(faults) - set(FAULTS)
        if unknown:
            raise ValueError(f"no such fault: {', '.join(unknown)}")
        self._faults, self._path = faults, path
        self._keys: list[Any] = []
        self._held: dict[str, tuple[int, int, dict[str, Any] | None]] = {}
        self._refused: dict[str, None] = {}
        self._left: dict[str, None] = {}
        self._next, self._up_to = 0, None
        if path and path.exists():
            self._held, self._refused, self._left, self._next, self._up_to = json.loads(
                path.read_text()
            )

    def renew(self, keys: KeySet) -> None:
        before = self._keys if "keeps_old_keys" in self._faults else []
        self._keys = list(keys.keys) + before
        if "first_key_only" in self._faults:
            self._keys = self._keys[:1]

    def take(self, records: list[Record]) -> list[str]:
        if "place_first" in self._faults:
            self._next = records[-1].offset + 1
            self._keep()
        taken = []
        for record in records:
            try:
                if self._one(record):
                    taken.append((record.key or b"").decode())
            except (JoseError, ValueError, KeyError, TypeError):
                if "falls_at_poison" in self._faults:
                    raise
                self._poison((record.key or b"").decode())
                if "stops_at_poison" in self._faults:
                    break
        self._next = records[-1].offset + 1
        self._keep()
        return taken

    def _keep(self) -> None:
        if self._path:
            kept = self._held, self._refused, self._left, self._next, self._up_to
            new = self._path.with_suffix(".new")
            new.write_text(json.dumps(kept))
            new.replace(self._path)

    def shown(self) -> dict[str, Any]:
        documents = [
            {
                "handle": handle,
                "document": version,
                "edition": edition,
                "digest": body and digest(body),
            }
            for handle, (version, edition, body) in self._held.items()
        ]
        return {
            "next": self._next, "up_to_date_at": self._up_to, "documents": documents,
            "refused": list(self._refused), "to_confirm": list(self._left),
        }  # fmt: skip

    def _poison(self, handle: str) -> None:
        if "silent" not in self._faults:
            self._refused[handle] = None
        if "poison_is_end" in self._faults and handle in self._held:
            self._held[handle] = (*self._held[handle][:2], None)

    def _one(self, record: Record) -> bool:
        handle = (record.key or b"").decode()
        if record.heartbeat:
            beat = json.loads(record.value or b"")
            if not beat.get("paused") or "pause_is_news" in self._faults:
                self._up_to = beat["at"]
            return False
        if not self._known(record.header("ce_type") or ""):
            raise ValueError
        version, edition = (
            int(record.header("ce_version") or ""),
            int(record.header("ce_edition") or ""),
        )
        if record.value is None and "ignores_tombstones" in self._faults:
            return False
        body = None if record.value is None else self._opened(record.value)
        other = body and (body["handle"], body["document"]) != (handle, version)
        if other and "trusts_the_key" not in self._faults:
            raise ValueError
        if not self._newer(handle, version, edition, body):
            return False
        before = self._held.get(handle, (0, 0, None))[2]
        if "merges" in self._faults and body and before:
            had = {item["item"] for item in body["items"]}
            body["items"] += [item for item in before["items"] if item["item"] not in had]
        left = before and body and len(body["items"]) < len(before["items"])
        if left and "confirms_nothing" not in self._faults:
            self._left[handle] = None
        self._held[handle] = version, edition, body
        if body is None and "forgets_versions" in self._faults:
            del self._held[handle]
        if "never_heals" not in self._faults:
            self._refused.pop(handle, None)
        return True

    def _known(self, type: str) -> bool:
        any_version = "any_version" in self._faults and type.startswith(CHANGED.removesuffix("1"))
        return type == CHANGED or any_version or "any_type" in self._faults

    def _newer(self, handle: str, version: int, edition: int, body: Any) -> bool:
        had = self._held.get(handle)
        if had is None:
            return body is not None or "drops_early_tombstones" not in self._faults
        old, new = (had[0], had[1], had[2] is None), (version, edition, body is None)
        for fault, newer in {
            "no_duplicates": new >= old,
            "last_wins": new[:2] != old[:2] or new > old,
            "as_text": (str(new[0]), *new[1:]) > (str(old[0]), *old[1:]),
            "waits_for_gaps": new > old and new[0] <= old[0] + 1,
            "no_editions": (new[0], new[2]) > (old[0], old[2]),
            "edition_first": (new[1], new[0], new[2]) > (old[1], old[0], old[2]),
        }.items():
            if fault in self._faults:
                return newer
        return new > old

    def _opened(self, value: bytes) -> dict[str, Any]:
        encs = ["A256GCM", "A128GCM"] if "any_algorithm" in self._faults else ["A256GCM"]
        registry = jwe.JWERegistry(algorithms=["ECDH-ES", *encs])
        if "small_only" not in self._faults:
            registry.max_ciphertext_length = 1_048_576
        if "place_first" in self._faults:
            time.sleep(0.002)  # as a slow database would
        for key in self._keys:
            with suppress(JoseError, ValueError):
                plain = jwe.decrypt_compact(value, key, registry=registry).plaintext or b""
                body: dict[str, Any] = json.loads(plain)
                if "known_members_only" in self._faults:
                    body.pop("later", None)
                return body
        raise ValueError


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("faults", nargs="*", choices=FAULTS)
    parser.add_argument("--port", type=int, default=9410)
    parser.add_argument("--copy", type=Path)
    given = parser.parse_args()
    serve(Broken(*given.faults, path=given.copy), given.port).serve_forever()
