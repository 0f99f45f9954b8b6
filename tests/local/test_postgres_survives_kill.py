"""Postgres from the wheel: what was committed stays, whatever is killed; errors say what to do."""

import asyncio
import os
import signal
import socket
from pathlib import Path

import asyncpg
import pytest

from local.errors import StackError
from local.postgres import HOST, SUPERUSER, Postgres, PostgresError
from local.stack import choose_port, reset
from tests.conftest import POSTGRES_VERSION


def server(data: Path, port: int = 0, version: int = POSTGRES_VERSION) -> Postgres:
    return Postgres(data=data / "postgres", port=port or choose_port(0), version=version)


async def run(postgres: Postgres, sql: str) -> object:
    connection = await asyncpg.connect(postgres.url(SUPERUSER))
    try:
        return await connection.fetchval(sql)
    finally:
        await connection.close()


def processes(data: Path) -> list[int]:
    """Pids of every process whose command line names `data`: the guard and the server."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                command = (entry / "cmdline").read_bytes()
            except OSError:
                continue
            if str(data).encode() in command and int(entry.name) != os.getpid():
                found.append(int(entry.name))
    return found


def children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


linux = pytest.mark.skipif(not Path("/proc/self").exists(), reason="looks at processes in /proc")


async def test_data_survives_a_restart(tmp_path: Path) -> None:
    async with server(tmp_path) as postgres:
        await run(postgres, "create table kept (id int)")
        assert await run(postgres, "show fsync") == "on"
        assert await run(postgres, "show timezone") == "UTC"
        assert await run(postgres, "show listen_addresses") == HOST
        version = await run(postgres, "show server_version_num")
        assert str(version).startswith(str(POSTGRES_VERSION))
        assert await run(postgres, "select lower('JOÃO')") == "joão"
    async with server(tmp_path) as postgres:
        assert await run(postgres, "select count(*) from kept") == 0


@linux
@pytest.mark.parametrize("victim", ["server", "guard", "everything"])
async def test_data_survives_sigkill(tmp_path: Path, victim: str) -> None:
    killed = server(tmp_path)
    await killed.__aenter__()
    connection = await asyncpg.connect(killed.url(SUPERUSER))
    try:
        await connection.execute("create table kept (id int); insert into kept values (1)")
        parents = processes(tmp_path)
        postmaster = int((tmp_path / "postgres" / "postmaster.pid").read_text().split()[0])
        guards = [pid for pid in parents if postmaster in children(pid)]
        everything = [*guards, postmaster, *children(postmaster)]
        victims = {"server": [postmaster], "guard": guards, "everything": everything}[victim]
        for pid in victims:
            os.kill(pid, signal.SIGKILL)
        await killed.stop()
        async with server(tmp_path) as postgres:
            assert await run(postgres, "select id from kept") == 1
    finally:
        connection.terminate()
    assert processes(tmp_path) == []


@linux
async def test_a_lock_file_whose_pid_is_somebody_elses_is_no_obstacle(tmp_path: Path) -> None:
    async with server(tmp_path) as postgres:
        lock = (tmp_path / "postgres" / "postmaster.pid").read_text()
        await run(postgres, "create table kept ()")
    _, _, rest = lock.partition("\n")
    (tmp_path / "postgres" / "postmaster.pid").write_text(f"{os.getpid()}\n{rest}")
    async with server(tmp_path) as postgres:
        assert await run(postgres, "select count(*) from kept") == 0


async def test_a_lock_file_that_a_full_disk_left_empty_is_no_obstacle(tmp_path: Path) -> None:
    async with server(tmp_path):
        pass
    (tmp_path / "postgres" / "postmaster.pid").touch()
    async with server(tmp_path) as postgres:
        assert await run(postgres, "select 1") == 1


async def test_one_data_directory_has_one_server(tmp_path: Path) -> None:
    async with server(tmp_path):
        with pytest.raises(PostgresError, match="another stack is running"):
            await server(tmp_path).__aenter__()


async def test_a_taken_port_is_named(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind((HOST, 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(PostgresError, match=f"port {port} is taken"):
            await server(tmp_path, port).__aenter__()
        with pytest.raises(StackError, match=f"port {port} is taken"):
            choose_port(port, strict=True)
        assert choose_port(port) != port


async def test_data_of_another_version_is_refused(tmp_path: Path) -> None:
    async with server(tmp_path):
        pass
    other = 16 if POSTGRES_VERSION == 18 else 18
    with pytest.raises(PostgresError, match=f"was made by Postgres {POSTGRES_VERSION}"):
        await server(tmp_path, version=other).__aenter__()


async def test_a_version_that_is_not_bundled_is_refused(tmp_path: Path) -> None:
    with pytest.raises(PostgresError, match="Postgres 12 is not bundled"):
        server(tmp_path, version=12)


async def test_half_made_data_is_made_anew(tmp_path: Path) -> None:
    fresh = tmp_path / "postgres.new"
    fresh.mkdir()
    (fresh / "rubbish").write_text("killed during initdb")
    async with server(tmp_path) as postgres:
        assert await run(postgres, "select 1") == 1
    assert not fresh.exists()


async def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(PostgresError, match="not writable"):
        await server(tmp_path / "file").__aenter__()


async def test_a_server_that_cannot_start_shows_its_log(tmp_path: Path) -> None:
    async with server(tmp_path):
        pass
    (tmp_path / "postgres" / "postgresql.conf").write_text("nonsense = 'x'\n")
    with pytest.raises(PostgresError, match="nonsense"):
        await server(tmp_path).__aenter__()
    await asyncio.sleep(0)


async def test_a_running_stack_is_not_removed(tmp_path: Path) -> None:
    async with server(tmp_path) as postgres:
        with pytest.raises(StackError, match="another stack is running"):
            await reset(tmp_path)
        assert await run(postgres, "select 1") == 1
    (tmp_path / "keys.json").touch()
    await reset(tmp_path)
    assert not (tmp_path / "postgres").exists()
    assert (tmp_path / "keys.json").exists()


async def test_a_folder_in_the_way_is_named(tmp_path: Path) -> None:
    (tmp_path / "postgres").mkdir()
    (tmp_path / "postgres" / "notes.txt").touch()
    with pytest.raises(PostgresError, match="in the way"):
        async with server(tmp_path):
            pass
    assert (tmp_path / "postgres" / "notes.txt").exists()
