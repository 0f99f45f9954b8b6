"""One Postgres of its own for these tests, because one of them restarts it; one gateway on it."""

import os
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import pytest

from local.bootstrap import bootstrap
from local.keys import Keys
from local.postgres import SUPERUSER, Postgres
from local.stack import choose_port
from tests.realtime.probe import Member, Probe
from tests.realtime.server import Server

POSTGRES_VERSION = int(os.environ.get("RECADO_TEST_POSTGRES", "18"))
SCHEMA = Path(__file__).with_name("schema.sql")


@pytest.fixture(scope="session")
async def postgres() -> AsyncIterator[Postgres]:
    with tempfile.TemporaryDirectory(prefix="recado-realtime-", ignore_cleanup_errors=True) as home:
        data = Path(home) / "postgres"
        async with Postgres(data=data, port=choose_port(0), version=POSTGRES_VERSION) as server:
            await bootstrap(server.url(SUPERUSER))
            yield server


@pytest.fixture(scope="session")
async def probe(postgres: Postgres) -> AsyncIterator[Probe]:
    migrator = await asyncpg.connect(postgres.url())
    await migrator.execute(SCHEMA.read_text())
    await migrator.close()
    url = postgres.url(SUPERUSER)
    async with asyncpg.create_pool(url, min_size=1) as pool:
        yield Probe(Keys.create(), url, pool)


@pytest.fixture(scope="session")
async def server(probe: Probe) -> AsyncIterator[Server]:
    async with Server(probe) as running:
        yield running


@pytest.fixture
async def member(probe: Probe) -> Member:
    return await probe.member()
