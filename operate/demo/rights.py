"""What is asked of views at the end, as the people concerned: sealed readings, open retractions."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from operate.demo.client import Api, Unexpected
from operate.demo.intent import Actor
from operate.demo.ledger import Done, Ledger


@dataclass(frozen=True)
class Readings:
    """Cases of which called members and the body's secretariat may open sealed facts (L5, L5a): in all, and
    members for whom the number is not the one that follows from calls, pledges and ends.
    """

    members: int
    cases: int
    wrong: tuple[str, ...]


def may_open(done: Iterable[Done]) -> dict[Actor, set[str]]:
    """By called member, the cases of live matters, and all of its body by who is of its secretariat; none
    for him who has not pledged (example 4).
    """
    cases: dict[str, tuple[str, str]] = {}
    ended: set[str] = set()
    called: dict[str, set[str]] = defaultdict(set)
    pledged: set[tuple[str, str]] = set()
    agencies: dict[str, str] = {}
    offices: set[tuple[str, str]] = set()
    for one in done:
        match one.intent.kind:
            case "matter":
                cases[one.id] = one.body["case"], one.body["body"]
            case "matter-ending":
                ended.add(one.places["matter"])
            case "matter-members":
                for subject in one.body["members"]:
                    called[subject].add(one.places["matter"])
            case "member":
                body, subject = one.intent.path.split("/")[3:6:2]
                agencies[subject] = one.body["agency"]
                if one.body.get("secretariat"):
                    offices.add((body, subject))
            case "pledge":
                pledged.add((one.intent.path.split("/")[3], one.intent.path.split("/")[5]))
    for body, subject in offices:
        called[subject] |= {matter for matter, (_, of) in cases.items() if of == body}
    return {
        Actor(agencies[subject], subject, ("agency_worker",)): {
            cases[matter][0] for matter in matters - ended if (cases[matter][1], subject) in pledged
        }
        for subject, matters in called.items()
    }


async def readings(api: Api, ledger: Ledger) -> Readings:
    wrong: list[str] = []
    every = 0
    expected = may_open(ledger.done.values())
    for actor, cases in expected.items():
        shown = await api.read("views", "/v1/sealed", actor)
        every += len(shown["items"])
        if len(shown["items"]) != len(cases):
            wrong.append(f"{actor.subject} may open {len(shown['items'])} cases, not {len(cases)}")
    return Readings(len(expected), every, tuple(wrong))


async def retractions(api: Api, ledger: Ledger) -> Counter[str]:
    """Of the cases with a withdrawn consent: how many agencies have confirmed, how many not yet."""
    found: Counter[str] = Counter()
    consents = {one.id: one for one in ledger.done.values() if one.intent.kind == "consent"}
    withdrawn = [one for one in ledger.done.values() if one.intent.kind == "withdrawal"]
    leads = {consents[one.places["consent"]].places["case"]: one.intent.actor for one in withdrawn}
    for case, lead in leads.items():
        answer = await api.send("views", "GET", f"/v1/retractions?case={case}", actor=lead)
        if not answer.good:
            raise Unexpected(f"views does not tell of retractions: {answer.said()}")
        found += Counter(one["state"] for one in answer.body["items"])
    return found
