"""Transactions of /storage/v1: the caller becomes the role, the request becomes the settings."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import orjson
from starlette.requests import Request

from local.gateway.storage.caller import Caller, gateway_of

# How long a request waits for a free connection.
ACQUIRE_SECONDS = 10
# What policies may look at, and the switch that lets the service delete.
ACT_AS = """
select set_config('role', $1, true),
  set_config('request.jwt.claim.role', $1, true),
  set_config('request.jwt.claim.sub', $2, true),
  set_config('request.jwt.claims', $3, true),
  set_config('request.headers', $4, true),
  set_config('request.method', $5, true),
  set_config('request.path', $6, true),
  set_config('storage.operation', $7, true),
  set_config('storage.allow_delete_query', 'true', true)
"""


@asynccontextmanager
async def transaction(request: Request, caller: Caller) -> AsyncIterator[Any]:
    """A connection in a transaction of `caller`'s; it commits unless the block raises."""
    pool = gateway_of(request).rest
    async with pool.acquire(timeout=ACQUIRE_SECONDS) as connection, connection.transaction():
        await act_as(connection, request, caller)
        yield connection


@asynccontextmanager
async def rehearsal(request: Request, caller: Caller) -> AsyncIterator[Any]:
    """A transaction that is always rolled back: whether something would be allowed."""
    async with gateway_of(request).rest.acquire(timeout=ACQUIRE_SECONDS) as connection:
        attempt = connection.transaction()
        await attempt.start()
        try:
            await act_as(connection, request, caller)
            yield connection
        finally:
            await attempt.rollback()


async def act_as(connection: Any, request: Request, caller: Caller) -> None:
    """Everything until the end of the transaction, or until the next call, is done by `caller`."""
    await connection.fetchrow(
        ACT_AS,
        caller.role,
        caller.owner or "",
        orjson.dumps(caller.claims).decode(),
        orjson.dumps(dict(request.headers)).decode(),
        request.method,
        request.scope["raw_path"].decode("latin-1"),
        request.state.operation,
    )
