"""AsyncAPI 3.0 of everything on the broker, made from the registered events (decision 0009)."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Iterator
from typing import Any

from agency.document import Document
from agency.sealed import CHANGED
from operate.install import ROOT
from operate.places import SERVICES
from operate.topics import declaration
from shared.broker import CONTENT_TYPE, HEARTBEATS
from shared.contracts import EVENTS, Event
from shared.sealing import wire_schema

VIEW = "view.{agency}"
VIEW_HEARTBEAT = "jp.tsunagu.view.heartbeat.v1"
KAFKA = "0.5.0"
"""Version of the Kafka bindings that the document uses."""

CLOUDEVENT: dict[str, tuple[str, dict[str, Any]]] = {
    "ce_specversion": ("CloudEvents version", {"const": "1.0"}),
    "ce_id": ("UUIDv7 of the event", {"format": "uuid"}),
    "ce_source": ("the service that wrote it", {"pattern": "^/[a-z]+$"}),
    "ce_type": ("what happened", {"pattern": r"^jp\.tsunagu\."}),
    "ce_time": ("recorded time", {"format": "date-time"}),
    "ce_dataschema": ("JSON Schema of the value", {}),
    "ce_stream": ("the stream, `<kind>/<id>`: order holds within it", {"pattern": "^[a-z]+/.+$"}),
    "ce_version": ("1, 2, 3 … without gap in the stream", {"pattern": "^[1-9][0-9]*$"}),
    "ce_occurredat": ("valid time: when it happened", {"format": "date-time"}),
    "ce_actor": ("subject of the token of whoever did it, `timer` or `views`", {}),
    "ce_agency": ("agency of the actor", {"pattern": "^[a-z0-9-]+$"}),
    "ce_correlationid": ("one user action and all that followed", {"format": "uuid"}),
    "content-type": ("of the value", {"const": CONTENT_TYPE.decode()}),
}

CLOUDEVENT_OPTIONAL: dict[str, tuple[str, dict[str, Any]]] = {
    "ce_subject": ("the case, where the stream belongs to exactly one", {"format": "uuid"}),
    "ce_basis": ("the basis that it was decided on", {}),
    "ce_causationid": ("the event or the command (UUIDv8) that caused it", {"format": "uuid"}),
    "ce_traceparent": ("W3C trace context", {}),
}

VIEW_RECORD: dict[str, tuple[str, dict[str, Any]]] = {
    **{name: CLOUDEVENT[name] for name in ("ce_specversion", "ce_id", "ce_source", "ce_type")},
    "ce_time": ("when it was sealed", {"format": "date-time"}),
    "ce_version": (
        "the document's version; apply if (version, edition) is higher",
        {"pattern": "^[0-9]+$"},
    ),
    "ce_edition": ("rises when the same version is sealed again", {"pattern": "^[0-9]+$"}),
    "content-type": ("of the value", {}),
}


def asyncapi() -> dict[str, Any]:
    """AsyncAPI 3.0 of everything on the broker, by hand: docs/decisions/0009."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    topics = declaration()["topics"]
    models = sorted(EVENTS.values(), key=lambda model: model.TYPE)
    channels = {name: _events_channel(name, models, topics[name]) for name in SERVICES}
    channels[HEARTBEATS] = _channel(
        HEARTBEATS,
        "Each relay's time and published offsets: freshness and fail-closed disclosure rest on it.",
        ["heartbeat"],
        topics[HEARTBEATS],
    )
    channels["view"] = _channel(
        VIEW,
        "State, not a log: one agency's newest document of each of its cases, sealed to its key.",
        ["view.changed", "view.ended", "view.heartbeat"],
        declaration()["agency"]["topic"],
        server="agencies",
    )
    channels["view"]["parameters"] = {"agency": {"description": "the agency's code, `[a-z0-9-]+`"}}
    schemas = {
        "CloudEvent": _headers(CLOUDEVENT, CLOUDEVENT_OPTIONAL),
        "ViewRecord": _headers(VIEW_RECORD),
        "Heartbeat": HEARTBEAT,
        "ViewHeartbeat": VIEW_HEARTBEAT_VALUE,
    }
    for name, schema in _schemas(models):
        if schemas.setdefault(name, schema) != schema:
            raise ValueError(f"two schemas are called {name}")
    return {
        "asyncapi": "3.0.0",
        "id": "urn:tsunagu",
        "info": {
            "title": "tsunagu",
            "version": project["version"],
            "description": f"{project['description']}. Fields that say something of a person are "
            "sealed; only structural fields are clear.",
            "license": {"name": project["license"]},
            "tags": [
                {"name": name} for name in ("case", "referral", "meeting", "view", "indicator")
            ],
        },
        "defaultContentType": CONTENT_TYPE.decode(),
        "servers": {
            "services": _server(
                "127.0.0.1:8110", "Listener for the services; development address."
            ),
            "agencies": _server("127.0.0.1:8120", "Listener for agencies; development address."),
        },
        "channels": channels,
        "operations": {
            name: {
                "action": "send",
                "channel": _ref("channels", name),
                "summary": f"what is written to {channel['address']}",
                "messages": [
                    _ref("channels", name, "messages", one) for one in channel["messages"]
                ],
            }
            for name, channel in channels.items()
        },
        "components": {
            "messages": dict(sorted(_messages(models).items())),
            "schemas": dict(sorted(schemas.items())),
            "securitySchemes": {"scram": {"type": "scramSha512"}},
        },
    }


HEARTBEAT: dict[str, Any] = {
    "type": "object",
    "properties": {
        "service": {"type": "string", "enum": list(SERVICES)},
        "time": {"type": "string", "format": "date-time"},
        "offsets": {
            "type": "object",
            "description": "by partition of the service's topic: the topic's id, and the offset after "
            "the last record that was acknowledged",
            "additionalProperties": {
                "type": "array",
                "items": [{"type": "string"}, {"type": "integer"}],
                "minItems": 2,
                "maxItems": 2,
            },
        },
    },
    "required": ["service", "time", "offsets"],
}

VIEW_HEARTBEAT_VALUE: dict[str, Any] = {
    "type": "object",
    "properties": {"at": {"type": "string", "format": "date-time"}},
    "required": ["at"],
}


def _events_channel(
    name: str, models: Iterable[type[Event]], topic: dict[str, Any]
) -> dict[str, Any]:
    own = [model for model in models if name == model.TOPIC]
    kinds = ", ".join(sorted({f"`{model.STREAM}/`" for model in own}))
    return _channel(
        name, f"Events of {name}, kept for ever. Streams: {kinds}.", [m.TYPE for m in own], topic
    )


def _channel(
    address: str,
    description: str,
    messages: list[str],
    topic: dict[str, Any],
    server: str = "services",
) -> dict[str, Any]:
    policy = [topic["config"]["cleanup.policy"]]
    return {
        "address": address,
        "description": description,
        "servers": [_ref("servers", server)],
        "messages": {name: _ref("components", "messages", name) for name in messages},
        "bindings": {
            "kafka": {
                "partitions": topic["partitions"],
                "topicConfiguration": {"cleanup.policy": policy},
                "bindingVersion": KAFKA,
            }
        },
    }


def _messages(models: Iterable[type[Event]]) -> dict[str, Any]:
    found = {model.TYPE: _event_message(model) for model in models}
    found["heartbeat"] = {
        "summary": "a relay is drained",
        "payload": _ref("components", "schemas", "Heartbeat"),
        "bindings": _key({"type": "string", "enum": list(SERVICES)}),
    }
    handle = {
        "type": "string",
        "format": "uuid",
        "description": "the agency's own handle of the case",
    }
    for name, summary, type_, key, payload in (
        (
            "view.changed",
            "a document; with no items it is a retraction, to be confirmed",
            CHANGED,
            handle,
            {
                "type": "string",
                "contentMediaType": "application/jose",
                "description": "JWE compact (ECDH-ES, A256GCM), padded to steps of 4 KiB; opened it is "
                "a Document",
                "x-opened": _ref("components", "schemas", "Document"),
            },
        ),
        (
            "view.ended",
            "a tombstone: the retraction was confirmed",
            CHANGED,
            handle,
            {"type": "null"},
        ),
        (
            "view.heartbeat",
            "up to date: everything until then was sent before",
            VIEW_HEARTBEAT,
            {"const": "_heartbeat"},
            _ref("components", "schemas", "ViewHeartbeat"),
        ),
    ):
        found[name] = {
            "summary": summary,
            "contentType": "application/jose" if name == "view.changed" else "application/json",
            "headers": _narrowed("ViewRecord", {"ce_type": {"const": type_}}),
            "payload": payload,
            "bindings": _key(key),
        }
    return found


def _of_kind(model: type[Event]) -> str:
    return f"^({model.STREAM}|{model.FORMERLY})/" if model.FORMERLY else f"^{model.STREAM}/"


def _event_message(model: type[Event]) -> dict[str, Any]:
    of_case = "case" in model.model_fields
    narrow: dict[str, Any] = {
        "ce_type": {"const": model.TYPE},
        "ce_source": {"const": f"/{model.TOPIC}"},
        "ce_stream": {"pattern": _of_kind(model)},
    }
    key = {"type": "string", "description": "the case" if of_case else "the stream's own id"}
    return {
        "name": model.TYPE,
        "title": model.__name__,
        "summary": (model.__doc__ or "").strip().split("\n\n")[0].replace("\n", " "),
        "headers": _narrowed("CloudEvent", narrow, ["ce_subject"] if of_case else []),
        "payload": _ref("components", "schemas", model.__name__),
        "bindings": _key({**key, "format": "uuid"} if of_case else key),
    }


def _schemas(models: Iterable[type[Event]]) -> Iterator[tuple[str, dict[str, Any]]]:
    found = {model.__name__: wire_schema(model) for model in models}
    found["Document"] = Document.model_json_schema(by_alias=True)
    for name, schema in found.items():
        moved = _moved(schema)
        yield from moved.pop("$defs", {}).items()
        yield name, moved


def _moved(node: Any) -> Any:
    """The same schema with its definitions among the document's own."""
    if isinstance(node, list):
        return [_moved(part) for part in node]
    if not isinstance(node, dict):
        return node
    return {
        name: part.replace("#/$defs/", "#/components/schemas/") if name == "$ref" else _moved(part)
        for name, part in node.items()
    }


def _headers(
    required: dict[str, tuple[str, dict[str, Any]]],
    optional: dict[str, tuple[str, dict[str, Any]]] | None = None,
) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": {
            name: {"type": "string", "description": words, **more}
            for name, (words, more) in {**required, **(optional or {})}.items()
        },
        "required": sorted(required),
    }


def _narrowed(
    schema: str, properties: dict[str, Any], required: Iterable[str] = ()
) -> dict[str, Any]:
    narrow = {"properties": properties, "required": [*properties, *required]}
    return {"type": "object", "allOf": [_ref("components", "schemas", schema), narrow]}


def _key(schema: dict[str, Any]) -> dict[str, Any]:
    return {"kafka": {"key": schema, "bindingVersion": KAFKA}}


def _server(address: str, description: str) -> dict[str, Any]:
    return {
        "host": address,
        "protocol": "kafka-secure",
        "description": description,
        "security": [_ref("components", "securitySchemes", "scram")],
    }


def _ref(*parts: str) -> dict[str, str]:
    return {"$ref": "/".join(("#", *parts))}
