"""One request is one transaction: who asks becomes its role, the request becomes its settings."""

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import asyncpg
import orjson

from local.gateway.rest.catalog import SCHEMA, literal, quote
from local.gateway.rest.errors import from_connection, from_postgres
from local.gateway.rest.tokens import Caller

# Functions without their own search_path find extensions as on hosted.
SEARCH_PATH = f"{quote(SCHEMA)}, {quote('extensions')}"
# How long a request waits for a free connection.
ACQUIRE_SECONDS = 10

Settings = Sequence[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Statement:
    """One SQL statement, its values (all text), and what may go into the transaction.

    It yields one row: body (JSON text or null), page (rows in it), total (rows without the limit,
    or null), headers and status (set by the function called, or null), inserted (rows an upsert
    added, or null). `check` may refuse that row by raising; nothing is committed then.
    """

    sql: str
    values: Sequence[str]
    read_only: bool = False
    settings: Settings = ()
    check: Callable[[Any], None] = field(default=lambda row: None)


@dataclass(frozen=True, slots=True)
class Facts:
    """What the transaction's settings tell of the request; names as PostgREST has them."""

    method: str
    path: str
    headers: dict[str, str]
    cookies: dict[str, str]
    timezone: str | None = None


async def run(
    pool: Any, caller: Caller, facts: Facts, role_settings: Settings, statement: Statement
) -> Any:
    """The statement's row, after commit. Raises RestError for every way this can fail."""
    try:
        connection = await pool.acquire(timeout=ACQUIRE_SECONDS)
    except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        raise from_connection(error) from error
    try:
        return await _run_on(connection, caller, facts, role_settings, statement)
    except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError) as error:
        if _is_lost(connection):
            raise from_connection(error) from error
        if not isinstance(error, asyncpg.PostgresError):
            raise
        raise from_postgres(error, authenticated=caller.role != "anon") from error
    finally:
        await pool.release(connection)


async def _run_on(
    connection: Any, caller: Caller, facts: Facts, role_settings: Settings, statement: Statement
) -> Any:
    names, values = _settings(caller, facts, role_settings, statement.settings)
    await connection.execute("begin read only" if statement.read_only else "begin")
    try:
        await connection.fetchrow(_set_config(names), *values)
        row = await connection.fetchrow(statement.sql, *statement.values)
        statement.check(row)
    except BaseException:
        with suppress(asyncpg.PostgresError, asyncpg.InterfaceError, OSError):
            await connection.execute("rollback")  # fails when the connection is what failed
        raise
    await connection.execute("commit")
    return row


def _is_lost(connection: Any) -> bool:
    try:
        closed: bool = connection.is_closed()
    except asyncpg.InterfaceError:
        return True  # the pool has taken it back already, because it closed
    return closed


async def roll_back_leftovers(connection: Any) -> None:
    """Called by the pool when a connection comes back: a cancelled request leaves it open."""
    if connection.is_in_transaction():
        await connection.execute("rollback")


def _settings(
    caller: Caller, facts: Facts, role_settings: Settings, function_settings: Settings
) -> tuple[tuple[str, ...], list[str]]:
    """Names and values in the order they take effect: a function's settings override a role's."""
    pairs: list[tuple[str, str]] = [
        ("search_path", SEARCH_PATH),
        *role_settings,
        ("role", caller.role),
        ("request.jwt.claims", caller.claims_json),
        ("request.method", facts.method),
        ("request.path", facts.path),
        ("request.headers", orjson.dumps(facts.headers).decode()),
        ("request.cookies", orjson.dumps(facts.cookies).decode()),
    ]
    if facts.timezone:
        pairs.append(("timezone", facts.timezone))
    pairs.extend(function_settings)
    return tuple(name for name, _ in pairs), [value for _, value in pairs]


_statements: dict[tuple[str, ...], str] = {}


def _set_config(names: tuple[str, ...]) -> str:
    """One statement per set of names, so that each connection prepares it once."""
    if names not in _statements:
        calls = [
            f"set_config({literal(name)}, ${place}, true)"
            for place, name in enumerate(names, start=1)
        ]
        _statements[names] = "select " + ", ".join(calls)
    return _statements[names]
