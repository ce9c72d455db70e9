"""Roles and databases, one of each a service, and the migrations that fill them."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from operate.install import ROOT
from operate.places import SERVICES
from operate.postgres import migrate

OWNERS = {**{name: name for name in SERVICES}, "keyring": "keyring_owner"}


async def provide(url: str, passwords: Mapping[str, str], *, renew: bool = False) -> list[str]:
    """Makes the roles and databases that are missing; `renew` sets known roles' passwords too."""
    import asyncpg

    connection = await asyncpg.connect(url)
    changes = []
    try:
        roles = {row["rolname"] for row in await connection.fetch("select rolname from pg_roles")}
        databases = {
            row["datname"] for row in await connection.fetch("select datname from pg_database")
        }
        for role in OWNERS.values():
            if role not in roles or renew:
                verb = "alter" if role in roles else "create"
                secret = await connection.fetchval("select quote_literal($1)", passwords[role])
                await connection.execute(f"{verb} role {role} login password {secret}")
            if role not in roles:
                changes.append(f"role {role}: made")
        for database, owner in OWNERS.items():
            if database in databases:
                continue
            if renew:  # on a server of others we may be no superuser
                await connection.execute(f"grant {owner} to current_user")
            await connection.execute(f"create database {database} owner {owner}")
            await connection.execute(
                f"revoke connect, temporary on database {database} from public"
            )
            changes.append(f"database {database}: made")
        await connection.execute(f"grant connect on database keyring to {', '.join(SERVICES)}")
        if not renew:
            await connection.execute("revoke connect, temporary on database postgres from public")
    finally:
        await connection.close()
    return changes


async def execute(url: str, *statements: str) -> None:
    """Each in a transaction of its own."""
    import asyncpg

    connection = await asyncpg.connect(url)
    try:
        for statement in statements:
            await connection.execute(statement)
    finally:
        await connection.close()


async def fetch(url: str, query: str, *arguments: Any) -> list[Any]:
    """The rows of one statement, on a connection of its own."""
    import asyncpg

    connection = await asyncpg.connect(url)
    try:
        return list(await connection.fetch(query, *arguments))
    finally:
        await connection.close()


def folders(database: str) -> list[Path]:
    if database == "keyring":
        return [ROOT / "shared" / "sql" / "keyring"]
    return [ROOT / "shared" / "sql", ROOT / "services" / database / "sql"]


def migrate_all(urls: Mapping[str, str]) -> None:
    """Brings each database to its newest migration; `urls` by database, each its owner's."""
    with ThreadPoolExecutor(4) as pool:
        for _ in pool.map(lambda name: migrate(urls[name], folders(name)), urls):
            pass
