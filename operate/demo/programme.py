"""A programme under contract (委託事業): who runs it until autumn, who after, and whom they visit."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, time, timedelta

from operate.demo.cases import Consultation
from operate.demo.ikoma import Ikoma
from operate.demo.intent import Actor, Intent
from operate.demo.ledger import Done
from operate.demo.story import INTAKE
from operate.demo.workdays import TOKYO

CODE, DESK, FIRST, NEXT = "homon", "homon-madoguchi", "ikoma-shakyo", "ikoma-kikan"
LAST_DAY = (9, 30)
EARLY = timedelta(days=60)
"""A household visited under it is known so long before it passes."""


def visitor(code: str) -> Actor:
    return Actor(code, f"{code}.visitor-1", (INTAKE,))


def directory(ikoma: Ikoma, by: Actor) -> Iterator[Intent]:
    """The programme, its two contracts, its desk, and who sits at it."""
    days, last = ikoma.workdays, passes(ikoma) - timedelta(days=1)
    end = date(days.fiscal_year + 1, 3, 31)
    path, desk = f"/v1/programmes/{CODE}", f"/v1/desks/{DESK}"
    terms = ((FIRST, date(days.fiscal_year, 4, 1), last), (NEXT, passes(ikoma), end))
    steps: list[tuple[str, str, str, Mapping[str, object]]] = [
        ("programme", "PUT", path, {"name": "アウトリーチ等事業"}),
        *(
            ("contract", "POST", f"{path}/contracts",
             {"agency": code, "begins_on": begins, "last_on": until})
            for code, begins, until in terms
        ),
        ("desk", "PUT", desk, {"name": "訪問窓口", "programme": CODE}),
        *(
            ("seat", "PUT", f"{desk}/members/{visitor(code).subject}", {"agency": code})
            for code, *_ in terms
        ),
    ]  # fmt: skip
    at = datetime.combine(days.first, time(8, 42), TOKYO)
    for number, (kind, method, where, body) in enumerate(steps):
        id_ = f"setting/programme-{number}"
        yield Intent(id_, at, kind, "referral", method, where, body, by, "setting/programme")


def passes(ikoma: Ikoma) -> date:
    return date(ikoma.workdays.fiscal_year, *LAST_DAY) + timedelta(days=1)


def visited(made: Consultation) -> None:
    """Opened and worked by who runs the programme; taken over by who runs it next; the former is a stranger
    to it then (L2).
    """
    ikoma, day = made.ikoma, passes(made.ikoma)
    first = replace(made, lead=ikoma.agencies[FIRST], by=visitor(FIRST))
    first.open()
    first.screen()
    for days in (6, 25):
        first.record(made.story.day(made.opened, days))
    accept, note = "/v1/cases/{case}/lead-agency/acceptance", "/v1/cases/{case}/records"
    refs = {"case": first.case}
    made.story.add(made.story.day(day, 1), "takeover", "intake", "POST", accept, {}, visitor(NEXT),
                   refs=refs)  # fmt: skip
    later = replace(made, case=first.case, lead=ikoma.agencies[NEXT], by=visitor(NEXT))
    later.record(made.story.day(day, 15))
    late = {"kind": "support", "subjects": [], "method": "phone", "text": made.pen.contact()}
    made.story.add(made.story.day(day, 20), "record", "intake", "POST", note, late, visitor(FIRST),
                   name="former", refs=refs, expect=(404, "not-found"), effects=0)  # fmt: skip


@dataclass
class Programmes:
    """Contracts, desks and seats as they were told, read by the law alone (L2)."""

    contracts: list[tuple[str, str, datetime, datetime]] = field(default_factory=list)
    desks: dict[str, str] = field(default_factory=dict)
    seats: dict[tuple[str, str], tuple[str, datetime]] = field(default_factory=dict)

    def learn(self, one: Done) -> None:
        code, body = (one.intent.path.split("/") + [""] * 6)[3], one.body
        match one.intent.kind:
            case "contract":
                ends = _midnight(body["last_on"]) + timedelta(days=1)
                term = code, body["agency"], _midnight(body["begins_on"]), ends
                self.contracts.append(term)
            case "desk":
                self.desks[code] = body["programme"]
            case "seat":
                subject = one.intent.path.split("/")[5]
                self.seats[body["agency"], subject] = code, one.occurred.astimezone(UTC)

    def keeper(self, agency: str, subject: str, then: datetime, at: datetime) -> str | None:
        """Whose record it is at `at`, that this person of that agency made then."""
        desk, since = self.seats.get((agency, subject), ("", at))
        programme = self.desks.get(desk)
        if programme is None or then < since or self._runner(programme, then) != agency:
            return agency
        return self._runner(programme, at)

    def _runner(self, programme: str, at: datetime) -> str | None:
        for code, agency, begins, ends in self.contracts:
            if code == programme and begins <= at < ends:
                return agency
        return None


def _midnight(day: str) -> datetime:
    return datetime.combine(date.fromisoformat(day), time(), TOKYO)
