"""What each agency's subscription asks for at the broker, as the databases of views and referral say."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from operate import agencies, topics
from operate.install import Refused
from operate.stack import Stack
from operate.topics import Wanted

SUBSCRIPTIONS = """
select agency, public_key is not null and not quarantined as login, closed, login_renewed
  from subscription order by agency"""
LISTED = "select distinct key from journal where stream like 'agency/%'"


class Subscription(NamedTuple):
    """`login`: it has a key and no quarantine. `closed`: it ended, and its topic goes too. `renewed`: rises
    each time that another login is asked for.
    """

    agency: str
    login: bool
    closed: bool
    renewed: int


async def subscriptions(stack: Stack) -> list[Subscription]:
    return [Subscription(*row) for row in await fetch(stack, "views", SUBSCRIPTIONS)]


async def listed(stack: Stack) -> set[str]:
    """Codes in the directory."""
    return {str(row[0]) for row in await fetch(stack, "referral", LISTED)}


async def fetch(stack: Stack, service: str, query: str, *given: Any) -> list[tuple[Any, ...]]:
    import asyncpg

    try:
        connection = await asyncpg.connect(stack.database_url(service, service))
        try:
            return [tuple(row) for row in await connection.fetch(query, *given)]
        finally:
            await connection.close()
    except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        raise Refused(
            f"the database of {service} does not answer ({type(error).__name__}); look at "
            "./tsunagu status"
        ) from error


def wanted(stack: Stack, found: Sequence[Subscription]) -> Wanted:
    """With those that this copy has given a login and that have not subscribed yet."""
    made = topics.for_services(stack.places.secrets["kafka"])
    codes = set(agencies.provided(stack.places)) - {one.agency for one in found}
    codes |= {one.agency for one in found if one.login}
    theirs = topics.for_agencies({code: (agencies.user(code), "") for code in codes})
    return Wanted(
        {**made.topics, **theirs.topics},
        {**made.users, **theirs.users},
        made.rights | theirs.rights,
    )


def administrators(stack: Stack) -> set[str]:
    return {stack.external.username} if stack.external else {"admin", "broker"}
