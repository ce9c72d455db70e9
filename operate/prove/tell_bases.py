"""Consents and grounds of a random history."""

from datetime import timedelta
from uuid import UUID

from operate.prove.told import (
    AGENCIES,
    CASES,
    CLASSES,
    GROUP,
    NAMES_OF_HOLDERS,
    START,
    Plain,
    Scribe,
)
from shared.contracts import intake as i


class Given(Scribe):
    """What is given, narrowed, reviewed and taken back."""

    def _consent(self) -> None:
        id, chance = self._new(), self.chance
        case, person = self._person()
        terms: Plain = {
            "person": person,
            "status": chance.choice(("granted", "granted", "granted", "refused", "undecided")),
            "classes": self._some(CLASSES, 1),
            "purposes": chance.choice((("consultation",), ("application", "consultation"))),
            "holders": self._some(NAMES_OF_HOLDERS),
            "group": chance.choice((None, GROUP)),
            "excluded": self._mark(),
            "begins": chance.choice((self.now, START, self._soon())),
            "until": chance.choice((None, None, self._soon() + timedelta(days=1))),
            "proxy": chance.choice((None, None, "curator")),
        }
        if terms["until"]:
            self.moments.append(terms["until"])
        event = i.ConsentRecorded(consent=id, case=case, medium="paper", text_version="1", **terms)
        self._say(f"consent/{id}", event, kind="consent", consent=id, case=case, **terms)
        self.consents[id] = case

    def _narrow(self) -> None:
        if id := self._of(self.consents):
            less: Plain = {
                "excluded": self._some(NAMES_OF_HOLDERS), "dropped": self._some(CLASSES),
                "until": self.chance.choice((None, None, self._soon())),
            }  # fmt: skip
            event = i.ConsentNarrowed(consent=id, case=self.consents[id], **less)
            self._say(f"consent/{id}", event, kind="narrowed", consent=id, **less)

    def _end_consent(self) -> None:
        if id := self._of(self.consents):
            how = self.chance.choice((i.ConsentWithdrawn, i.ConsentExpired))
            self._say(
                f"consent/{id}", how(consent=id, case=self.consents[id]), kind="ended", consent=id
            )

    def _tell_of_member(self) -> None:
        if id := self._of(self.consents):
            agency = self.chance.choice(AGENCIES)
            event = i.ConsentToldOfMember(consent=id, case=self.consents[id], agency=agency)
            self._say(f"consent/{id}", event, kind="told", consent=id, agency=agency)

    def _terms(self, case: UUID) -> Plain:
        return {
            "persons": self._some(CASES[case], 1),
            "holders": self._some(NAMES_OF_HOLDERS, 1),
            "classes": self._some((*CLASSES, "judgement"), 1),
            "begins": self.now,
            "until": self._soon() + timedelta(days=2),
        }

    def _urgent(self) -> None:
        id, case = self._new(), self._case()
        terms = {**self._terms(case), "review_by": self._soon()}
        self.moments.append(terms["until"])
        event = i.UrgentAsserted(
            basis=id, case=case, danger="life", reason="x", informed="sato", **terms
        )
        self._say(f"basis/{id}", event, kind="urgent", basis=id, case=case, **terms)
        self.bases[id] = case

    def _ground(self) -> None:
        id, case = self._new(), self._case()
        terms = {**self._terms(case), "provider": self.chance.choice(AGENCIES[:2])}
        self.moments.append(terms["until"])
        event = i.GroundRecorded(
            basis=id, case=case, ground="law", citation="x", reason="x", no_harm="x",
            approver="sato", **terms,
        )  # fmt: skip
        self._say(f"basis/{id}", event, kind="ground", basis=id, case=case, **terms)
        self.bases[id] = case

    def _review(self) -> None:
        if id := self._of(self.bases):
            event = i.BasisReviewed(basis=id, case=self.bases[id])
            self._say(f"basis/{id}", event, kind="reviewed", basis=id)

    def _end_basis(self) -> None:
        if id := self._of(self.bases):
            event = i.BasisEnded(basis=id, case=self.bases[id])
            self._say(f"basis/{id}", event, kind="over", basis=id)
