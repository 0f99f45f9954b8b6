"""What the policies on realtime.messages allow: asked of the database itself, with probe rows in a
transaction that is always rolled back."""

import uuid
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass

import asyncpg
import orjson

from local.gateway.realtime.outage import UNREACHABLE
from local.gateway.realtime.tokens import Claims, Refused

NO_DATABASE = "Realtime was unable to connect to the project database"
ROLES = frozenset({"anon", "authenticated", "service_role"})


@dataclass(frozen=True, slots=True)
class ReadRights:
    broadcast: bool
    presence: bool


@dataclass(frozen=True, slots=True)
class Caller:
    """For whom a policy is evaluated. `headers` are those of the websocket request."""

    claims: Claims
    headers: Mapping[str, str]


class Undecided(Exception):
    """Whether somebody may write could not be found out; the message is the one of hosted."""


async def read_rights(
    pool: asyncpg.Pool, caller: Caller, topic: str, *, presence: bool
) -> ReadRights:
    """Whether the caller sees probe rows of the topic. A policy that raises denies.

    Raises Refused when the database cannot be asked.
    """
    probes = {"broadcast": uuid.uuid4()} | ({"presence": uuid.uuid4()} if presence else {})
    try:
        async with _rolled_back(pool) as connection:
            await connection.executemany(
                "insert into realtime.messages (id, topic, extension) values ($1, $2, $3)",
                [(probe, topic, extension) for extension, probe in probes.items()],
            )
            await _become(connection, caller, topic)
            rows = await connection.fetch(
                "select extension from realtime.messages where id = any($1)", list(probes.values())
            )
    except UNREACHABLE as error:
        raise Refused("UnableToConnectToProject", NO_DATABASE) from error
    except asyncpg.PostgresError:
        return ReadRights(broadcast=False, presence=False)
    seen = {row["extension"] for row in rows}
    return ReadRights(broadcast="broadcast" in seen, presence="presence" in seen)


async def may_broadcast(pool: asyncpg.Pool, caller: Caller, topic: str) -> bool:
    """Whether the caller could insert a broadcast on the topic. Raises Undecided."""
    try:
        async with _rolled_back(pool) as connection:
            await _become(connection, caller, topic)
            await connection.execute(
                "insert into realtime.messages (topic, extension) values ($1, 'broadcast')", topic
            )
    except asyncpg.InsufficientPrivilegeError:
        return False
    except UNREACHABLE as error:
        raise Undecided("Tenant database unavailable") from error
    except asyncpg.PostgresError as error:
        raise Undecided("RLS policy error") from error
    return True


@asynccontextmanager
async def _rolled_back(pool: asyncpg.Pool) -> AsyncIterator[asyncpg.Connection]:
    async with pool.acquire() as connection:
        transaction = connection.transaction()
        await transaction.start()
        try:
            yield connection
        finally:
            if not connection.is_closed():
                await transaction.rollback()


async def _become(connection: asyncpg.Connection, caller: Caller, topic: str) -> None:
    role = str(caller.claims.get("role"))
    if role not in ROLES:
        raise asyncpg.InvalidParameterValueError(f'role "{role}" does not exist')
    settings = {
        "role": role,
        "realtime.topic": topic,
        "request.jwt.claims": orjson.dumps(caller.claims).decode(),
        "request.jwt.claim.sub": str(caller.claims.get("sub") or ""),
        "request.jwt.claim.role": role,
        "request.headers": orjson.dumps(dict(caller.headers)).decode(),
    }
    await connection.execute(
        """
        select set_config(name, value, true)
        from unnest($1::text[], $2::text[]) as setting(name, value)
        """,
        list(settings),
        list(settings.values()),
    )
