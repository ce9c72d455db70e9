"""`python -m operate.bench.intake [INTAKES [BASE_PORT]]`: a worker's whole intake, twelve commands.

Each beside a bare endpoint that inserts the same body, in turns; and the processor time of the service
for a command, with what it sends and folds meanwhile. One line of JSON; not 0 where the p95 of a command
is over 25 ms.
"""

from __future__ import annotations

import asyncio
import json
import logging
import sys
from collections.abc import Sequence
from statistics import median
from typing import Any
from uuid import uuid4

import httpx
import psutil

from operate.bench import endpoint
from operate.bench.asking import Request, ask
from operate.bench.events import TEXT
from operate.bench.measured import percentile
from operate.bench.own import own
from operate.places import http_port
from operate.stack import Stack

INTAKES, AT_ONCE, WARM = 150, 10, 10
P95_MS = 25.0
AGENCY, HOLDERS = "city-fukushi", ("care-centre", "shakyo")


def commands() -> list[Request]:
    """One intake of a household of two, from the first contact to the consent."""
    hana, ken = str(uuid4()), str(uuid4())
    case, sections = "/v1/cases/{case}", "/v1/cases/{case}/sections"
    people = [
        {"id": hana, "name": "𠮷田 葛花", "kana": "ヨシダ カズハナ", "birth": "1944-03-02"},
        {"id": ken, "relation": "child", "name": "𠮷田 健", "kana": "ヨシダ ケン"},
    ]
    address = {"id": hana, "address": "生駒市𩸽町1-2", "phone": "0743-00-0000"}
    living = {"person": hana, "work": "pensioner", "housing": "owned", "income": "年金 月6万円"}
    health = {"person": hana, "care_level": "care_1", "illness": "膝の痛み", "clinic": "𠮷岡医院"}
    worries = {"concerns": ["care", "hikikomori"], "main_concern": "care", "text": TEXT}
    next_action = {"text": "訪問して様子をうかがう", "on": "2026-12-01"}
    consent = {
        "person": hana, "classes": ["contact", "health_disability"], "purposes": ["consultation"],
        "holders": list(HOLDERS), "text_version": "2026-04", "explained_by": "staff-00",
    }  # fmt: skip
    joined = [{"person": person} for person in (hana, ken)]
    relations = [{"person": hana, "to": ken, "relation": "parent"}]
    return [
        Request("POST", "/v1/cases", {"route": "family_visit", "people": people}, keeps="case"),
        Request("PUT", f"{sections}/person", {"person": address}),
        Request("PUT", f"{sections}/living", {"living": living}),
        Request("PUT", f"{sections}/health", {"health": health}),
        Request("PUT", f"{sections}/worries", {"worries": worries}),
        Request("PUT", f"{sections}/situation", {"situation": {"person": hana, "health": TEXT}}),
        Request("PUT", f"{sections}/urgency", {"urgency": {"urgency": "standard", "reason": TEXT}}),
        Request("POST", f"{case}/household", {"joined": joined, "relations": relations}),
        Request("POST", f"{case}/records", {**endpoint.BODY, "next_action": next_action}),
        Request("POST", f"{case}/consents", consent),
        Request("POST", f"{case}/screenings", {"outcome": "plan"}),
        Request("POST", f"{case}/assessments", {"person": hana, "facts": TEXT}),
    ]


async def measure(stack: Stack, intakes: int) -> dict[str, Any]:
    await register(stack)
    token = stack.token(AGENCY, ["intake_worker"], "staff-00")
    headers = {"authorization": f"Bearer {token}"}
    ours_port, bare_port = (http_port(stack.base_port, name) for name in ("intake", "intake-4"))
    ours: list[tuple[str, float]] = []
    bare: list[float] = []
    service, used = psutil.Process(stack.pid("intake")), 0.0
    async with endpoint.bare(stack, bare_port):
        for n in range(0, WARM + intakes, AT_ONCE):
            asked = [one for _ in range(AT_ONCE) for one in commands()]
            limit = await ask(bare_port, {}, [Request("POST", "/v1/bare", a.body) for a in asked])
            before = sum(service.cpu_times()[:2])
            answers = await ask(ours_port, headers, asked)
            if n >= WARM:
                used += sum(service.cpu_times()[:2]) - before
                bare += [took for _, took, _, _ in limit]
                paths = [f"{a.verb} {a.path.removeprefix('/v1/')}" for a in asked]
                ours += [(path, answer[1]) for path, answer in zip(paths, answers, strict=True)]
    by: dict[str, list[float]] = {}
    for path, took in ours:
        by.setdefault(path, []).append(took)
    return {
        "intakes": intakes, "commands": len(ours), "unit": "ms",
        "ours": figures([took for _, took in ours]), "bare": figures(bare),
        "processor_ms": round(1000 * used / len(ours), 2),
        "by_command": {path: figures(took) for path, took in by.items()},
    }  # fmt: skip


async def register(stack: Stack) -> None:
    """The directory, told by referral; intake has heard of it once a consent may name them."""
    token = stack.token(AGENCY, ["operator"], "staff-00")
    headers = {"authorization": f"Bearer {token}"}
    body = {"kind": "care", "controller": "private", "purposes": ["consultation"]}
    positions = []
    async with httpx.AsyncClient(headers=headers, trust_env=False) as client:
        for code in (AGENCY, *HOLDERS):
            path = f"{stack.http('referral')}/v1/agencies/{code}"
            answer = await client.put(path, json={"name": code, **body})
            positions.append(answer.raise_for_status().headers["tsunagu-position"])
        token = stack.token(AGENCY, ["intake_worker"], "staff-00")
        seen = {"authorization": f"Bearer {token}", "tsunagu-after": ", ".join(positions)}
        answer = await client.get(f"{stack.http('intake')}/v1/cases", headers=seen)
        answer.raise_for_status()
    await asyncio.to_thread(stack.stop, "referral")


def figures(took: Sequence[float]) -> dict[str, float]:
    shown = {f"p{n}": round(percentile(took, n), 2) for n in (95, 99)}
    return {"p50": round(median(took), 2), **shown}


def main() -> None:
    logging.disable(logging.CRITICAL)
    intakes = int(sys.argv[1]) if len(sys.argv) > 1 else INTAKES
    with own(sys.argv[2:], "intake", "referral") as stack:
        found = asyncio.run(measure(stack, intakes))
    print(json.dumps(found, ensure_ascii=False))
    if found["ours"]["p95"] > P95_MS:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
