"""A synthetic fiscal year of Ikoma, replayed through the public APIs and checked from outside.

plan      what happens in the year: dated intents, from a seed alone (ikoma, workdays, people,
          phrases, household, consenting, story, cases, referrals, sittings, statutory, setting)
drive     sends the intents, day by day of the simulated clock (client, clock, ledger)
agencies  the agencies' own copies, each built from its topic by the agency kit
oracle    what each agency must hold in the end, from the acknowledged intents and the law alone
check     nothing lost, nothing doubled, nothing parked (journals, topics, copies)
command   `./tsunagu demo` (year, state, show)
"""
