"""Work after the answer: a drain in the same invocation, so that jobs start without a cron.

Requests that arrive while a drain runs nudge it instead of starting their own. Each waits for
the drain it joined, which keeps its invocation open on platforms that freeze an idle instance.
"""

import asyncio
from typing import Annotated

from fastapi import BackgroundTasks, Depends

from functions.core.parts import part
from functions.jobs.models import DrainReport
from functions.jobs.runner import Drain, Runner


class BackgroundDrain:
    """At most one claiming drain per process. What it misses, the next tick finds."""

    def __init__(self, runner: Runner, budget_seconds: float) -> None:
        self._runner = runner
        self._budget_seconds = budget_seconds
        self._running: tuple[Drain, asyncio.Task[DrainReport]] | None = None

    async def __call__(self) -> None:
        """Returns when nothing is due any more, or the budget of the drain it joined is over."""
        if self._budget_seconds <= 0:
            return
        running = self._joinable()
        while running is not None and not await running[0].nudge():
            running = self._joinable()
        if running is None:
            drain = self._runner.begin(self._budget_seconds)
            running = self._running = drain, asyncio.create_task(drain.run())
        await asyncio.wait([running[1]])

    def _joinable(self) -> tuple[Drain, asyncio.Task[DrainReport]] | None:
        if self._running is None:
            return None
        drain, task = self._running
        is_ours = task.get_loop() is asyncio.get_running_loop()
        return self._running if is_ours and not task.done() and drain.claiming else None


async def _drain_afterwards(
    drain: Annotated[BackgroundDrain, part(BackgroundDrain)], background: BackgroundTasks
) -> None:
    background.add_task(drain)


DRAIN_AFTERWARDS = Depends(_drain_afterwards)
"""A dependency of routes that enqueue jobs: they start after the answer, if it is no error."""
