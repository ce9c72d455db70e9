"""The year as a list of dated intents, from the number of cases and a seed alone. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date
from functools import cached_property
from random import Random
from typing import Any

from operate.demo import programme, setting
from operate.demo.cases import Consultation
from operate.demo.casting import Casting, scaled
from operate.demo.diary import Diary
from operate.demo.group import Discussed, group_case
from operate.demo.household import Household, concerns, eighty_fifty, household
from operate.demo.ikoma import LEAD, Ikoma, weighted
from operate.demo.intent import Intent
from operate.demo.ordinary import consultation
from operate.demo.people import Crowd
from operate.demo.phrases import Pen
from operate.demo.statutory import Before, statutory_case
from operate.demo.story import Story

PERSONAL = {
    "name", "kana", "birth", "address", "phone", "reporter", "health", "work", "money", "welfare_use",
    "history", "text", "wishes", "need", "note",
}  # fmt: skip
REPEATED = 0.03


@dataclass(frozen=True)
class Year:
    """All intents in the order of time, and what the indicators must come to."""

    seed: int
    cases: int
    intents: tuple[Intent, ...]
    sittings: int
    completed: int
    survey: tuple[int, int]

    @cached_property
    def agencies(self) -> list[str]:
        """Codes of all that act or are named as receivers, holders or invited, most active first."""
        count: dict[str, int] = {}
        for intent in self.intents:
            if intent.chain.startswith("setting/"):
                continue
            named = [intent.body.get("receiver"), *intent.body.get("holders", ())]
            for code in (intent.actor.agency, *named):
                if code:
                    count[code] = count.get(code, 0) + 1
        return sorted(count, key=lambda code: (-count[code], code))

    @cached_property
    def invented(self) -> list[str]:
        """Every personal value, each once, in the order of first use."""
        found: dict[str, None] = {}
        for intent in self.intents:
            setting = intent.chain.startswith("setting/")
            if intent.service != "metrics" and intent.kind != "member" and not setting:
                _gather(intent.body, found)
        return list(found)


def _gather(value: Any, found: dict[str, None], name: str = "") -> None:
    if isinstance(value, Mapping):
        for key, one in value.items():
            _gather(one, found, key)
    elif isinstance(value, list | tuple):
        for one in value:
            _gather(one, found, name)
    elif name in PERSONAL and value is not None:
        found[value.isoformat() if isinstance(value, date) else str(value)] = None


def year(cases: int, seed: int, ikoma: Ikoma | None = None) -> Year:
    """The same for the same arguments, on every machine."""
    return _Planner(cases, seed, ikoma or Ikoma.sized(cases)).year()


class _Planner:
    def __init__(self, cases: int, seed: int, ikoma: Ikoma) -> None:
        self.cases, self.seed, self.ikoma = cases, seed, ikoma
        self.random = Random(f"{seed}/{cases}")
        self.scale = cases / ikoma.defaults["volume"]["new_consultations_year"]
        self.pen = Pen(self.random)
        self.crowd = Crowd(self.random, ikoma.folder / "districts.csv")
        self.casting = Casting(ikoma, self.random, cases)
        self.stories: list[Story] = []

    def year(self) -> Year:
        ikoma, side = self.ikoma, self.ikoma.defaults["side_events"]
        world = self._story("world")
        _, self.joins = setting.changes(world)
        completed, survey = setting.small_inputs(
            world,
            scaled(side["ai_supporter_courses_year"], self.scale, 2),
            scaled(side["ai_supporter_trained_year"], self.scale, 16),
        )
        discussed, before = self._cases()
        diary = Diary(ikoma, self.random, self.pen, self._story, discussed, before)
        held = diary.sittings(self.scale)
        contracts = programme.directory(ikoma, setting.OPERATOR)
        intents = [*setting.directory(ikoma), *contracts, *setting.pools(ikoma)]
        for story in self.stories:
            intents += story.intents()
        intents = self._repeating(sorted(intents, key=lambda one: (one.at, one.id)))
        return Year(self.seed, self.cases, tuple(intents), held, completed, survey)

    def _story(self, name: str) -> Story:
        story = Story(name, self.ikoma.workdays, Random(self.random.getrandbits(64)))
        self.stories.append(story)
        return story

    def _cases(self) -> tuple[list[Discussed], list[Before]]:
        roles = self.casting.roles()
        special = {*roles.several, *roles.statutory, *roles.wanted}
        latest, visited = programme.passes(self.ikoma) - programme.EARLY, False
        discussed: list[Discussed] = []
        before: list[Before] = []
        for number, day in enumerate(self.casting.days()):
            if number in roles.several:
                discussed += self._several(number, day, roles.several.index(number))
            elif number in roles.statutory:
                before += self._statutory(number, day, roles.statutory.index(number))
            else:
                made = self._consultation(number, day)
                wanted = roles.wanted.get(number) or self.casting.by_chance(made.outcome)
                if number not in special and day < latest and not visited:
                    programme.visited(made)
                    visited = True
                else:
                    consultation(made, wanted)
        return discussed, before

    def _consultation(self, number: int, day: date, home: Household | None = None) -> Consultation:
        mix = self.ikoma.defaults
        window = weighted(self.random, mix["by_window_kind"])
        lead = self.ikoma.agencies[self.random.choice(self.ikoma.windows[window])]
        outcome = weighted(self.random, mix["screening"])
        story = self._story(f"case-{number:05}")
        worries = concerns(self.random, mix)
        home = home or household(self.crowd, self.random, mix)
        return Consultation(
            story, self.ikoma, self.pen, home, lead, day, outcome, worries, self.crowd
        )

    def _several(self, number: int, day: date, turn: int) -> list[Discussed]:
        home = eighty_fifty(self.crowd, self.random) if turn % 2 == 0 else None
        made = self._consultation(number, day, home)
        pool = [code for code in setting.POOL if code != LEAD]
        found = group_case(
            made, pool, refusing=turn == 2, withdrawn_after=60 if turn in (1, 7) else 0,
            told=setting.JOINER if turn in (0, 3) else "", told_on=self.joins,
        )  # fmt: skip
        return [found] if found else []

    def _statutory(self, number: int, day: date, turn: int) -> list[Before]:
        made = self._consultation(number, day, eighty_fifty(self.crowd, self.random))
        members = [code for code in setting.STATUTORY_POOL if code != LEAD]
        found = statutory_case(made, members, promoted=turn % 3 == 0, overdue=turn == 1)
        return [found] if found else []

    def _repeating(self, intents: list[Intent]) -> list[Intent]:
        """Some are sent twice, as after a lost answer: at least one of each of the main kinds."""
        wanted = {"case", "consent", "referral", "record", "withdrawal", "meeting", "completion"}
        made: list[Intent] = []
        for intent in intents:
            again = intent.expect is None and (
                intent.kind in wanted or self.random.random() < REPEATED
            )
            wanted.discard(intent.kind)
            made.append(replace(intent, repeat=True) if again else intent)
        return made
