"""The published documents tell the truth of the records: each golden fits what docs/ says of it."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft7Validator, Draft202012Validator, FormatChecker
from referencing import Registry
from referencing.jsonschema import DRAFT7

from agency.document import Document
from shared.broker import HEARTBEATS, SERVICE_TOPICS
from shared.contracts import EVENTS
from tests.contracts.goldens import Golden, goldens

DOCS = Path(__file__).parents[2] / "docs"
ASYNCAPI: dict[str, Any] = yaml.safe_load((DOCS / "asyncapi.yaml").read_text("utf-8"))
REGISTRY: Registry[Any] = Registry().with_resource("urn:doc", DRAFT7.create_resource(ASYNCAPI))
PRESENT = [pytest.param(one, id=one.name) for one in goldens() if one.type in EVENTS]


def fits(value: object, *place: str) -> None:
    schema = {"$ref": "/".join(("urn:doc#", "components", *place))}
    validator = Draft7Validator(schema, registry=REGISTRY, format_checker=FormatChecker())
    validator.validate(value)


@pytest.mark.parametrize("golden", PRESENT)
def test_asyncapi_describes_the_record(golden: Golden) -> None:
    fits(golden.headers, "messages", golden.type, "headers")
    fits(golden.value, "messages", golden.type, "payload")
    key = ASYNCAPI["components"]["messages"][golden.type]["bindings"]["kafka"]["key"]
    Draft7Validator(key, format_checker=FormatChecker()).validate(golden.key)


@pytest.mark.parametrize("golden", PRESENT)
def test_the_schema_file_describes_the_value(golden: Golden) -> None:
    schema = json.loads((DOCS / "schemas" / f"{golden.type}.json").read_text("utf-8"))
    Draft202012Validator.check_schema(schema)
    validator = Draft202012Validator(schema, format_checker=FormatChecker())
    validator.validate(golden.value)
    assert schema["$id"].endswith(golden.type)


def test_every_topic_and_event_is_described() -> None:
    addresses = {channel["address"]: channel for channel in ASYNCAPI["channels"].values()}
    assert addresses.keys() == {*SERVICE_TOPICS, HEARTBEATS, "view.{agency}"}
    for topic in SERVICE_TOPICS:
        own = {type_ for type_, model in EVENTS.items() if topic == model.TOPIC}
        assert addresses[topic]["messages"].keys() == own


def test_a_document_as_the_kit_reads_it_is_described() -> None:
    """Example 1 of the rules for lawful sharing."""
    text = json.dumps(
        {
            "handle": "018f0000-0000-7000-8000-000000000001",
            "document": 3,
            "cause": "content_changed",
            "at": "2026-05-11T10:30:00+09:00",
            "persons": [{"person": "p", "classes": {"contact": "covered", "money": "not_covered"}}],
            "items": [
                {
                    "item": "i",
                    "type": "case.person_described",
                    "field": "name",
                    "class": "contact",
                    "person": "p",
                    "value": "𠮷田 葛󠄀花",
                    "occurred_at": "2026-05-11T10:15:00+09:00",
                    "recorded_by": "city-fukushi",
                    "bases": [{"kind": "consent", "id": "b"}],
                }
            ],
        }
    )
    Document.model_validate_json(text)
    fits(json.loads(text), "schemas", "Document")
