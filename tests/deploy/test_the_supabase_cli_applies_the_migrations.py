"""`supabase db push`, the real one, and our own migrator leave the same database behind.

Needs Node.js with npm, which fetches the CLI; skipped with the reason where that cannot be.
"""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from local.lint import supabase_cli
from local.lint.scratch import scratch_database
from local.migrations import migrate
from local.npm import NodeUnavailable
from local.postgres import Postgres
from tests.deploy.databases import MIGRATIONS, REPOSITORY, applied, copy, schema_dump


@pytest.fixture(scope="module", params=[16, 18])
async def postgres(request: pytest.FixtureRequest) -> AsyncIterator[Postgres]:
    """Hosted projects run 17: what works on the versions around it works there."""
    async with scratch_database(request.param) as server:
        yield server


@pytest.fixture(scope="module")
async def cli() -> Path:
    try:
        return await supabase_cli.install()
    except NodeUnavailable as reason:
        pytest.skip(str(reason))


async def push(cli: Path, url: str) -> None:
    await supabase_cli.run(cli, "db", "push", f"--remote={url}", folder=REPOSITORY)


async def test_both_leave_the_same_schema_and_the_same_record(
    postgres: Postgres, cli: Path
) -> None:
    by_cli = await copy(postgres, "by_cli")
    by_us = await copy(postgres, "by_us")

    await push(cli, by_cli)
    await migrate(by_us, MIGRATIONS)

    assert len(await applied(by_us)) == len(list(MIGRATIONS.glob("*.sql")))
    assert await applied(by_cli) == await applied(by_us)
    version = postgres.version
    assert await schema_dump(by_cli, version) == await schema_dump(by_us, version)


async def test_each_continues_where_the_other_stopped(postgres: Postgres, cli: Path) -> None:
    url = await copy(postgres, "by_both")
    await migrate(url, MIGRATIONS)
    record = await applied(url)

    await push(cli, url)

    assert await applied(url) == record
    assert await migrate(url, MIGRATIONS) == []
