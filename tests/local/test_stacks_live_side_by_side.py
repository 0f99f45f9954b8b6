"""Stacks do not disturb each other, survive SIGKILL and restarts, and run as root and as nobody."""

import os
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import pytest

from local.postgres import UNPRIVILEGED_USER
from local.stack import ROOT
from tests.local.commands import make_project, running_stack


async def run(url: str, sql: str) -> object:
    connection = await asyncpg.connect(url)
    try:
        return await connection.fetchval(sql)
    finally:
        await connection.close()


async def test_two_stacks_have_their_own_ports_keys_and_data(tmp_path: Path) -> None:
    for name in ("one", "two"):
        make_project(tmp_path / name)
    async with running_stack(tmp_path / "one") as one, running_stack(tmp_path / "two") as two:
        assert set(one) == set(two)
        assert not set(one.values()) & set(two.values())
        await run(one["DATABASE_URL"], "insert into notes values ('of one')")
        count = "select count(*) from notes"
        assert await run(one["DATABASE_URL"], count) == 2
        assert await run(two["DATABASE_URL"], count) == 1


async def test_what_was_committed_outlives_kill_and_restart(tmp_path: Path) -> None:
    make_project(tmp_path)
    async with running_stack(tmp_path, end=signal.SIGKILL) as killed:
        await run(killed["DATABASE_URL"], "insert into notes values ('kept')")
    for end in (signal.SIGINT, signal.SIGTERM):
        async with running_stack(tmp_path, end=end) as again:
            assert await run(again["DATABASE_URL"], "select max(body) from notes") == "seeded"
            assert await run(again["DATABASE_URL"], "select min(body) from notes") == "kept"
            assert again["SUPABASE_SECRET_KEY"] == killed["SUPABASE_SECRET_KEY"]


@pytest.fixture
def folder_of_nobody() -> Iterator[Path]:
    if os.geteuid() != 0:
        pytest.skip("not root: every other test shows it")
    folder = Path(tempfile.mkdtemp(prefix="recado-nobody-"))
    folder.chmod(0o755)
    os.chown(folder, pwd.getpwnam(UNPRIVILEGED_USER).pw_uid, -1)
    yield folder
    shutil.rmtree(folder)


async def test_a_user_without_rights_runs_it_too(folder_of_nobody: Path) -> None:
    script = "import asyncio, sys; from pathlib import Path; from local.stack import Stack\n"
    script += "async def main():\n async with Stack(Path(sys.argv[1]), project=None): print('up')\n"
    script += "asyncio.run(main())"
    packages = next(path for path in sys.path if path.endswith("site-packages"))
    # The interpreter of this environment may stand in root's home, which nobody else can enter.
    for python in (sys.executable, "/usr/bin/python3"):
        command = [python, "-B", "-c", script, str(folder_of_nobody / "data")]
        try:
            done = subprocess.run(
                command,
                user=UNPRIVILEGED_USER,
                extra_groups=[],
                cwd=ROOT,
                env={"PYTHONPATH": packages},
                capture_output=True,
                text=True,
                timeout=120,
            )
        except PermissionError:
            continue
        if "No module named" not in done.stderr:
            assert (done.returncode, done.stdout) == (0, "up\n"), done.stderr
            owner = (folder_of_nobody / "data" / "postgres").stat().st_uid
            assert owner == pwd.getpwnam(UNPRIVILEGED_USER).pw_uid
            return
    pytest.skip(f"no Python here that {UNPRIVILEGED_USER} can run")
