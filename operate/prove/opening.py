"""What a named member may open of a sealed matter, from the text of L5 and L12 alone."""

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from operate.prove.known import Known, Opened, Plain


class Members(Known):
    def reading(self, case: UUID, member: str, agency: str, now: datetime) -> list[Opened]:
        """L5, L5a, L5b, L12: Reading(member, case, now)."""
        found: list[Opened] = []
        for matter in self.of("matter", "case", case):
            id = matter["matter"]
            ends = [one["happened"] for one in self.of("matter_ended", "matter", id)]
            over = any(end <= now for end in ends)
            seats = [s for s in self.stays if (s["body"], s["member"]) == (matter["body"], member)]
            seat = seats[-1] if seats else None
            if matter["happened"] > now or over or seat is None or seat["agency"] != agency:
                continue
            if not self.lasts(seat, now) or april(now) not in seat["years"]:
                continue
            named = {
                how: any(member in one["members"] for one in self.of(how, "matter", id))
                for how in ("called", "asked")
            }
            if named["called"] or seat["office"]:
                found += [
                    (fact["id"], field, id)
                    for fact in self.of("fact", "matter", id)
                    for field in fact["fields"]
                    if not self.hidden_since(fact, field, agency, now)
                ]
            elif named["asked"]:
                found += [(*one, id) for one in self.minimum(matter, agency, now)]
        return sorted(found, key=str)

    def minimum(self, matter: Plain, agency: str, now: datetime) -> set[tuple[UUID, str]]:
        """L5b: of each whom the matter is about his name as it was said last, and his birth."""
        found: dict[Any, tuple[Any, ...]] = {}
        for fact in self.of("fact", "type", "PersonDescribed"):
            for field in fact["fields"]:
                person = fact["about"][0]
                wanted = person in matter["subjects"] and field in ("name", "kana", "birth")
                hidden = self.hidden_since(fact, field, agency, now)
                if wanted and not hidden:
                    age = fact["happened"], fact["at"], fact["id"]
                    found[person, field] = max(found.get((person, field), age), age)
        return {(age[-1], field) for (_, field), age in found.items()}


def april(at: datetime) -> int:
    """The fiscal year, in Tokyo."""
    there = at + timedelta(hours=9)
    return there.year - (there.month < 4)
