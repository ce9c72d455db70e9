"""Pools, pledges and matters of a random history."""

from uuid import UUID

from operate.prove.told import (
    AGENCIES,
    BODY,
    CASES,
    GROUP,
    MEMBERS,
    Plain,
    Scribe,
)
from shared.contracts import Event
from shared.contracts import intake as i
from shared.contracts import meetings as m


class Sittings(Scribe):
    """Who belongs to a body, and what is put before it (L5, L12)."""

    def _name(self, body: str = GROUP) -> None:
        """Somebody joins a pool, comes back to it, goes to another agency, or to the office (L5a)."""
        member = self.chance.choice([*MEMBERS])
        agency = MEMBERS[member] if self.chance.random() < 0.9 else self.chance.choice(AGENCIES)
        office = self.chance.random() < 0.2
        self.here[body, member] = agency
        event = m.MemberNamed(body=body, member=member, agency=agency, secretariat=office)
        said: Plain = {"what": "named", "agency": agency, "office": office}
        self._say(f"body/{body}", event, kind="pool", body=body, member=member, **said)
        if body == BODY and self.chance.random() < 0.8:
            self._pledge()

    def _leave(self) -> None:
        if self.here:
            body, member = self.chance.choice([*self.here])
            del self.here[body, member]
            event = m.MemberLeft(body=body, member=member)
            self._say(f"body/{body}", event, kind="pool", body=body, member=member, what="left")

    def _pledge(self) -> None:
        if members := [member for body, member in self.here if body == BODY]:
            member, year = self.chance.choice(members), self.chance.choice((2026, 2026, 2026, 2027))
            event = m.MemberPledged(body=BODY, member=member, fiscal_year=year)
            said: Plain = {"what": "pledged", "year": year}
            self._say(f"body/{BODY}", event, kind="pool", body=BODY, member=member, **said)

    def _submit(self) -> None:
        id, case = self._new(), self._case()
        subjects = self._some(CASES[case], 1)
        event = m.MatterSubmitted(matter=id, case=case, body=BODY, subjects=subjects)
        said: Plain = {"matter": id, "case": case, "body": BODY, "subjects": subjects}
        self._say(f"matter/{id}", event, kind="matter", **said)
        self.matters[id] = case
        self._name(BODY)
        self._call()
        self._put_before()

    def _call(self) -> None:
        if id := self._of(self.matters):
            how = self.chance.choice((m.MembersCalled, m.MembersCalled, m.MembersAsked))
            here = [member for body, member in self.here if body == BODY]
            members = (*here[-2:], *self.chance.sample([*MEMBERS], 2))
            event = how(matter=id, case=self.matters[id], members=members)
            kind = "called" if how is m.MembersCalled else "asked"
            self._say(f"matter/{id}", event, kind=kind, matter=id, members=members)

    def _put_before(self) -> None:
        """L12: sealed, wherever it is typed; what is promoted is an ordinary fact."""
        if not (id := self._of(self.matters)):
            return
        case, who = self.matters[id], self.chance.choice(AGENCIES)
        of: Plain = {"matter": id, "case": case}
        person = self.chance.choice(CASES[case])
        material = m.MaterialSubmitted(**of, person=person, true_class="money", text="x")
        put: list[tuple[str, Event, tuple[UUID, ...], dict[str, str]]] = [
            (f"matter/{id}", material, (person,), {"true_class": "sealed", "text": "sealed"}),
            (f"matter/{id}", m.MatterDecided(**of, text="x"), (), {"text": "sealed"}),
            (
                f"case/{case}",
                i.SituationRecorded(**of, person=person, work="x", source="meeting"),
                (person,),
                {"work": "sealed", "source": "sealed"},
            ),
            (
                f"matter/{id}",
                m.FactPromoted(**of, person=person, material=id, work="x"),
                (person,),
                {"work": "work_school"},
            ),
        ]
        stream, event, about, fields = self.chance.choice(put)
        self._fact(stream, event, who, about, **fields)

    def _promise(self) -> None:
        """What a sitting held to be done, and what came of it: a worker's judgement, or sealed to the matter
        that it was agreed on (L22, L12).
        """
        matter = self._of(self.matters) if self.chance.random() < 0.5 else None
        id, case = self._new(), self.matters[matter] if matter else self._case()
        about, sealed = self._some(CASES[case]), "sealed" if matter else "judgement"
        of: Plain = {"task": id, "meeting": id, "case": case, "subjects": about, "matter": matter}
        who = self._recorder()
        agreed = m.TaskAgreed(**of, text="x", owner="care", due=self.now.date())
        self._fact(f"task/{id}", agreed, who, about, text=sealed)
        if self.chance.random() < 0.5:
            self._fact(f"task/{id}", m.TaskDone(**of, note="x"), "care", about, note=sealed)

    def _end_matter(self) -> None:
        if id := self._of(self.matters):
            event = m.MatterEnded(matter=id, case=self.matters[id])
            self._say(f"matter/{id}", event, kind="matter_ended", matter=id)
