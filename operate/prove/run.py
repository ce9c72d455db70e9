"""A part of the histories, as one process goes through them."""

from operate.prove.life import Tally, live
from operate.prove.pairs import differ
from operate.prove.teller import history

PAIRS = 8
"""Every so many histories have a twin that differs in one thing."""


def proven(part: tuple[int, int, int]) -> Tally:
    """Of a seed the histories from a number to before another."""
    seed, first, end = part
    tally = Tally()
    for number in range(first, end):
        live(seed, number, tally)
        if number % PAIRS == 0:
            differ(history(seed, number), number, tally)
    return tally
