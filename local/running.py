"""What a running stack tells the other commands: `running.json` in its folder.

The file outlives a stack that was killed; the lock on the data does not, so both are asked.
"""

import asyncio
import os
import signal
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import orjson

from local.errors import StackError
from local.postgres import PostgresError, lock
from local.stack import Stack, reset

FILE = "running.json"


@dataclass(frozen=True, slots=True)
class Running:
    """A stack, or a whole `make dev` when it has an `api_url`; `pid` is of the command itself."""

    url: str
    postgres_url: str
    database_url: str
    whatsapp_url: str
    api_url: str = ""
    pid: int = field(default_factory=os.getpid)
    started_at: str = field(default_factory=lambda: datetime.now(UTC).isoformat())


@contextmanager
def announced(stack: Stack, api_url: str = "") -> Iterator[Running]:
    """The other commands see this stack while inside."""
    path = stack.data / FILE
    urls = (stack.url, stack.postgres.url(), stack.database_url, stack.whatsapp_url, api_url)
    running = Running(*urls)
    path.write_bytes(orjson.dumps(asdict(running)))
    try:
        yield running
    finally:
        path.unlink(missing_ok=True)


def find(folder: Path) -> Running | None:
    """The stack that runs on the folder, or None. Raises StackError when it is still starting."""
    if not (folder / "postgres").exists():
        return None
    try:
        with lock(folder / "postgres"):
            return None
    except PostgresError:
        try:
            return Running(**orjson.loads((folder / FILE).read_bytes()))
        except FileNotFoundError:
            raise StackError(f"the stack on {folder} is starting or stopping") from None


def require(folder: Path) -> Running:
    """As `find`, but raises StackError when nothing runs."""
    running = find(folder)
    if running is None:
        raise StackError(f"no stack runs on {folder}; `make dev` starts one")
    return running


async def with_resets(run: Callable[[], Awaitable[None]], folder: Path) -> None:
    """Runs until the end; on SIGUSR1 stops, empties the folder's database and runs again."""
    loop = asyncio.get_running_loop()
    asked = asyncio.Event()
    while True:
        asked.clear()
        task = asyncio.ensure_future(run())

        def restart(task: asyncio.Future[None] = task) -> None:
            asked.set()
            task.cancel()

        loop.add_signal_handler(signal.SIGUSR1, restart)
        try:
            return await task
        except asyncio.CancelledError:
            if not asked.is_set():
                raise
            await reset(folder)
