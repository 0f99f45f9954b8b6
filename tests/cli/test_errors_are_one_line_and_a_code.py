"""What goes wrong is one line with what to do, and an exit code that scripts can rely on."""

import asyncio
import sys
from pathlib import Path

import orjson
import pytest

from functions.cli import connection
from functions.cli.__main__ import main
from local import dev
from local.running import announced
from local.stack import Stack
from tests.cli.conftest import COMMAND, Ended, Recado, environment
from tests.jobs.conftest import TestQueue

NOWHERE = "http://127.0.0.1:1"


def line(ended: Ended) -> str:
    assert ended.out == ""
    assert "Traceback" not in ended.err
    (only,) = ended.err.splitlines()
    return only


async def test_what_is_refused_or_missing_is_1(recado: Recado) -> None:
    missing = await recado("jobs", "show", 2**62)
    assert missing.code == 1
    assert line(missing).startswith("job_not_found: There is no such job")
    assert (await recado("queues", "pause", "no-such-queue")).code == 1
    cron = await recado("schedules", "set", "a.b", "test", "every day")
    assert (cron.code, line(cron).partition(":")[0]) == (1, "invalid_cron")


@pytest.mark.parametrize(
    "words",
    [
        ["jobs", "enqueue", "test", "--data", "[1]"],
        ["jobs", "enqueue", "test", "--data", "{"],
        ["jobs", "enqueue", "test", "--data", "@missing.json"],
        ["jobs", "enqueue", "test", "--delay", "soon"],
        ["jobs", "enqueue", "test", "--delay", "1h", "--at", "2030-01-01T00:00"],
        ["jobs", "enqueue", "test", "--priority", "10"],
        ["jobs", "enqueue", "test", "--unique-key", "u", "--count", "2"],
        ["jobs", "show", "abc"],
        ["jobs", "show", "-1"],
        ["jobs", "list", "--state", "lost"],
        ["queues", "limit", "default"],
        ["queues", "limit", "default", "--rate", "fast"],
        ["nonsense"],
        [],
    ],
    ids=" ".join,
)
def test_wrong_usage_is_2(
    words: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Before the database is asked, which would be 3 here."""
    monkeypatch.setattr(sys, "argv", ["recado", *words])
    monkeypatch.setenv("SUPABASE_URL", NOWHERE)
    monkeypatch.setenv("SUPABASE_SECRET_KEY", "x")
    try:
        code = main()
    except SystemExit as ended:
        code = int(str(ended.code))
    out, err = capsys.readouterr()
    assert (code, out) == (2, "")
    assert "usage" in err


async def test_missing_settings_are_2_and_name_the_ways_out(recado: Recado) -> None:
    nowhere = {"SUPABASE_URL": "http://localhost", "SUPABASE_SECRET_KEY": ""}
    ended = await recado("queues", env=nowhere)
    assert ended.code == 2
    assert "no SUPABASE_SECRET_KEY" in line(ended)
    assert "make dev" in line(ended)
    assert (await recado("queues", "--env-file", "missing.env")).code == 2


async def test_a_database_that_does_not_answer_is_3(recado: Recado) -> None:
    ended = await recado("jobs", "list", env={"SUPABASE_URL": NOWHERE})
    assert ended.code == 3
    assert line(ended).startswith("database_unavailable: ")
    assert NOWHERE in line(ended)


async def test_a_wrong_key_says_which_one(recado: Recado) -> None:
    ended = await recado("jobs", "list", env={"SUPABASE_SECRET_KEY": "sb_secret_wrong"})
    assert ended.code == 1
    assert "SUPABASE_SECRET_KEY" in line(ended)
    assert "sb_secret_wrong" not in line(ended)


async def test_programs_get_errors_as_objects(recado: Recado) -> None:
    ended = await recado("jobs", "show", 2**62, "--json")
    assert orjson.loads(line(ended))["code"] == "job_not_found"


async def test_a_reader_that_has_had_enough_is_no_error(stack: Stack, queue: TestQueue) -> None:
    await queue.enqueue(*({} for _ in range(200)))
    process = await asyncio.create_subprocess_shell(
        f"{' '.join(COMMAND)} jobs list --limit 200 --json | head -c 10",
        env=environment(stack),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    assert await process.communicate() == (b'{\n  "data"', b"")


async def test_the_project_may_be_named_in_a_file(
    recado: Recado, stack: Stack, tmp_path: Path
) -> None:
    """As `vercel env pull` writes it."""
    (tmp_path / "project.env").write_text(
        f'# Created by Vercel\nSUPABASE_URL="{stack.url}/"\n'
        f"export SUPABASE_SECRET_KEY='{stack.keys.secret_key}'\n"
    )
    words = ("queues", "--json", "--env-file", "project.env")
    named = await recado(*words, env={"SUPABASE_URL": NOWHERE, "SUPABASE_SECRET_KEY": "x"})
    assert "default" in named.json


def test_make_dev_needs_no_settings(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    assert connection.DEVELOPMENT == dev.DATA
    if not isinstance(stack, Stack):
        pytest.skip("the project is a named one")
    monkeypatch.setattr(connection, "DEVELOPMENT", stack.data)
    with announced(stack):
        found = connection.find_settings(None, {})
    assert (found.supabase_url, found.secret_key) == (stack.url, stack.keys.secret_key)
