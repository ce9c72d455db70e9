"""The test port: three calls over HTTP by which a certification run feeds a subscriber and looks at it."""

import base64
import json
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any, Protocol

from joserfc.jwk import KeySet, OKPKey

from agency.copy import Copy
from agency.document import digest
from agency.sealed import Record
from agency.taking import take

TOPIC = "rehearsal"


class Candidate(Protocol):
    """A subscriber behind its port; the documentation of the calls is in docs/how-to/subscribe.md."""

    def renew(self, keys: KeySet) -> None:
        """From now on these private keys, and no others."""

    def take(self, records: list[Record]) -> list[str]:
        """Handles whose content was taken over; what is answered is kept, place and content alike."""

    def shown(self) -> dict[str, Any]: ...


class Kit:
    """The kit's own subscriber, as it is behind the broker."""

    def __init__(self, copy: Copy) -> None:
        self._copy, self._keys = copy, KeySet([])

    def renew(self, keys: KeySet) -> None:
        self._keys = keys

    def take(self, records: list[Record]) -> list[str]:
        taken = take(self._copy, records, self._keys, TOPIC, owe=True)
        return [change.handle for change in taken]

    def shown(self) -> dict[str, Any]:
        place = self._copy.position(TOPIC)
        return {
            "next": place.next if place else 0,
            "up_to_date_at": place.up_to_date_at if place else None,
            "documents": [
                {
                    "handle": held.handle,
                    "document": held.document,
                    "edition": held.edition,
                    "digest": digest(held.body) if held.body else None,
                }
                for held in self._copy.documents()
            ],
            "refused": [refusal.handle for refusal in self._copy.refused(TOPIC)],
            "to_confirm": [handle for handle, _, ended in self._copy.owed(100_000) if ended],
        }


def serve(candidate: Candidate, port: int = 0) -> HTTPServer:
    """On this machine only; `serve_forever` is the caller's. Port 0 is any that is free."""

    class Port(BaseHTTPRequestHandler):
        def do_PUT(self) -> None:  # /keys
            listed = self._body()["keys"]
            candidate.renew(KeySet([OKPKey.import_key(key) for key in listed]))
            self._answer({})

        def do_POST(self) -> None:  # /records
            records = [_record(one) for one in self._body()["records"]]
            self._answer({"taken": candidate.take(records)})

        def do_GET(self) -> None:  # /copy
            self._answer(candidate.shown())

        def _body(self) -> Any:
            return json.loads(self.rfile.read(int(self.headers["content-length"])))

        def _answer(self, body: dict[str, Any]) -> None:
            text = json.dumps(body).encode()
            self.send_response(200)
            self.send_header("content-length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        def log_message(self, *_: Any) -> None:
            pass

    class Server(HTTPServer):
        def handle_error(self, request: Any, client_address: Any) -> None:
            """A run hangs up in mid-batch on purpose; whoever calls sees the connection end."""

    return Server(("127.0.0.1", port), Port)


def _record(given: dict[str, Any]) -> Record:
    key, value, headers = given["key"], given["value"], given["headers"]
    return Record(
        given["offset"],
        None if key is None else key.encode(),
        None if value is None else base64.b64decode(value),
        tuple((name, text.encode()) for name, text in headers.items()),
    )
