"""Puts the gateway together: one ASGI app, its pools and services, from start to stop."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import asyncpg
import orjson
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Mount, Route

from local.gateway.auth.config import AuthConfig
from local.gateway.auth.routes import routes as auth_routes
from local.gateway.context import Gateway
from local.gateway.edge import Edge
from local.gateway.realtime import Realtime
from local.gateway.rest.app import Rest
from local.gateway.storage.leftovers import sweep
from local.gateway.storage.routes import mount as storage
from local.keys import Keys

# Postgres has 60 connections; tests and psql want some too.
REST_CONNECTIONS = 16
ADMIN_CONNECTIONS = 8


def create_app(
    *,
    database_host: str,
    port: int,
    dbname: str,
    keys: Keys,
    public_url: str,
    auth: AuthConfig,
    storage_folder: Path,
) -> Starlette:
    """The gateway for the Postgres at `database_host:port`; `public_url` is what clients call.

    `storage_folder` has the bytes of stored objects, and nothing else.
    """
    rest = Rest()
    realtime = Realtime()
    place = {"host": database_host, "port": port, "database": dbname, "ssl": False}

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        async with (
            _pool(place, "authenticator", REST_CONNECTIONS) as rest_pool,
            _pool(place, "supabase_admin", ADMIN_CONNECTIONS) as admin_pool,
        ):
            url = f"postgresql://supabase_admin@{database_host}:{port}/{dbname}"
            gateway = Gateway(keys, rest_pool, admin_pool, url, public_url, auth, storage_folder)
            app.state.gateway = gateway
            await sweep(gateway)
            await rest.start(gateway)
            await realtime.start(gateway)
            try:
                yield
            finally:
                await realtime.stop()
                await rest.stop()

    return Starlette(
        routes=[
            Mount("/rest/v1", app=rest),
            Mount("/auth/v1", routes=auth_routes()),
            storage(),
            *realtime.routes(),
            Route("/{path:path}", not_served, methods=["GET", "POST", "PUT", "PATCH", "DELETE"]),
        ],
        middleware=[Middleware(Edge, keys=keys)],
        lifespan=lifespan,
    )


def _pool(place: dict[str, Any], user: str, size: int) -> Any:
    """A pool; statements stay prepared for the life of a connection."""
    return asyncpg.create_pool(
        **place,
        user=user,
        min_size=1,
        max_size=size,
        reset=_roll_back_leftovers,
        statement_cache_size=500,
        max_cached_statement_lifetime=0,
        max_inactive_connection_lifetime=0,
    )


async def _roll_back_leftovers(connection: Any) -> None:
    """When a connection comes back: a cancelled request leaves its transaction open."""
    if connection.is_in_transaction():
        await connection.execute("rollback")


async def not_served(request: Request) -> Response:
    """Services of a hosted project that the gateway does not have."""
    service = request.url.path.split("/")[1]
    message = f"{service or 'This path'} is not served by the local gateway"
    return Response(orjson.dumps({"message": message}), 501, media_type="application/json")
