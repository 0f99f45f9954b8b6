"""What a handler has beside its job: its time, its lease, and a log."""

import asyncio
import logging
from collections.abc import Awaitable, Callable

from functions.core import log
from functions.core.errors import Unavailable
from functions.jobs.models import Cancelled, Job, Json

Prolong = Callable[[Job, Json | None], Awaitable[bool]]
"""Prolongs the lease of a job and notes its progress; False where it is not held any more."""


class JobContext:
    """One attempt of one job, for its handler.

    The runner prolongs the lease by itself and stops a handler that has lost it, at its next
    `await`; nothing here has to be called. What is called costs a round trip; while the database
    does not answer it does nothing, since the lease has its time.
    """

    __slots__ = ("_latest", "_prolong", "_timeout", "cancelled", "job")

    def __init__(self, job: Job, timeout: asyncio.Timeout, latest: float, prolong: Prolong) -> None:
        self.job = job
        self.cancelled = False
        """Whether to stop: the job is cancelled, its lease lost, or its time over. For code in
        threads, which nothing interrupts."""
        self._timeout = timeout
        self._latest = latest
        self._prolong = prolong

    @property
    def attempt(self) -> int:
        """1 for the first."""
        return self.job.attempt

    @property
    def is_last_attempt(self) -> bool:
        return self.job.is_last_attempt

    @property
    def seconds_left(self) -> float:
        """Until the handler is stopped and the job retried."""
        when = self._timeout.when()
        assert when is not None
        return max(0.0, when - asyncio.get_running_loop().time())

    async def extend(self, seconds: float) -> float:
        """Asks for at least `seconds` from now; the seconds left, which the end of the invocation
        bounds. Raises Cancelled."""
        await self._hold()
        end, asked = self._timeout.when(), asyncio.get_running_loop().time() + seconds
        assert end is not None
        self._timeout.reschedule(max(end, min(asked, self._latest)))
        return self.seconds_left

    async def progress(self, state: Json) -> bool:
        """Notes how far the job is: people see it, and its next attempt has it as `job.progress`.

        False: not noted, the database does not answer. Raises Cancelled.
        """
        return await self._hold(state)

    async def check(self) -> None:
        """Raises Cancelled where the job was cancelled or its lease lost."""
        await self._hold()

    def log(self, name: str, /, level: int = logging.INFO, **fields: str | int | float) -> None:
        """Logs what happened, with the job's id, type and attempt; ids and numbers only."""
        job = self.job
        log.event(name, level, job=job.id, type=job.type, attempt=job.attempt, **fields)

    async def _hold(self, progress: Json | None = None) -> bool:
        try:
            is_held = await self._prolong(self.job, progress)
        except Unavailable:
            return False
        if not is_held:
            self.cancelled = True
            raise Cancelled("the job was cancelled, or its lease lost")
        return True
