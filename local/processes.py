"""Child processes that cannot outlive us: each runs under `guard.py`, tied to us by a pipe."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from time import monotonic
from typing import IO

from local.errors import StackError

# A larger log starts anew with the next run.
LOG_LIMIT_BYTES = 20_000_000
GUARD = Path(__file__).with_name("guard.py")


class ChildError(StackError):
    """A child process ended, or did not become ready; the message holds the end of its log."""


class Child:
    """One running command; its output goes to `log`. `stop()` or our own death ends it."""

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        *,
        log: Path,
        stop_signal: signal.Signals = signal.SIGTERM,
        user: str | None = None,
        cwd: Path | None = None,
    ) -> None:
        self.name = name
        self.log = log
        guard = [sys.executable, "-I", "-S", str(GUARD), str(int(stop_signal)), user or "-"]
        with self._open_log() as output:
            self._process = subprocess.Popen(
                [*guard, *command],
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                cwd=cwd,
            )

    def _open_log(self) -> IO[bytes]:
        try:
            self.log.parent.mkdir(parents=True, exist_ok=True)
            kept = self.log.exists() and self.log.stat().st_size < LOG_LIMIT_BYTES
            self._log_start = self.log.stat().st_size if kept else 0
            return self.log.open("ab" if kept else "wb")
        except OSError as error:
            raise ChildError(f"{self.log} cannot be written: {error.strerror}") from error

    @property
    def running(self) -> bool:
        """False once the command has ended."""
        return self._process.poll() is None

    @property
    def pid(self) -> int:
        """Process id of the guard; the command is its only child."""
        return self._process.pid

    def log_tail(self, limit_bytes: int = 2000) -> str:
        """What this run has written last."""
        with self.log.open("rb") as stream:
            end = stream.seek(0, os.SEEK_END)
            stream.seek(max(self._log_start, end - limit_bytes))
            return stream.read().decode(errors="replace").strip()

    async def until_ready(
        self, check: Callable[[], Awaitable[bool]], *, timeout_seconds: float = 30
    ) -> None:
        """Returns when `check` answers True. Raises ChildError when the child ends before."""
        deadline = monotonic() + timeout_seconds
        while not await check():
            if not self.running:
                raise ChildError(f"{self.name} ended at start. {self.log}:\n{self.log_tail()}")
            if monotonic() > deadline:
                raise ChildError(f"{self.name} not ready in {timeout_seconds:g} s: {self.log}")
            await asyncio.sleep(0.02)

    async def stop(self) -> None:
        """Ends the command and waits for it; harmless when it has ended already."""
        if self._process.stdin is not None and not self._process.stdin.closed:
            self._process.stdin.close()
        while self._process.poll() is None:
            await asyncio.sleep(0.01)
