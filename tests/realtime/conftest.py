"""One Postgres of its own for these tests, because one of them restarts it; one gateway on it."""

from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import pytest

from local.bootstrap import bootstrap
from local.keys import Keys
from local.postgres import SUPERUSER, Postgres
from tests.realtime.project import Project, Tenant
from tests.realtime.server import Server, free_port

SCHEMA = Path(__file__).with_name("schema.sql")


@pytest.fixture(scope="session")
async def postgres(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Postgres]:
    data = tmp_path_factory.mktemp("realtime") / "postgres"
    async with Postgres(data=data, port=free_port()) as server:
        await bootstrap(server.url(SUPERUSER))
        yield server


@pytest.fixture(scope="session")
async def project(postgres: Postgres) -> AsyncIterator[Project]:
    migrator = await asyncpg.connect(postgres.url())
    await migrator.execute(SCHEMA.read_text())
    await migrator.close()
    url = postgres.url(SUPERUSER)
    async with asyncpg.create_pool(url, min_size=1) as pool:
        yield Project(Keys.create(), url, pool)


@pytest.fixture(scope="session")
async def server(project: Project) -> AsyncIterator[Server]:
    async with Server(project) as running:
        yield running


@pytest.fixture
async def tenant(project: Project) -> Tenant:
    return await project.tenant()
