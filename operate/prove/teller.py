"""Tells a whole random history, act by act."""

import random
from collections.abc import Callable

from operate.prove.tell_bases import Given
from operate.prove.tell_bodies import Sittings
from operate.prove.tell_facts import Facts
from operate.prove.tell_offices import Offices
from operate.prove.tell_referrals import Referrals
from operate.prove.told import (
    AGENCIES,
    CASES,
    DESKS,
    PURPOSES,
    History,
    Plain,
)
from shared.contracts import intake as i
from shared.contracts import referral as r


class Teller(Facts, Given, Sittings, Referrals, Offices):
    """The same for the same chance."""

    def tell(self) -> History:
        for agency, purposes in PURPOSES.items():
            about: Plain = {"agency": agency, "name": agency, "kind": "x", "controller": "city"}
            event = r.AgencyRegistered(**about, purposes=purposes)
            self._say(f"agency/{agency}", event, kind="agency", agency=agency, purposes=purposes)
        visits = r.ProgrammeRegistered(programme="visits", name="visits")
        self._say("programme/visits", visits, kind="programme")
        for desk, programme in DESKS.items():
            of: Plain = {"desk": desk, "programme": programme}
            of["agency"] = None if programme else "shop"
            self._say(f"desk/{desk}", r.DeskRegistered(name=desk, **of), kind="desk", **of)
        for case in self.made.cases:
            for person in CASES[case]:
                joins = i.PersonJoined(case=case, person=person, relation="other")
                self._fact(f"case/{case}", joins, "lead", (person,), relation="contact")
        self.made.bare = len(self.made.told)
        if self.chance.random() < 0.8:
            self._contract()
            for agency in AGENCIES[:3]:
                self._take_seat("visits-desk", agency)
        acts: list[Callable[[], None]] = [
            self._describe, self._describe, self._situation, self._situation, self._record,
            self._correct, self._correct,
            self._judgement, self._consent, self._consent, self._consent, self._consent,
            self._narrow, self._end_consent, self._tell_of_member, self._flag, self._urgent,
            self._ground, self._review, self._end_basis, self._protect, self._protect, self._lift,
            self._name, self._name, self._leave, self._pledge, self._pledge,
            self._submit, self._call, self._call, self._put_before, self._put_before, self._end_matter,
            self._promise, self._promise, self._refer, self._refer, self._answer, self._answer,
            self._contract, self._contract, self._end_contract, self._sit, self._sit,
            self._stand_up, self._close_desk,
        ]  # fmt: skip
        if len(self.made.cases) > 1:
            acts += [self._merge] * 4 + [self._confirm] * 4 + [self._undo]
        for _ in range(self.chance.randint(4, 20 + 6 * len(self.made.cases))):
            self.chance.choice(acts)()
            self._pass()
        self.parked.clear()
        while self.waiting:
            self._arrive()
        self._look(heard=True)
        return self.made


def history(seed: int, number: int) -> History:
    return Teller(random.Random(f"{seed}/{number}")).tell()
