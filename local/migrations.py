"""Applies supabase/migrations and supabase/seed.sql the way `supabase db push` does.

Same tables, same order, same atomicity: a project may be moved between this and the real CLI at
any time. Also a command for those without the CLI, on any Postgres that a URL reaches:

    python -m local.migrations --database-url postgresql://postgres:...@host:5432/postgres
"""

import argparse
import asyncio
import hashlib
import re
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import asyncpg

from local.errors import StackError
from local.statements import Statement, split

FILE_NAME = re.compile(r"^([0-9]+)_(.*)\.sql$")
# Any number will do, as long as every run uses the same.
ADVISORY_LOCK = 7_253_690_112_030_001
TRANSACTION_WORDS = ("begin", "commit", "rollback", "savepoint", "release", "abort", "end")
TRANSACTION_POOLER_PORT = 6543

CREATE_TABLES = """
create schema if not exists supabase_migrations;
create table if not exists supabase_migrations.schema_migrations (version text not null primary key);
alter table supabase_migrations.schema_migrations add column if not exists statements text[];
alter table supabase_migrations.schema_migrations add column if not exists name text;
create table if not exists supabase_migrations.seed_files (path text not null primary key, hash text not null);
"""  # noqa: E501


class MigrationError(StackError):
    """Nothing of the named file is applied; the message says where it failed and why."""


@dataclass(frozen=True, slots=True)
class Migration:
    """One file: `version` are its leading digits, `name` the rest without `.sql`."""

    version: str
    name: str
    path: Path

    def statements(self) -> list[Statement]:
        """The file's statements. Raises MigrationError when they cannot be one transaction."""
        statements = split(self.path.read_text(encoding="utf-8"))
        for statement in statements:
            where = f"{self.path}:{statement.line}"
            if statement.words[:1] and statement.words[0] in TRANSACTION_WORDS:
                raise MigrationError(f"{where}: a file is one transaction; remove BEGIN/COMMIT")
            if _is_concurrent(statement) and len(statements) > 1:
                raise MigrationError(f"{where}: CONCURRENTLY must be the only statement of a file")
        return statements


def find_migrations(folder: Path) -> list[Migration]:
    """The migration files in `folder` in the order they are applied; other files are ignored."""
    found = []
    for path in sorted(folder.glob("*.sql")):
        match = FILE_NAME.match(path.name)
        if match:
            found.append(Migration(match[1], match[2], path))
    versions = [migration.version for migration in found]
    for version in versions:
        if versions.count(version) > 1:
            raise MigrationError(f"{folder}: two files have the version {version}")
    return found


async def migrate(
    database_url: str,
    folder: Path,
    *,
    include_all: bool = False,
    report: Callable[[str], None] = lambda line: None,
) -> list[Migration]:
    """Applies the files the database does not have yet, oldest first, and returns them.

    Each file is one transaction together with its row in schema_migrations: files before a failing
    one stay, of the failing one nothing. Raises MigrationError, also when the database has
    versions that `folder` lacks, or (without `include_all`) when a file is older than the newest
    applied one.
    """
    async with _exclusive(database_url) as connection:
        pending = await _pending(connection, find_migrations(folder), include_all)
        for migration in pending:
            report(f"applying {migration.path.name}")
            await _apply(connection, migration)
        return pending


async def seed(database_url: str, path: Path, *, name: str = "supabase/seed.sql") -> bool:
    """Runs the seed file once; True when it ran.

    A seed that changed after it ran is not run again, only its new hash is noted, like the CLI.
    """
    source = path.read_text(encoding="utf-8")
    digest = hashlib.sha256(source.encode()).hexdigest()
    async with _exclusive(database_url) as connection:
        known = await connection.fetchval(
            "select hash from supabase_migrations.seed_files where path = $1", name
        )
        if known == digest:
            return False
        async with connection.transaction():
            if known is None:
                await _run(connection, path, split(source))
            await connection.execute(
                "insert into supabase_migrations.seed_files (path, hash) values ($1, $2)"
                " on conflict (path) do update set hash = excluded.hash",
                name,
                digest,
            )
        return known is None


@asynccontextmanager
async def _exclusive(database_url: str) -> AsyncIterator[Any]:
    """A connection that holds the migration lock; waits while another one holds it."""
    if urlsplit(database_url).port == TRANSACTION_POOLER_PORT:
        raise MigrationError(
            f"port {TRANSACTION_POOLER_PORT} is the transaction pooler, which cannot hold a lock;"
            " use the direct connection or the session pooler (port 5432)"
        )
    try:
        connection = await asyncpg.connect(
            database_url, statement_cache_size=0, command_timeout=None
        )
    except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        raise MigrationError(f"no connection to the database: {error or 'timeout'}") from error
    try:
        await connection.execute("select pg_advisory_lock($1)", ADVISORY_LOCK)
        await connection.execute("set lock_timeout = '4s'; " + CREATE_TABLES)
        yield connection
    finally:
        await connection.close()


async def _pending(connection: Any, found: list[Migration], include_all: bool) -> list[Migration]:
    rows = await connection.fetch("select version from supabase_migrations.schema_migrations")
    applied = {row["version"] for row in rows}
    missing = sorted(applied - {migration.version for migration in found})
    if missing:
        raise MigrationError(
            f"the database has migrations that the folder lacks: {', '.join(missing)}"
        )
    pending = [migration for migration in found if migration.version not in applied]
    newest = max(applied, default="")
    late = [migration.path.name for migration in pending if migration.version < newest]
    if late and not include_all:
        names = ", ".join(late)
        raise MigrationError(
            f"older than the newest applied migration: {names}; --include-all applies them"
        )
    return pending


async def _apply(connection: Any, migration: Migration) -> None:
    statements = migration.statements()
    await connection.execute("reset all")
    if any(_is_concurrent(statement) for statement in statements):
        await _run(connection, migration.path, statements)
        await _record(connection, migration, statements)
        return
    async with connection.transaction():
        await _run(connection, migration.path, statements)
        await _record(connection, migration, statements)


async def _record(connection: Any, migration: Migration, statements: list[Statement]) -> None:
    await connection.execute(
        "insert into supabase_migrations.schema_migrations (version, name, statements)"
        " values ($1, $2, $3)",
        migration.version,
        migration.name,
        [statement.text for statement in statements],
    )


async def _run(connection: Any, path: Path, statements: list[Statement]) -> None:
    for statement in statements:
        try:
            await connection.execute(statement.text)
        except asyncpg.PostgresError as error:
            raise MigrationError(_explain(path, statement, error)) from error


def _explain(path: Path, statement: Statement, error: Any) -> str:
    """`file:line: message (code)` with what Postgres adds, and the statement's first lines."""
    line = statement.line_of(int(error.position)) if error.position else statement.line
    parts = [f"{path}:{line}: {error.message} (SQLSTATE {error.sqlstate})"]
    for label, text in (("detail", error.detail), ("hint", error.hint), ("in", error.context)):
        if text:
            parts.append(f"  {label}: {text}")
    first = "\n    ".join(statement.text.splitlines()[:5])
    return "\n".join([*parts, f"  statement at line {statement.line}:", f"    {first}"])


def _is_concurrent(statement: Statement) -> bool:
    return "concurrently" in statement.words and statement.words[0] in ("create", "drop", "reindex")


async def _command(arguments: argparse.Namespace) -> int:
    try:
        done = await migrate(
            arguments.database_url,
            arguments.folder / "migrations",
            include_all=arguments.include_all,
            report=print,
        )
        print(f"{len(done)} migrations applied" if done else "the database is up to date")
        if arguments.seed and await seed(arguments.database_url, arguments.folder / "seed.sql"):
            print("seed.sql ran")
    except (MigrationError, OSError, asyncpg.PostgresError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def main() -> int:
    """The command line; exit code 1 and a message on stderr when something is refused."""
    parser = argparse.ArgumentParser(prog="python -m local.migrations", description=__doc__)
    parser.add_argument("--database-url", required=True, help="as role postgres; port 5432")
    parser.add_argument("--folder", type=Path, default=Path("supabase"))
    parser.add_argument("--include-all", action="store_true", help="also files older than applied")
    parser.add_argument("--seed", action="store_true", help="also run seed.sql, once")
    return asyncio.run(_command(parser.parse_args()))


if __name__ == "__main__":
    sys.exit(main())
