"""More of what bases are made of, in a year: consents given, narrowed and taken back, members who come and
go. Pure.

They concern agencies that nothing else in the year rests on, so that nothing planned is refused for them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime, timedelta
from random import Random
from typing import Any

from operate.demo import setting
from operate.demo.consenting import WITHDRAWAL, some_classes
from operate.demo.group import BODY as CONSENTED
from operate.demo.ikoma import ALL_PURPOSES, Ikoma
from operate.demo.intent import Intent
from operate.demo.plan import Year
from operate.demo.story import coordinator, member
from operate.demo.workdays import TOKYO

AGENCIES = 4
MEMBERSHIPS = 0.02
"""Share of the changes that are of the pool: each has the cases of many consents judged."""
LEAST = 12
"""Changes of one person's consents on a day."""
MOST = 1_200
"""People who change their minds: with more changes each does so more often, and the year is not longer."""
NARROWING = "/v1/consents/{consent}/narrowing"
DAYS = 4
"""At the least, of those that are played."""
APART = timedelta(milliseconds=10)


def concerned(year: Year, ikoma: Ikoma) -> list[str]:
    """Agencies that act in nothing, receive nothing and sit in no pool."""
    busy = {*setting.POOL, *setting.STATUTORY_POOL, setting.LEAVER, setting.JOINER}
    for intent in year.intents:
        if not intent.chain.startswith("setting/"):
            busy |= {intent.actor.agency, str(intent.body.get("receiver"))}
    return [code for code in ikoma.agencies if code not in busy][:AGENCIES]


def watched(year: Year, ikoma: Ikoma, others: Sequence[str]) -> list[str]:
    """Those and others, in an order in which not all of those give receipts: the others are to show
    that nothing comes to them.
    """
    codes = concerned(year, ikoma)
    rest = [code for code in others if code not in codes]
    return [*rest[:2], *codes, *rest[2:]]


def changed(year: Year, ikoma: Ikoma, changes: int) -> tuple[Year, frozenset[str]]:
    """The year with so many changes more, as early in it as can be, and their ids."""
    random = Random(f"changes/{year.seed}")
    codes = concerned(year, ikoma)
    granted = [
        one
        for one in year.intents
        if one.kind == "consent" and one.body["status"] == "granted" and not one.expect
    ]
    of_pools = round(changes * MEMBERSHIPS)
    each = max(LEAST, -(-(changes - of_pools) // min(MOST, len(granted))))
    wanted = -(-(changes - of_pools) // each)
    early = sorted({one.at.date() for one in granted})[:DAYS]
    first = sum(one.at.date() in early for one in granted)
    made: list[Intent] = []
    for n in sorted(random.sample(range(max(first, wanted)), wanted)):
        consent = granted[n]
        left = changes - of_pools - len(made)
        made += _answers(consent, codes, random, min(each, left))
    days = sorted({one.at.date() for one in made})
    made += _memberships(days, codes, random, of_pools)
    intents = sorted((*year.intents, *made), key=lambda one: (one.at, one.id))
    return replace(year, intents=tuple(intents)), frozenset(one.id for one in made)


def _answers(after: Intent, codes: list[str], random: Random, number: int) -> Iterator[Intent]:
    """The person of a consent gives others, takes a part of some back, and then the rest, right after that
    one.
    """
    given, smaller = "", dict[str, Any]()
    for n in range(number):
        name, at = f"{after.id}/change-{n}", after.at + (n + 1) * APART
        refs = {"consent": given}
        if smaller and random.random() < 0.3:
            one = replace(after, kind="narrowing", path=NARROWING, body=smaller, refs=refs)
            smaller = {}
        elif given and random.random() < 0.8:
            one = replace(after, kind="withdrawal", path=WITHDRAWAL, body={}, refs=refs)
            given, smaller = "", {}
        else:
            one = replace(after, body=_terms(after, codes, random))
            given, smaller = name, _less(one.body, codes, random)
        yield replace(one, id=name, at=at, needs=(), occurred_at=None, repeat=False)


def _terms(after: Intent, codes: list[str], random: Random) -> dict[str, Any]:
    """For some of the agencies by name, or for the group less some of them."""
    some = random.sample(codes, random.randint(1, 2))
    group = random.random() < 0.4
    return {
        **after.body,
        "classes": list(some_classes(random)),
        "purposes": list(ALL_PURPOSES),
        "holders": [] if group else some,
        "group": CONSENTED if group else None,
        "excluded": some[:1] if group and random.random() < 0.3 else [],
        "until": None,
    }


def _less(terms: Mapping[str, Any], codes: list[str], random: Random) -> dict[str, Any]:
    """Of those terms one class, or one agency, so that something is left; nothing where nothing would be."""
    ways = [{"dropped": [name]} for name in terms["classes"] if len(terms["classes"]) > 1]
    if terms["group"]:
        ways += [{"excluded": [code]} for code in codes if code not in terms["excluded"]]
    elif len(terms["holders"]) > 1:
        ways += [{"excluded": [code]} for code in terms["holders"]]
    return random.choice(ways) if ways else {}


def _memberships(
    days: list[date], codes: list[str], random: Random, number: int
) -> Iterator[Intent]:
    """Each joins on a day, leaves on one, comes back, sometimes on the same day."""
    here: set[str] = set()
    for n in range(number):
        day, code = days[n * len(days) // number], codes[n % len(codes)]
        who, at = member(code).subject, datetime.combine(day, setting.STOPS["member"], TOKYO)
        path, named = f"/v1/bodies/{CONSENTED}/members/{who}", code not in here
        here ^= {code}
        yield Intent(
            f"change/{code}-{n}", at + timedelta(minutes=1) + n * APART,
            "member" if named else "leaving", "meetings", "PUT" if named else "POST",
            path if named else f"{path}/leaving",
            {"agency": code, "secretariat": False} if named else {}, coordinator(), f"change/{code}",
        )  # fmt: skip
