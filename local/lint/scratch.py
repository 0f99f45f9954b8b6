"""A Supabase-like database that lives as long as a check: embedded Postgres and the bootstrap."""

import socket
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from local.bootstrap import bootstrap
from local.postgres import HOST, SUPERUSER, Postgres


@asynccontextmanager
async def scratch_database(version: int = 18) -> AsyncIterator[Postgres]:
    """A bootstrapped server without migrations, removed at the end; the database is `postgres`."""
    with tempfile.TemporaryDirectory(
        prefix="recado-scratch-", ignore_cleanup_errors=True
    ) as folder:
        data = Path(folder) / "postgres"
        async with Postgres(data=data, port=_free_port(), version=version) as postgres:
            await bootstrap(postgres.url(SUPERUSER))
            yield postgres


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
        return port
