"""Replays a synthetic year to a subscriber's test port and says in sentences what it did wrong."""

import base64
import shlex
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx

from agency.sealed import Record
from agency.year import Step, Year

CUTS = (0.005, 0.02, 0.06)
"""Seconds into a batch after which the subscriber is cut off."""
PATIENCE = 30.0
MEMBERS = {
    "/records": {"taken"},
    "/copy": {"next", "up_to_date_at", "documents", "refused", "to_confirm"},
}


class Unreachable(Exception):
    """There is no test port at the address, or it ended."""


class Trial:
    """`command` starts the subscriber: then it is killed in mid-batch; without, only hung up on."""

    def __init__(self, year: Year, endpoint: str, command: str = "") -> None:
        self._year, self._endpoint, self._command = year, endpoint, shlex.split(command)
        self._keys: list[dict[str, Any]] = []
        self._process: subprocess.Popen[bytes] | None = None
        self._cuts = 0

    def run(self) -> list[str]:
        """What was wrong, each sentence once and in the order of the year. Raises Unreachable at the start;
        a subscriber that falls later has failed the step at which it fell.
        """
        wrong: list[str] = []
        with (
            httpx.Client(base_url=self._endpoint, timeout=PATIENCE) as self._client,
            self._started(),
        ):
            if self._copy()["documents"]:
                raise Unreachable("the copy is not empty; a run begins with a new one")
            for step in self._year.steps:
                try:
                    found = [f"{step.wrong} ({detail})" for detail in self._faults(step)][:1]
                except Unreachable as error:
                    return [*wrong, f"{step.wrong} ({error}; here the run ends)"]
                known = any(one.startswith(step.wrong) for one in wrong)
                if not known and not (step.drawn and wrong):
                    wrong += found
            before = self._copy()
            self._restart()
            if self._copy() != before:
                wrong.append("After a restart the copy was another than before it.")
        return wrong

    def _faults(self, step: Step) -> Iterator[str]:
        if step.keys is not None:
            self._keys = [dict(key.as_dict(private=True)) for key in step.keys]
            self._call("PUT", "/keys", {"keys": self._keys})
        records = list(step.records)
        if step.cut:
            reached = self._cut(records)
            records = [record for record in records if record.offset >= reached]
        taken = self._call("POST", "/records", _batch(records))["taken"] if records else []
        if step.taken is not None and sorted(taken) != sorted(step.taken):
            yield f"it says that it took over {len(taken)} records"
        copy = self._copy()
        held = {one["handle"]: one for one in copy["documents"]}
        for handle, due in step.holds.items():
            one = held.get(handle)
            has = (one["document"], one["edition"], one["digest"]) if one else None
            if has != due:
                yield f"case {handle[:8]}: {_said(has)} where {_said(due)} was due"
        if step.refused and step.refused not in copy["refused"]:
            yield f"case {step.refused[:8]} is not among `refused`"
        if step.healed and step.healed in copy["refused"]:
            yield f"case {step.healed[:8]} is still among `refused`"
        if step.to_confirm and step.to_confirm not in copy["to_confirm"]:
            yield f"case {step.to_confirm[:8]} is not among `to_confirm`"
        if step.up_to_date_at and copy["up_to_date_at"] != step.up_to_date_at:
            yield f"`up_to_date_at` is {copy['up_to_date_at']}"

    def _cut(self, records: list[Record]) -> int:
        """The place that the subscriber has kept, after the connection was cut in mid-batch."""
        after, self._cuts = CUTS[self._cuts % len(CUTS)], self._cuts + 1
        try:
            self._client.post(
                "/records", json=_batch(records), timeout=httpx.Timeout(PATIENCE, read=after)
            )
        except httpx.HTTPError:
            pass  # meant
        self._restart()
        return int(self._copy()["next"])

    def _restart(self) -> None:
        if self._command:
            self._kill()
            self._start()
        self._call("PUT", "/keys", {"keys": self._keys})

    @contextmanager
    def _started(self) -> Iterator[None]:
        try:
            if self._command:
                self._start()
            yield
        finally:
            self._kill()

    def _start(self) -> None:
        self._process = subprocess.Popen(self._command)  # noqa: S603 (who runs the trial names it)
        until = time.monotonic() + PATIENCE
        while True:
            try:
                self._client.get("/copy")
                return
            except httpx.TransportError:
                if self._process.poll() is not None or time.monotonic() > until:
                    raise Unreachable(f"no test port came up at {self._endpoint}") from None
                time.sleep(0.05)

    def _kill(self) -> None:
        if self._process:
            self._process.kill()
            self._process.wait()

    def _copy(self) -> Any:
        return self._call("GET", "/copy")

    def _call(self, method: str, path: str, body: Any = None) -> Any:
        try:
            answer = self._client.request(method, path, json=body)
            answer.raise_for_status()
            found = answer.json()
        except (httpx.HTTPError, ValueError) as error:
            raise Unreachable(f"{method} {path}: {type(error).__name__}: {error}") from None
        if missing := MEMBERS.get(path, set()) - set(found):
            raise Unreachable(f"{method} {path} answers without {', '.join(sorted(missing))}")
        return found


def _batch(records: list[Record]) -> dict[str, Any]:
    return {
        "records": [
            {
                "offset": record.offset,
                "key": None if record.key is None else record.key.decode(),
                "value": None if record.value is None else base64.b64encode(record.value).decode(),
                "headers": {name: text.decode() for name, text in record.headers},
            }
            for record in records
        ]
    }


def _said(holds: Any) -> str:
    if holds is None:
        return "nothing"
    version, edition, digest = holds
    return f"{version}.{edition} " + (f"with digest {digest[:8]}" if digest else "ended")
