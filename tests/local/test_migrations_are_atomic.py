"""A migration file applies whole or not at all, once, in order, and is recorded as by the CLI."""

import asyncio
import hashlib
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from uuid import uuid4

import asyncpg
import pytest

from local.migrations import MigrationError, migrate, seed
from local.stack import ROOT, Stack


@pytest.fixture
async def url(league: Stack, database: asyncpg.Pool) -> AsyncIterator[str]:
    """An empty database that postgres owns."""
    name = f"migrated_{uuid4().hex}"
    await database.execute(f"create database {name} owner postgres")
    yield league.postgres.url("postgres", name)
    await database.execute(f"drop database {name} with (force)")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    migrations = tmp_path / "migrations"
    migrations.mkdir()
    return migrations


async def query(url: str, sql: str) -> list[tuple[object, ...]]:
    connection = await asyncpg.connect(url)
    try:
        return [tuple(row) for row in await connection.fetch(sql)]
    finally:
        await connection.close()


APPLIED = "select version, name, statements from supabase_migrations.schema_migrations order by 1"


async def test_files_apply_in_order_and_once(url: str, folder: Path) -> None:
    (folder / "20260101000000_first.sql").write_text(
        "create table a ();\n-- why\ncreate table b ();"
    )
    (folder / "20260102000000_second one.sql").write_text("alter table a add id int;")
    (folder / "README.md").write_text("not a migration")
    (folder / "draft.sql").write_text("this is ignored")
    done = await migrate(url, folder)
    assert [migration.name for migration in done] == ["first", "second one"]
    assert await migrate(url, folder) == []
    assert await query(url, APPLIED) == [
        ("20260101000000", "first", ["create table a ()", "-- why\ncreate table b ()"]),
        ("20260102000000", "second one", ["alter table a add id int"]),
    ]


async def test_a_failing_file_leaves_nothing_and_names_the_line(url: str, folder: Path) -> None:
    (folder / "1_good.sql").write_text("create table good ();")
    bad = folder / "2_bad.sql"
    bad.write_text("create table half ();\n\n-- a comment\nselect 1,\n  nope\nfrom good;\n")
    with pytest.raises(MigrationError) as caught:
        await migrate(url, folder)
    message = str(caught.value)
    assert f'{bad}:5: column "nope" does not exist (SQLSTATE 42703)' in message
    assert "statement at line 3" in message
    tables = "select relname::text from pg_class where relname in ('good', 'half')"
    assert await query(url, tables) == [("good",)]
    assert [row[0] for row in await query(url, APPLIED)] == ["1"]
    bad.write_text("create table half ();")
    assert [migration.version for migration in await migrate(url, folder)] == ["2"]


async def test_an_error_inside_a_function_shows_where_it_was_called(url: str, folder: Path) -> None:
    (folder / "1_x.sql").write_text(
        "do $$\nbegin\n  raise exception 'stop' using detail = 'why', hint = 'do';\nend $$;"
    )
    with pytest.raises(MigrationError, match=r"stop \(SQLSTATE P0001\)") as caught:
        await migrate(url, folder)
    assert "detail: why" in str(caught.value)
    assert "hint: do" in str(caught.value)


async def test_versions_the_folder_lacks_are_refused(url: str, folder: Path) -> None:
    (folder / "1_a.sql").write_text("select 1;")
    (folder / "2_b.sql").write_text("select 1;")
    await migrate(url, folder)
    (folder / "1_a.sql").unlink()
    with pytest.raises(MigrationError, match="has migrations that the folder lacks: 1"):
        await migrate(url, folder)


async def test_a_file_older_than_the_newest_applied_needs_a_word(url: str, folder: Path) -> None:
    (folder / "2_b.sql").write_text("select 1;")
    await migrate(url, folder)
    (folder / "1_a.sql").write_text("select 1;")
    with pytest.raises(MigrationError, match=r"1_a\.sql; --include-all"):
        await migrate(url, folder)
    assert len(await migrate(url, folder, include_all=True)) == 1


async def test_two_files_of_one_version_are_refused(url: str, folder: Path) -> None:
    (folder / "1_a.sql").write_text("select 1;")
    (folder / "1_b.sql").write_text("select 1;")
    with pytest.raises(MigrationError, match="two files have the version 1"):
        await migrate(url, folder)


@pytest.mark.parametrize("word", ["begin", "COMMIT", "rollback", "savepoint x"])
async def test_transaction_words_are_refused(url: str, folder: Path, word: str) -> None:
    (folder / "1_a.sql").write_text(f"create table a ();\n{word};\ncreate table b ();")
    with pytest.raises(MigrationError, match=r"1_a\.sql:2: a file is one transaction"):
        await migrate(url, folder)


async def test_concurrently_stands_alone(url: str, folder: Path) -> None:
    (folder / "1_a.sql").write_text("create table a (id int);")
    (folder / "2_b.sql").write_text("-- alone\ncreate index concurrently i on a (id);")
    assert len(await migrate(url, folder)) == 2
    (folder / "3_c.sql").write_text("drop index concurrently i; select 1;")
    with pytest.raises(MigrationError, match="must be the only statement"):
        await migrate(url, folder)


async def test_settings_of_one_file_do_not_reach_the_next(url: str, folder: Path) -> None:
    (folder / "1_a.sql").write_text("set search_path = ''; set statement_timeout = '1h';")
    (folder / "2_b.sql").write_text("create table in_public ();")
    await migrate(url, folder)
    found = await query(url, "select to_regclass('public.in_public') is not null")
    assert found == [(True,)]


async def test_two_migrators_at_once_apply_everything_once(url: str, folder: Path) -> None:
    (folder / "1_a.sql").write_text("create table a (); select pg_sleep(0.2);")
    (folder / "2_b.sql").write_text("create table b ();")
    done = await asyncio.gather(*(migrate(url, folder) for _ in range(3)))
    assert sorted(len(each) for each in done) == [0, 0, 2]


async def test_a_seed_runs_once(url: str, tmp_path: Path) -> None:
    path = tmp_path / "seed.sql"
    path.write_text("create table seeded (id int); insert into seeded values (1);")
    assert await seed(url, path) is True
    assert await seed(url, path) is False
    path.write_text("insert into seeded values (2);")
    assert await seed(url, path) is False
    assert await query(url, "select id from seeded") == [(1,)]
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    files = "select path, hash from supabase_migrations.seed_files"
    assert await query(url, files) == [("supabase/seed.sql", digest)]


async def test_a_failing_seed_leaves_nothing(url: str, tmp_path: Path) -> None:
    path = tmp_path / "seed.sql"
    path.write_text("create table seeded ();\nselect nope;")
    with pytest.raises(MigrationError, match=r"seed\.sql:2"):
        await seed(url, path)
    assert await query(url, "select to_regclass('seeded') is null") == [(True,)]


async def test_the_transaction_pooler_is_refused(folder: Path) -> None:
    with pytest.raises(MigrationError, match="transaction pooler"):
        await migrate("postgresql://postgres@127.0.0.1:6543/postgres", folder)


async def test_the_command_migrates_and_tells(url: str, tmp_path: Path, folder: Path) -> None:
    (folder / "1_a.sql").write_text("create table a ();")
    (tmp_path / "seed.sql").write_text("select 1;")
    command = [sys.executable, "-m", "local.migrations", "--database-url", url]
    command += ["--folder", str(tmp_path), "--seed"]

    async def run() -> tuple[int, str, str]:
        done = await asyncio.to_thread(
            subprocess.run, command, cwd=ROOT, capture_output=True, text=True
        )
        return done.returncode, done.stdout, done.stderr

    assert await run() == (0, "applying 1_a.sql\n1 migrations applied\nseed.sql ran\n", "")
    assert await run() == (0, "the database is up to date\n", "")
    (folder / "2_b.sql").write_text("nonsense;")
    code, _, complaint = await run()
    assert code == 1
    assert "2_b.sql:1" in complaint
