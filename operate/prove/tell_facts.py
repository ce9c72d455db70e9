"""What is told of people in a random history, and what of it is protected."""

from typing import Any
from uuid import UUID

from operate.prove.told import (
    AGENCIES,
    CASES,
    Scribe,
)
from shared.contracts import Event
from shared.contracts import intake as i


class Facts(Scribe):
    """Facts of a case, and what protects them."""

    def _describe(self) -> None:
        (case, person), who = self._person(), self._recorder()
        fields = dict.fromkeys(self._some(("name", "kana", "address", "phone"), 1), "contact")
        values: Any = {name: f"{name} {len(self.made.told)}" for name in fields}
        event = i.PersonDescribed(case=case, person=person, not_to=self._mark(), **values)
        self._fact(f"case/{case}", event, who, (person,), **fields)

    def _situation(self) -> None:
        (case, person), who = self._person(), self._recorder()
        classes = {"health": "health_disability", "work": "work_school", "money": "money"}
        fields = {name: classes[name] for name in self._some(tuple(classes), 1)}
        values: Any = {name: f"{name} {len(self.made.told)}" for name in fields}
        values["source"], fields["source"] = "observation", "judgement"
        event = i.SituationRecorded(case=case, person=person, not_to=self._mark(), **values)
        self._fact(f"case/{case}", event, who, (person,), **fields)

    def _record(self) -> None:
        """A text about one, about both, or, where nobody is named, about the household."""
        id, case = self._new(), self._case()
        about = self._some(CASES[case])
        event = i.ContactRecorded(record=id, case=case, subjects=about, method="visit", text="x")
        fields = {"method": "life_history", "text": "life_history"}
        self._fact(f"record/{id}", event, self._recorder(), about, id, **fields)
        self.lines[id] = case, about

    def _correct(self) -> None:
        """The whole line, or what it tells of one; a text may be left out."""
        if (id := self._of(self.lines)) is None:
            return
        (case, about), text = self.lines[id], self.chance.choice(("y", None))
        fields = {"text": "life_history"} if text else {}
        if about and self.chance.random() < 0.5:
            noted = i.PersonNoted(record=id, case=case, person=about[0], text=text)
            place = id, about[0]
            self._fact(f"record/{id}", noted, self._recorder(), about[:1], place, **fields)
            return
        event = i.ContactCorrected(
            record=id, case=case, subjects=about, method="phone", text=text, reason="z"
        )
        fields |= {"method": "life_history", "reason": "judgement"}
        self._fact(f"record/{id}", event, self._recorder(), about, id, **fields)

    def _judgement(self) -> None:
        """What a worker thinks of it, or who told it: never by consent."""
        case = self._case()
        if self.chance.random() < 0.5:
            judged = i.UrgencyJudged(case=case, urgency="high")
            self._fact(f"case/{case}", judged, "lead", (), urgency="judgement")
        else:
            told = i.ReporterRecorded(case=case, route="agency")
            self._fact(f"case/{case}", told, "lead", (), route="reporter")

    def _flag(self) -> None:
        case, person = self._person()
        flags = self._some(("died", "abuse", "conflict_of_interest"))[:2]
        event = i.PersonFlagged(case=case, person=person, flags=flags)
        self._say(f"case/{case}", event, kind="flags", case=case, person=person, flags=flags)

    def _protect(self) -> None:
        (case, person), named = self._person(), self._some(AGENCIES)
        item = self.chance.choice(("address", "address", "phone", "workplace", "school"))
        event = i.ItemProtected(case=case, person=person, item=item, named=named)
        self._protection(event, case=case, person=person, item=item, named=named)

    def _lift(self) -> None:
        case, person = self._person()
        item = self.chance.choice(("address", "phone", "workplace", "school"))
        event = i.ProtectionLifted(case=case, person=person, item=item)
        self._protection(event, case=case, person=person, item=item, named=None)

    def _protection(self, event: Event, case: UUID, **said: Any) -> None:
        self._say(f"case/{case}", event, kind="protected", case=case, **said)
