"""`python -m local reset`: the database as the migrations and the seed make it, and nothing else.

A running stack restarts itself on the empty database, at the same addresses and with the same keys.
"""

import asyncio
import os
import signal
import sys
from pathlib import Path

from local.errors import StackError
from local.running import Running, find
from local.stack import Stack, reset

RESTART_SECONDS = 60.0


async def run(folder: Path, postgres_version: int | None) -> None:
    """Raises StackError when the migrations do not apply, or a stack does not come back."""
    running = find(folder)
    if running is None:
        await reset(folder)
        async with Stack(folder, postgres_version=postgres_version, seeded=True):
            pass
    elif postgres_version is not None:
        raise StackError("another version of Postgres needs a stopped stack")
    else:
        os.kill(running.pid, signal.SIGUSR1)
        await _until_restarted(folder, running)
    print(f"{folder}: migrations and seed applied, all else removed", file=sys.stderr)


async def _until_restarted(folder: Path, before: Running) -> None:
    try:
        async with asyncio.timeout(RESTART_SECONDS):
            while True:
                await asyncio.sleep(0.1)
                try:
                    os.kill(before.pid, 0)
                    now = find(folder)
                except (StackError, FileNotFoundError):
                    continue
                if now is not None and now.started_at != before.started_at:
                    return
    except (TimeoutError, ProcessLookupError):
        raise StackError(f"the stack did not start again: see {folder / 'logs'}") from None
