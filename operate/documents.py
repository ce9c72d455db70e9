"""The generated documents: OpenAPI a service, JSON Schema an event, AsyncAPI of all topics.

`python -m operate.documents` writes them, `--check` names those that differ from the code.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated, Any

import typer
import yaml

from operate.asyncapi import asyncapi
from operate.install import ROOT
from operate.places import SERVICES
from shared import host
from shared.app import application
from shared.contracts import EVENTS, UPCASTS, Event
from shared.sealing import wire_schema

DOCS = ROOT / "docs"
DIALECT = "https://json-schema.org/draft/2020-12/schema"


def wanted() -> dict[Path, str]:
    """Every document as the code says it is, by path."""
    found = {DOCS / "openapi" / f"{name}.json": _json(openapi(name)) for name in built()}
    for type_, model in EVENTS.items():
        found[DOCS / "schemas" / f"{type_}.json"] = _json(event_schema(model))
    found[DOCS / "asyncapi.yaml"] = _yaml(asyncapi())
    return found


def built() -> list[str]:
    """Services that are there."""
    return [name for name in SERVICES if (ROOT / "services" / name / "__init__.py").exists()]


def openapi(service: str) -> dict[str, Any]:
    return application(host.load(service)).openapi()


def event_schema(model: type[Event]) -> dict[str, Any]:
    return {"$schema": DIALECT, "$id": f"urn:tsunagu:schema:{model.TYPE}", **wire_schema(model)}


def different(found: dict[Path, str]) -> list[Path]:
    """Documents that are missing, not as found, or left over.

    A schema of an older version of an event stays: its records are on the topic for ever.
    """
    there = {*DOCS.glob("openapi/*.json"), *DOCS.glob("schemas/*.json")}
    old = {DOCS / "schemas" / f"{type_}.json" for type_ in UPCASTS}
    changed = {path for path, text in found.items() if _read(path) != text}
    return sorted(changed | (there - found.keys() - old))


def _json(document: dict[str, Any]) -> str:
    return json.dumps(document, ensure_ascii=False, indent=1, sort_keys=True) + "\n"


class _Plain(yaml.SafeDumper):
    """Writes what stands twice twice: anchors are hard to read and some tools refuse them."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def _yaml(document: dict[str, Any]) -> str:
    return yaml.dump(document, Dumper=_Plain, sort_keys=False, allow_unicode=True, width=100)


def _read(path: Path) -> str | None:
    return path.read_text("utf-8") if path.exists() else None


def main(
    check: Annotated[
        bool, typer.Option("--check", help="Write nothing, name what differs.")
    ] = False,
) -> None:
    """Writes the documents, or with --check compares them; exit status 1 if any differs."""
    found = wanted()
    changed = different(found)
    for path in changed:
        if not check and path in found:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(found[path], "utf-8")
        elif not check:
            path.unlink()
        print(path.relative_to(ROOT))
    if check and changed:
        print("differ from the code; run python -m operate.documents", file=sys.stderr)
        raise typer.Exit(1)


if __name__ == "__main__":
    typer.run(main)
