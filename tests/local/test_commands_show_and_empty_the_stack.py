"""status, psql, logs and reset of `python -m local`, on a stack that runs and on none."""

import asyncio
import signal
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import urlsplit

import asyncpg
import httpx
import pytest

from local.stack import ROOT
from tests.conftest import POSTGRES_VERSION
from tests.fixtures import until
from tests.local.commands import Variables, command, local, make_project, running_stack


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("recado-commands")
    make_project(made)
    return made


@pytest.fixture(scope="module")
async def stack(folder: Path) -> AsyncIterator[Variables]:
    async with running_stack(folder) as variables:
        yield variables


async def notes(variables: Variables) -> list[str]:
    """Over the API, with the key that was printed."""
    url = f"{variables['SUPABASE_URL']}/rest/v1/notes?select=body"
    headers = {"apikey": variables["SUPABASE_SECRET_KEY"]}
    async with httpx.AsyncClient() as http:
        answer = await http.get(url, headers=headers)
        return [row["body"] for row in answer.raise_for_status().json()]


async def test_status_says_what_runs_where_without_keys(folder: Path, stack: Variables) -> None:
    shown = await local("status", "--folder", folder)
    assert (shown.returncode, shown.stderr) == (0, "")
    assert stack["SUPABASE_URL"] in shown.stdout
    assert f":{urlsplit(stack['DATABASE_URL']).port}/postgres" in shown.stdout
    assert f"data of Postgres {POSTGRES_VERSION}" in shown.stdout
    assert str(folder / "logs") in shown.stdout
    for name in ("SUPABASE_SECRET_KEY", "SUPABASE_SERVICE_ROLE_KEY"):
        assert stack[name] not in shown.stdout


async def test_the_processes_that_status_names_are_those_that_run(
    folder: Path, stack: Variables
) -> None:
    shown = (await local("status", "--folder", folder)).stdout
    postgres = int((folder / "postgres" / "postmaster.pid").read_text().split()[0])
    assert f"pid {postgres}\n" in shown
    assert shown.count("pid ") == 4


async def test_the_variables_are_printed_when_they_are_asked_for(
    folder: Path, stack: Variables
) -> None:
    shown = await local("status", "--folder", folder, "--env")
    assert dict(line.split("=", 1) for line in shown.stdout.splitlines()) == stack


async def test_psql_reaches_the_database(folder: Path, stack: Variables) -> None:
    shown = await local("psql", "--folder", folder, "-Atc", "select current_user, 6 * 7")
    assert (shown.returncode, shown.stdout) == (0, "postgres|42\n")
    wrong = await local("psql", "--folder", folder, "-c", "select nonsense")
    assert wrong.returncode == 1
    assert 'column "nonsense" does not exist' in wrong.stderr


async def test_logs_shows_one_part_or_all_and_goes_on(folder: Path, stack: Variables) -> None:
    await local("psql", "--folder", folder, "-c", "select a_word_of_mine")
    everything = (await local("logs", "--folder", folder)).stdout
    assert "postgres | " in everything
    assert "a_word_of_mine" in everything
    follow = command("logs", "postgres", "-f", "--folder", folder)
    with subprocess.Popen(follow, cwd=ROOT, stdout=subprocess.PIPE, text=True) as following:
        assert following.stdout is not None
        try:
            async with asyncio.timeout(30):
                while "a_word_of_mine" not in await asyncio.to_thread(following.stdout.readline):
                    pass
                await local("psql", "--folder", folder, "-c", "select a_later_word")
                while "a_later_word" not in await asyncio.to_thread(following.stdout.readline):
                    pass
        finally:
            following.kill()


async def test_reset_empties_a_running_stack_that_keeps_addresses_and_keys(
    folder: Path, stack: Variables
) -> None:
    connection = await asyncpg.connect(stack["DATABASE_URL"])
    await connection.execute("insert into notes values ('mine'); create table more ()")
    await connection.close()
    assert await notes(stack) == ["seeded", "mine"]
    done = await local("reset", "--folder", folder)
    assert done.returncode == 0, done.stderr
    assert await notes(stack) == ["seeded"]


async def test_what_does_not_run_is_said_so(tmp_path: Path) -> None:
    shown = await local("status", "--folder", tmp_path / "nothing")
    assert (shown.returncode, shown.stdout) == (
        3,
        f"{tmp_path / 'nothing'}: not running, no data\n",
    )
    assert not (tmp_path / "nothing").exists()
    for arguments in (["psql"], ["psql", "-c", "select 1"]):
        refused = await local(*arguments, "--folder", tmp_path / "nothing")
        assert refused.returncode == 1
        assert refused.stderr.startswith("local psql: no stack runs on ")
        assert refused.stderr.count("\n") == 1


async def test_a_killed_stack_is_not_taken_for_a_running_one(tmp_path: Path) -> None:
    make_project(tmp_path)
    async with running_stack(tmp_path, end=signal.SIGKILL):
        pass

    async def over() -> bool:
        return (await local("status", "--folder", tmp_path)).returncode == 3

    assert (tmp_path / "running.json").exists()
    await until(over)
