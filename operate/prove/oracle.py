"""What an agency may see, from the text of the rules alone: naive, and no code of the judge is used.

It is given what arrived, in plain words, and reads through all of it for every single question. Rules by
number: lawful-sharing.md.
"""

from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

Plain = dict[str, Any]
Key = tuple[UUID, str, bool]
Basis = tuple[str, str, str | None]
"""Kind, id, and of an own record the programme under which it is held."""
Bases = frozenset[Basis]
SIX = ("contact", "health_disability", "work_school", "money", "welfare_use", "life_history")
PROTECTED = {"address": ("address",), "phone": ("phone",), "work": ("school", "workplace")}


class Sight(NamedTuple):
    """`covered`: what any basis covers now, with all that do; `shown`: of these the newest of each kind;
    `classes`: of each person shown, those of the six that are covered (L13).
    """

    covered: dict[Key, Bases]
    shown: set[Key]
    classes: dict[UUID, set[str]]


class Oracle:
    def __init__(self, arrived: list[Plain]) -> None:
        """What happens to one thing arrives in its order."""
        self.kinds: dict[str, list[Plain]] = {}
        for one in arrived:
            self.kinds.setdefault(one["kind"], []).append(one)
        self.household = {one["about"][0] for one in self.of("fact") if one["joins"]}

    def of(self, kind: str, name: str = "", value: Any = None) -> list[Plain]:
        found = self.kinds.get(kind, [])
        return [one for one in found if one[name] == value] if name else found

    def sight(self, agency: str, now: datetime) -> Sight:
        covered: dict[Key, Bases] = {}
        newest: dict[Any, tuple[Any, Key]] = {}
        persons: set[UUID] = set()
        facts: dict[Key, Plain] = {}
        for fact in (*self.of("fact"), *self.standing()):
            for field, data_class in fact["fields"].items():
                bases = self.why(fact, data_class, agency, now)
                if not bases or agency in fact["not_to"]:  # L1
                    continue
                since = self.hidden_since(fact, field, agency)
                if since:  # L11: those that recorded it or held it see a warning
                    held = fact["at"] < since and (
                        self.given(fact, data_class, agency, since, since)
                        or self.own(fact, data_class, agency, since)
                    )
                    if fact["by"] != agency and not held:
                        continue
                key = fact["id"], field, bool(since)
                covered[key], facts[key] = bases, fact
                slot = (fact["type"], fact["about"], field) if fact["newest"] else key
                newest[slot] = max(newest.get(slot, (((fact["at"],)), key)), ((fact["at"],), key))
        shown = {key for _, key in newest.values()}
        for key in shown:
            persons |= self.about(facts[key])
        return Sight(covered, shown, {p: self.classes(p, agency, now) for p in persons})

    def standing(self) -> list[Plain]:
        """What stands of each person is told whole, and is a worker's judgement."""
        newest = {one["person"]: one for one in self.of("flags")}
        more: Plain = {"fields": {"flags": "judgement"}, "not_to": (), "newest": False}
        return [
            {**one, **more, "about": (person,)} for person, one in newest.items() if one["flags"]
        ]

    def about(self, fact: Plain) -> set[UUID]:
        """L4: where nobody is named it is about the household."""
        return set(fact["about"]) or self.household

    def why(self, fact: Plain, data_class: str, agency: str, now: datetime) -> Bases:
        mine = self.own(fact, data_class, agency, now)
        return mine | self.given(fact, data_class, agency, now, None)

    def own(self, fact: Plain, data_class: str, agency: str, now: datetime) -> Bases:
        """L2: recorded by its staff in its own right, or by anybody's under a programme that it runs now;
        L12: but not what is sealed.
        """
        if data_class == "sealed" or self.keeper(fact, now) != agency:
            return frozenset()
        return frozenset({("own_record", agency, self.under(fact))})

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

    def given(
        self, fact: Plain, data_class: str, agency: str, now: datetime, before: datetime | None
    ) -> Bases:
        """By every subject's own basis (L4); `before`: by those alone that were recorded by then."""
        found: set[Basis] = set()
        if data_class not in (*SIX, "judgement"):  # L22, L12
            return frozenset()
        for person in self.about(fact):
            mine = {
                ("consent", str(one["consent"]), None)
                for one in self.of("consent", "person", person)
                if (before is None or one["at"] < before)
                and data_class in SIX  # L22
                and data_class in self.consented(one, now)
                and self.reached(one, agency, now)
                and self.flows(one, fact, agency, now)
            } | {
                (one["kind"], str(one["basis"]), None)
                for one in (*self.of("urgent"), *self.of("ground"))
                if (before is None or one["at"] < before)
                and person in one["persons"]
                and data_class in one["classes"]
                and self.ground_lives(one, agency, now)
                and ("provider" not in one or one["provider"] == self.keeper(fact, now))  # L8
                and self.reviewed(one, fact, now)
            }
            if not mine:
                return frozenset()
            found |= mine
        return frozenset(found)

    def consented(self, consent: Plain, now: datetime) -> set[str]:
        classes = set(consent["classes"])
        for less in self.of("narrowed", "consent", consent["consent"]):
            if less["at"] <= now:
                classes -= set(less["dropped"])
        return classes

    def lives(self, consent: Plain, now: datetime) -> bool:
        if consent["status"] != "granted" or now < consent["begins"]:  # L3: refused is no consent
            return False
        if consent["until"] and now >= consent["until"]:
            return False
        for less in self.of("narrowed", "consent", consent["consent"]):
            if less["until"] and now >= less["until"]:
                return False
        return not any(e["at"] <= now for e in self.of("ended", "consent", consent["consent"]))

    def reached(self, consent: Plain, agency: str, now: datetime) -> bool:
        """L3: live, meant for that agency, for a purpose that it has."""
        excluded = set(consent["excluded"])
        for less in self.of("narrowed", "consent", consent["consent"]):
            if less["at"] <= now:
                excluded |= set(less["excluded"])
        known = self.of("agency", "agency", agency)
        return (
            self.lives(consent, now)
            and not self.named(excluded, agency, now)
            and bool(known)
            and bool(set(known[-1]["purposes"]) & set(consent["purposes"]))
            and self.meant(consent, agency, now)
        )

    def meant(self, consent: Plain, agency: str, now: datetime) -> bool:
        if self.named(consent["holders"], agency, now):
            return True
        if not consent["group"] or not self.belongs(agency, now):
            return False
        told = [e for e in self.of("told", "consent", consent["consent"]) if e["agency"] == agency]
        return self.belongs(agency, consent["begins"]) or any(one["at"] <= now for one in told)

    def belongs(self, agency: str, at: datetime) -> bool:
        joined = any(one["at"] <= at for one in self.of("joined", "agency", agency))
        return joined and not any(one["at"] <= at for one in self.of("left", "agency", agency))

    def flows(self, consent: Plain, fact: Plain, agency: str, now: datetime) -> bool:
        """L4a, L22: of who died, and of a proxy under a flag, nothing new, and to nobody new."""
        since = None
        for one in self.of("flags", "person", consent["person"]):
            stops = {"died"} | ({"abuse", "conflict_of_interest"} if consent["proxy"] else set())
            if one["at"] <= now:
                since = (since or one["at"]) if stops & set(one["flags"]) else None
        return since is None or (
            fact["at"] < since
            and consent["at"] < since
            and consent["begins"] < since
            and self.meant(consent, agency, since)
        )

    def ground_lives(self, ground: Plain, agency: str, now: datetime) -> bool:
        over = any(one["at"] <= now for one in self.of("over", "basis", ground["basis"]))
        known = self.of("agency", "agency", agency)
        lives = ground["begins"] <= now < ground["until"] and not over
        return lives and self.named(ground["holders"], agency, now) and bool(known)

    def reviewed(self, ground: Plain, fact: Plain, now: datetime) -> bool:
        """L7: overdue, nothing new flows, what is shown stays."""
        due = ground.get("review_by")
        if due is None or now < due:
            return True
        seen = any(one["at"] <= now for one in self.of("reviewed", "basis", ground["basis"]))
        return seen or fact["at"] < due

    def hidden_since(self, fact: Plain, field: str, agency: str) -> datetime | None:
        """L11: only for agencies that were named for it."""
        found = []
        for item in PROTECTED.get(field, ()) if len(fact["about"]) == 1 else ():
            since = None
            for one in self.of("protected", "person", fact["about"][0]):
                if one["item"] != item:
                    continue
                named = one["named"]
                since = None if named is None or agency in named else since or one["at"]
            found.append(since)
        return min((one for one in found if one), default=None)

    def classes(self, person: UUID, agency: str, now: datetime) -> set[str]:
        """L13: never depending on whether facts exist."""
        found: set[str] = set()
        for consent in self.of("consent", "person", person):
            before = {"at": datetime.min.replace(tzinfo=now.tzinfo)}  # as if told long ago
            if self.reached(consent, agency, now) and self.flows(consent, before, agency, now):
                found |= self.consented(consent, now)
        for ground in (*self.of("urgent"), *self.of("ground")):
            if person in ground["persons"] and self.ground_lives(ground, agency, now):
                found |= set(ground["classes"])
        return found & set(SIX)
