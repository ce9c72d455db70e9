"""What the oracle knows before it asks what anybody may see: cases that go on in others, pools, desks."""

from datetime import datetime
from functools import cache
from typing import Any
from uuid import UUID

Plain = dict[str, Any]
Key = tuple[UUID, str, bool]
Basis = tuple[str, str, str | None]
"""Kind, id, and of an own record the programme under which it is held."""
Bases = frozenset[Basis]
Opened = tuple[UUID, str, UUID]
"""Event, field, matter."""
SIX = ("contact", "health_disability", "work_school", "money", "welfare_use", "life_history")
PROTECTED = {"address": ("address",), "phone": ("phone",), "work": ("school", "workplace")}


class Known:
    def __init__(self, arrived: list[Plain]) -> None:
        """What happens to one thing arrives in its order."""
        self.kinds: dict[str, list[Plain]] = {}
        for one in arrived:
            self.kinds.setdefault(one["kind"], []).append(one)
        undone = {one["merge"] for one in self.of("undone")}
        self.merges = [one for one in self.of("merged") if one["merge"] not in undone]
        self.stays = self.stayed()
        self.family, self.who = cache(self._family), cache(self._who)  # asked again and again
        self.ids = cache(self._ids)
        self.meant_in = cache(self._meant_in)

    def of(self, kind: str, name: str = "", value: Any = None) -> list[Plain]:
        found = self.kinds.get(kind, [])
        return [one for one in found if one[name] == value] if name else found

    def _family(self, case: UUID) -> set[UUID]:
        """L18: it, and all that go on in it."""
        found = {case}
        while more := {one["merged"] for one in self.merges if one["into"] in found} - found:
            found |= more
        return found

    def _who(self, person: UUID, case: UUID) -> UUID:
        """He by whose name he goes in the case that is looked at."""
        for merge in self.merges:
            for merged, into in merge["same"] if merge["into"] in self.family(case) else ():
                if merged == person:
                    return self.who(into, case)
        return person

    def _ids(self, person: UUID) -> set[UUID]:
        """All by which he is known, in whatever case."""
        found = {person}
        pairs = [set(pair) for merge in self.merges for pair in merge["same"]]
        for _ in pairs:
            found = found.union(*(pair for pair in pairs if pair & found))
        return found

    def _meant_in(self, consent: UUID, home: UUID, case: UUID) -> set[UUID]:
        """L18: consents are not joined; a worker confirms each for each merge."""
        found = {home}
        for _ in self.merges:
            for merge in self.merges:
                ends = {merge["merged"], merge["into"]}
                said = consent in [
                    o["consent"] for o in self.of("confirmed", "merge", merge["merge"])
                ]
                if said and merge["into"] in self.family(case) and ends & found:
                    found |= ends
        return found

    def about(self, fact: Plain, case: UUID) -> set[UUID]:
        """L4: where nobody is named it is about the household."""
        persons = fact["about"] or [
            one["about"][0] for one in self.of("fact", "case", fact["case"]) if one["joins"]
        ]
        return {self.who(person, case) for person in persons}

    def stayed(self) -> list[Plain]:
        """From when to when who was in which pool for whom; who comes back begins anew (L5)."""
        stays: list[Plain] = []
        for one in self.of("pool"):
            mine = [s for s in stays if (s["body"], s["member"]) == (one["body"], one["member"])]
            last = mine[-1] if mine else {"to": one["happened"], "agency": None, "years": ()}
            if one["what"] == "pledged":
                last["years"] = {*last["years"], one["year"]}
            elif one["what"] == "left":
                last["to"] = one["happened"]
            elif last["to"] is None and last["agency"] == one["agency"]:
                last["office"] = one["office"]
            else:
                last["to"] = last["to"] or one["happened"]
                stays.append({**one, "from": one["happened"], "to": None, "years": set()})
        return stays

    def belongs(self, body: str, agency: str, at: datetime) -> bool:
        return any(
            (stay["body"], stay["agency"]) == (body, agency) and self.lasts(stay, at)
            for stay in self.stays
        )

    def lasts(self, stay: Plain, at: datetime) -> bool:
        return bool(stay["from"] <= at and (stay["to"] is None or at < stay["to"]))

    def keeper(self, fact: Plain, now: datetime) -> str | None:
        programme = self.under(fact)
        return self.runs(programme, now) if programme else fact["by"]

    def under(self, fact: Plain) -> str | None:
        """The programme of the desk at which it was recorded: the one its recorder came to last, of those
        that his agency had then.
        """
        desk, came = None, None
        for seat in self.of("seat", "who", (fact["by"], fact["by_whom"])):
            left = [one["at"] for one in self.of("stood_up", "seat", seat["seat"])]
            sits = seat["at"] <= fact["at"] and not any(at <= fact["at"] for at in left)
            theirs = self.has(seat["desk"], fact["at"]) == fact["by"]
            if sits and theirs and (came is None or came < seat["at"]):
                desk, came = seat["desk"], seat["at"]
        found = self.of("desk", "desk", desk) if desk else []
        return found[0]["programme"] if found else None

    def has(self, desk: str, at: datetime) -> str | None:
        """Whose desk it is."""
        if any(one["at"] <= at for one in self.of("desk_closed", "desk", desk)):
            return None
        for one in self.of("desk", "desk", desk):
            return self.runs(one["programme"], at) if one["programme"] else one["agency"]
        return None

    def runs(self, programme: str, at: datetime) -> str | None:
        """Who has the contract that began last and goes on."""
        agency, began = None, None
        for one in self.of("contract", "programme", programme):
            ends = [e["ends"] for e in self.of("contract_ended", "contract", one["contract"])]
            if one["begins"] <= at < min([one["ends"], *ends]) and (
                began is None or began < one["begins"]
            ):
                agency, began = one["agency"], one["begins"]
        return agency

    def named(self, codes: Any, agency: str, at: datetime) -> bool:
        """Itself, or by a desk that it has then: what named the desk goes on with a successor."""
        return any(code == agency or self.has(code, at) == agency for code in codes)

    def hidden_since(self, fact: Plain, field: str, agency: str, now: datetime) -> datetime | None:
        """L11: only for agencies that were named for it; in each of the cases in which he is known."""
        if len(fact["about"]) != 1:
            return None
        since: dict[tuple[UUID, str], datetime | None] = {}
        for one in self.of("protected"):
            if (
                one["person"] in self.ids(fact["about"][0])
                and one["item"] in PROTECTED.get(field, ())
                and one["at"] <= now
            ):
                named, place = one["named"], (one["person"], one["item"])
                mine = named is None or agency in named
                since[place] = None if mine else since.get(place) or one["at"]
        return min((at for at in since.values() if at), default=None)
