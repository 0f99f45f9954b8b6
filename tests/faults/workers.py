"""Starts, stops and kills workers (worker.py): processes of their own, SIGKILL and all."""

import asyncio
import contextlib
import json
import os
import signal
import sys
from pathlib import Path
from typing import Any, Self

from functions.core.settings import Settings
from tests.faults.history import log
from tests.fixtures import until

ROOT = Path(__file__).parents[2]


class Workers:
    """Use as `async with`; all workers end with it."""

    def __init__(self, module: str = "tests.faults.worker") -> None:
        self._module = module
        self._forking: asyncio.subprocess.Process | None = None
        self.running: set[int] = set()

    async def __aenter__(self) -> Self:
        self._forking = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            self._module,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            cwd=ROOT,
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._forking is not None
        assert self._forking.stdin is not None
        self._forking.stdin.close()
        await self._forking.wait()

    async def start(self, settings: Settings, *, batch: int = 20, **more: Any) -> int:
        """A worker that drains the queue of this project; its pid. `more` is for its module."""
        assert self._forking is not None
        assert self._forking.stdin is not None
        assert self._forking.stdout is not None
        order = {
            "url": settings.supabase_url,
            "secret_key": settings.secret_key,
            "publishable_key": settings.publishable_key,
            "batch": batch,
            **more,
        }
        self._forking.stdin.write(json.dumps(order).encode() + b"\n")
        pid = int(await self._forking.stdout.readline())
        self.running.add(pid)
        log.info("worker %s starts", pid)
        return pid

    async def kill(self, *pids: int) -> None:
        """SIGKILL; returns when the processes are gone."""
        for pid in pids:
            os.kill(pid, signal.SIGKILL)
            log.info("worker %s is killed", pid)
        for pid in pids:
            await until(lambda pid=pid: _is_gone(pid), what=f"the end of {pid}")  # type: ignore[misc]
            self.running.discard(pid)

    async def kill_all(self) -> None:
        await self.kill(*self.running)


async def _is_gone(pid: int) -> bool:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, 0)
        return False
    return True
