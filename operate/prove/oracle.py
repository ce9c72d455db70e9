"""What an agency may see, from the text of the rules alone: naive, and no code of the judge is used.

It is given what arrived, in plain words, and reads through all of it for every single question. Rules by
number: lawful-sharing.md.
"""

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from operate.prove.known import SIX, Bases, Basis, Key, Known, Plain


class Sight(NamedTuple):
    """`covered`: what any basis covers now, with all that do; `shown`: of these the newest of each kind;
    `classes`: of each person shown, those of the six that are covered (L13); `told`: of what is to say
    that another value was wrong, what and since when (L17).
    """

    covered: dict[Key, Bases]
    shown: set[Key]
    classes: dict[UUID, set[str]]
    told: dict[Key, tuple[str, datetime]]


class Oracle(Known):
    def sight(
        self, case: UUID, agency: str, now: datetime, once: Collection[tuple[UUID, str]] = ()
    ) -> Sight:
        """`once`: what it was shown before."""
        covered: dict[Key, Bases] = {}
        newest: dict[Any, tuple[Any, Key]] = {}
        persons: set[UUID] = set()
        facts: dict[Key, Plain] = {}
        told: dict[Key, tuple[str, datetime]] = {}
        for fact in (*self.of("fact"), *self.standing()):
            if fact["case"] not in self.family(case):
                continue
            row = self.row(fact)
            for field, data_class in fact["fields"].items():
                ends = None
                if row[-1] is not fact:  # L17
                    if field in row[-1]["fields"] or (fact["id"], field) not in once:
                        continue
                    said = [n for n, one in enumerate(row) if field in one["fields"]]
                    ends = row[said[-1] + 1]["at"]
                bases = self.why(fact, data_class, agency, now, case)
                if not bases or agency in fact["not_to"]:  # L1
                    continue
                since = self.hidden_since(fact, field, agency, now)
                if since and ends:
                    continue
                if since:  # L11: those that recorded it or held it see a warning
                    held = fact["at"] < since and (
                        self.given(fact, data_class, agency, since, since, case)
                        or self.own(fact, data_class, agency, since)
                    )
                    if fact["by"] != agency and not held:
                        continue
                key = fact["id"], field, bool(since or ends)
                if ends:
                    told[key] = "recorded_in_error", ends
                elif any((one["id"], field) in once for one in row[:-1]):
                    told[key] = "corrected", fact["at"]
                covered[key], facts[key] = bases, fact
                about = tuple(self.who(person, case) for person in fact["about"])
                slot = (fact["type"], about, field) if fact["newest"] else key
                age = (fact["happened"], fact["at"]), key
                newest[slot] = max(newest.get(slot, age), age)
        shown = {key for _, key in newest.values()}
        if not any(self.adds(facts[key], covered[key], case) for key in shown):
            return Sight({}, set(), {}, {})
        for key in shown:
            persons |= self.about(facts[key], case)
        classes = {person: self.classes(person, agency, now, case) for person in persons}
        return Sight(covered, shown, classes, told)

    def row(self, fact: Plain) -> list[Plain]:
        """All that was said in its place, one after another."""
        return self.of("fact", "place", fact["place"]) if fact.get("place") else [fact]

    def adds(self, fact: Plain, bases: Bases, case: UUID) -> bool:
        """What the document of a merged case shows anyway is no reason for one of the case in which it
        goes on.
        """
        homes = {str(one["consent"]): one["case"] for one in self.of("consent")}
        homes |= {
            str(one["basis"]): one["case"] for one in (*self.of("urgent"), *self.of("ground"))
        }
        return fact["case"] == case or any(
            kind != "own_record" and homes[id] != fact["case"] for kind, id, _ in bases
        )

    def standing(self) -> list[Plain]:
        """What stands of each person is told whole, and is a worker's judgement."""
        newest = {one["person"]: one for one in self.of("flags")}
        more: Plain = {
            "fields": {"flags": "judgement"}, "not_to": (), "newest": True, "type": "flags"
        }  # fmt: skip
        return [
            {**one, **more, "about": (person,)} for person, one in newest.items() if one["flags"]
        ]

    def why(self, fact: Plain, data_class: str, agency: str, now: datetime, case: UUID) -> Bases:
        mine = self.own(fact, data_class, agency, now)
        return mine | self.given(fact, data_class, agency, now, None, case)

    def own(self, fact: Plain, data_class: str, agency: str, now: datetime) -> Bases:
        """L2: recorded by its staff in its own right, or by anybody's under a programme that it runs now;
        L12: but not what is sealed.
        """
        if data_class == "sealed" or self.keeper(fact, now) != agency:
            return frozenset()
        return frozenset({("own_record", agency, self.under(fact))})

    def given(
        self,
        fact: Plain,
        data_class: str,
        agency: str,
        now: datetime,
        before: datetime | None,
        case: UUID,
    ) -> Bases:
        """By every subject's own basis (L4); `before`: by those alone that were recorded by then."""
        found: set[Basis] = set()
        if data_class not in (*SIX, "judgement"):  # L22, L12
            return frozenset()
        for person in self.about(fact, case):
            mine = {
                ("consent", str(one["consent"]), None)
                for one in self.of("consent")
                if one["case"] in self.family(case)
                and self.who(one["person"], case) == person
                and fact["case"] in self.meant_in(one["consent"], one["case"], case)
                and (before is None or one["at"] < before)
                and data_class in SIX  # L22
                and data_class in self.consented(one, now)
                and self.reached(one, agency, now)
                and self.flows(one, fact, agency, now)
            } | {
                (one["kind"], str(one["basis"]), None)
                for one in (*self.of("urgent"), *self.of("ground"))
                if (before is None or one["at"] < before)
                and one["case"] == fact["case"]
                and person in {self.who(p, case) for p in one["persons"]}
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
            if less["happened"] <= now:
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
        return not any(
            e["happened"] <= now for e in self.of("ended", "consent", consent["consent"])
        )

    def reached(self, consent: Plain, agency: str, now: datetime) -> bool:
        """L3: live, meant for that agency, for a purpose that it has."""
        excluded = set(consent["excluded"])
        for less in self.of("narrowed", "consent", consent["consent"]):
            if less["happened"] <= now:
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
        """L3: named, or of the group: since the consent began, or since the person was told."""
        if self.named(consent["holders"], agency, now):
            return True
        told = any(
            one["agency"] == agency and one["happened"] <= now
            for one in self.of("told", "consent", consent["consent"])
        )
        group = consent["group"]
        if not group or not self.belongs(group, agency, now):
            return False
        leaves = [stay["to"] for stay in self.stays if stay["to"]]
        between = [consent["begins"], *(at for at in leaves if consent["begins"] < at <= now)]
        return told or all(self.belongs(group, agency, at) for at in between)

    def flows(self, consent: Plain, fact: Plain, agency: str, now: datetime) -> bool:
        """L4a, L22: of who died, and of a proxy under a flag, nothing new, and to nobody new; it is the
        same person in every case.
        """
        stops = {"died"} | ({"abuse", "conflict_of_interest"} if consent["proxy"] else set())
        since: dict[UUID, datetime | None] = {}
        for one in self.of("flags"):
            if one["person"] in self.ids(consent["person"]):
                before = since.get(one["person"])
                if one["at"] <= now:
                    since[one["person"]] = (
                        (before or one["at"]) if stops & set(one["flags"]) else None
                    )
        first = min((at for at in since.values() if at), default=None)
        return first is None or (
            fact["at"] < first
            and consent["at"] < first
            and consent["begins"] < first
            and self.meant(consent, agency, first)
        )

    def carried(
        self, case: UUID, person: UUID, sender: str, receiver: str, now: datetime
    ) -> set[str]:
        """L9: the classes of this person that a referral which is asked now may carry. It tells something
        new, and what the sender holds.
        """
        told: Plain = {"at": now}
        found: set[str] = set()
        for consent in self.of("consent", "case", case):
            mine = consent["person"] == person and self.reached(consent, receiver, now)
            if mine and self.flows(consent, told, receiver, now):
                found |= self.consented(consent, now)
        for ground in (*self.of("urgent", "case", case), *self.of("ground", "case", case)):
            mine = person in ground["persons"] and ground.get("provider", sender) == sender
            if mine and self.ground_lives(ground, receiver, now):
                found |= set(ground["classes"]) if self.reviewed(ground, told, now) else set()
        return found & set(SIX)

    def doubtful(self, case: UUID, parked: Mapping[str, UUID | None]) -> bool:
        """Fail closed: may a basis of the case have ended, or a protection begun, in what was put aside?
        `parked`: streams, each with its case. Agencies, programmes, desks and pools are of every case.
        """
        together, merges = {case}, set()
        for _ in self.merges:
            for merge in self.merges:
                ends = {merge["merged"], merge["into"]}
                if ends & together:
                    together |= ends
                    merges.add(merge["merge"])
        for stream, home in parked.items():
            what, _, id = stream.partition("/")
            if what in ("agency", "programme", "desk", "body"):
                return True
            if what == "merge" and UUID(id) in merges:
                return True
            if what in ("case", "consent", "basis", "matter") and home in together:
                return True
        return False

    def ground_lives(self, ground: Plain, agency: str, now: datetime) -> bool:
        over = any(one["happened"] <= now for one in self.of("over", "basis", ground["basis"]))
        known = self.of("agency", "agency", agency)
        lives = ground["begins"] <= now < ground["until"] and not over
        return lives and self.named(ground["holders"], agency, now) and bool(known)

    def reviewed(self, ground: Plain, fact: Plain, now: datetime) -> bool:
        """L7: overdue, nothing new flows, what is shown stays."""
        due = ground.get("review_by")
        if due is None or now < due:
            return True
        seen = any(one["happened"] <= now for one in self.of("reviewed", "basis", ground["basis"]))
        return seen or fact["at"] < due

    def classes(self, person: UUID, agency: str, now: datetime, case: UUID) -> set[str]:
        """L13: never depending on whether facts exist."""
        found: set[str] = set()
        before = {"at": datetime.min.replace(tzinfo=now.tzinfo)}  # as if told long ago
        for consent in self.of("consent"):
            if (
                consent["case"] in self.family(case)
                and self.who(consent["person"], case) == person
                and self.reached(consent, agency, now)
                and self.flows(consent, before, agency, now)
            ):
                found |= self.consented(consent, now)
        for ground in (*self.of("urgent"), *self.of("ground")):
            persons = {self.who(one, case) for one in ground["persons"]}
            lives = self.ground_lives(ground, agency, now)
            if ground["case"] in self.family(case) and person in persons and lives:
                found |= set(ground["classes"])
        return found & set(SIX)
