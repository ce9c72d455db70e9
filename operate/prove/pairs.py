"""Pairs of histories that differ in one thing: an agency that may not see it cannot tell them apart."""

import random

from operate.prove.life import Life, Look, Tally
from operate.prove.oracle import Oracle
from operate.prove.told import AGENCIES, History


def differ(of: History, number: int, tally: Tally) -> None:
    """L14, L16: if the oracle lets an agency see the same in both at each look, it was sent the same:
    the same numbers, causes, contents (so their lengths), requests to give back, at the same looks. But for
    this: cases that are merged wait together for what was put aside of one of them (0091).
    """
    if len(of.told) == of.bare:
        return
    left_out = random.Random(number).randrange(of.bare, len(of.told))
    one, other = _looks(of), _looks(of, left_out)
    merge = of.told[left_out].stream.startswith("merge/")
    for agency in AGENCIES:
        if [look.sight for look in one[agency]] != [look.sight for look in other[agency]]:
            continue
        if merge and [look.waits for look in one[agency]] != [look.waits for look in other[agency]]:
            tally.pairs_that_wait += 1
            continue
        tally.pairs += 1
        tally.pairs_that_saw_something += any(look.change for look in one[agency])
        if [look.change for look in one[agency]] != [look.change for look in other[agency]]:
            tally.wrong.append(
                f"twin of history {number}: {agency} can tell whether "
                f"{of.told[left_out].event.TYPE} was told"
            )


def _looks(of: History, *without: int) -> dict[str, list[Look]]:
    life, found = Life(of), {agency: list[Look]() for agency in AGENCIES}
    for step in of.steps:
        if step.arrives is None:
            once = {(case, a): life.once((case, a)) for case in of.cases for a in AGENCIES}
            changes, _ = life.look(step)
            oracle = Oracle(life.plain)
            for agency in AGENCIES:
                found[agency] += [
                    Look(
                        changes.get((case, agency)),
                        oracle.sight(case, agency, step.at, once[case, agency]),
                        oracle.doubtful(case, of.put_aside(step)),
                    )
                    for case in of.cases
                ]
        elif step.arrives not in without:
            life.take(step.arrives)
    return found
