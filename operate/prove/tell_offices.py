"""Programmes, desks and merged cases of a random history."""

from datetime import timedelta

from operate.prove.told import (
    AGENCIES,
    CASES,
    DESKS,
    STAFF,
    Plain,
    Scribe,
)
from shared.contracts import intake as i
from shared.contracts import referral as r


class Offices(Scribe):
    """Whose a programme, a desk and a case are."""

    def _contract(self) -> None:
        """Of an agency with the city: after all others, at once, or with a gap before it."""
        over = max((one["ends"] for one in self.contracts), default=self.now)
        begins = self.chance.choice((over, max(over, self.now), over + timedelta(days=1)))
        days = timedelta(days=self.chance.choice((2, 30, 30)))
        made: Plain = {
            "programme": "visits", "contract": self._new(), "begins": begins,
            "ends": begins + days, "agency": self.chance.choice(("care", "care", "clinic", "lead")),
        }  # fmt: skip
        self._say("programme/visits", r.ProgrammeContracted(**made), kind="contract", **made)
        self.contracts.append(made)
        self.moments += [begins, begins + days]

    def _end_contract(self) -> None:
        """Early: the last one, at once or within days, or before it began."""
        if self.contracts:
            last = self.contracts[-1]
            ends = self.now + self.chance.choice((0, 1, 3)) * timedelta(hours=20)
            ends = max(last["begins"], min(last["ends"], ends))
            about: Plain = {"contract": last["contract"], "ends": ends}
            event = r.ContractEnded(programme="visits", **about)
            self._say("programme/visits", event, kind="contract_ended", **about)
            last["ends"] = ends
            self.moments.append(ends)

    def _sit(self) -> None:
        """The same person of an agency may be named ahead of its contract, and to both desks."""
        self._take_seat(self.chance.choice(tuple(DESKS)), self.chance.choice(AGENCIES))

    def _take_seat(self, desk: str, agency: str) -> None:
        if all((one["desk"], one["agency"]) != (desk, agency) for one in self.seats):
            event = r.DeskMemberNamed(desk=desk, agency=agency, member=STAFF[0])
            seat: Plain = {"seat": self._new(), "desk": desk, "who": (agency, STAFF[0])}
            self._say(f"desk/{desk}", event, kind="seat", **seat)
            self.seats.append({**seat, "agency": agency})

    def _stand_up(self) -> None:
        if self.seats:
            seat = self.seats.pop(self.chance.randrange(len(self.seats)))
            desk, agency = seat["desk"], seat["agency"]
            event = r.DeskMemberLeft(desk=desk, agency=agency, member=STAFF[0])
            self._say(f"desk/{desk}", event, kind="stood_up", seat=seat["seat"])

    def _close_desk(self) -> None:
        if self.chance.random() < 0.2:
            desk = self.chance.choice(tuple(DESKS))
            self._say(f"desk/{desk}", r.DeskClosed(desk=desk), kind="desk_closed", desk=desk)

    def _merge(self) -> None:
        """Each case goes on in one that stands further on in a row drawn before, once at most."""
        if len(self.mergeable) > 1:
            merged = self.mergeable.pop(0)
            id, into = self._new(), self.chance.choice(self.mergeable)
            same = tuple(zip(CASES[merged], CASES[into], strict=False))
            same = same[: self.chance.choice((0, 1, 1, 2))]
            said: Plain = {"merge": id, "merged": merged, "into": into, "same": same}
            self._say(f"merge/{id}", i.CasesMerged(**said), kind="merged", **said)
            self.merges.append(id)

    def _confirm(self) -> None:
        merge, consent = self._of(self.merges), self._of(self.consents)
        if merge and consent:
            event = i.ConsentConfirmed(merge=merge, consent=consent)
            self._say(f"merge/{merge}", event, kind="confirmed", merge=merge, consent=consent)

    def _undo(self) -> None:
        if merge := self._of(self.merges):
            self.merges.remove(merge)
            event = i.MergeUndone(merge=merge, reason="x")
            self._say(f"merge/{merge}", event, kind="undone", merge=merge)
