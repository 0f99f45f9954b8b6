"""Work after the answer: a drain in the same invocation, so that jobs start without a cron.

Requests that arrive while a drain runs nudge it instead of starting their own. Each waits for
the drain it joined, which keeps its invocation open on platforms that freeze an idle instance.
"""

import asyncio
from typing import Annotated

from fastapi import BackgroundTasks, Depends

from functions.core.parts import part
from functions.jobs.runner import Drain, Runner


class BackgroundDrain:
    """At most one claiming drain per process. What it misses, the next tick finds."""

    def __init__(self, runner: Runner, budget_seconds: float) -> None:
        self._runner = runner
        self._budget_seconds = budget_seconds
        self._drain: Drain | None = None
        self._task: asyncio.Task[object] | None = None

    async def __call__(self) -> None:
        """Returns when nothing is due any more, or the budget of the drain it joined is over."""
        if self._budget_seconds <= 0:
            return
        if self._drain is None or not self._is_joinable():
            self._drain = self._runner.begin(self._budget_seconds)
            self._task = asyncio.create_task(self._drain.run())
        self._drain.nudge()
        assert self._task is not None
        await asyncio.wait([self._task])

    def _is_joinable(self) -> bool:
        task, drain = self._task, self._drain
        return (
            task is not None
            and drain is not None
            and not task.done()
            and task.get_loop() is asyncio.get_running_loop()
            and drain.claiming
        )


async def _drain_afterwards(
    drain: Annotated[BackgroundDrain, part(BackgroundDrain)], background: BackgroundTasks
) -> None:
    background.add_task(drain)


DRAIN_AFTERWARDS = Depends(_drain_afterwards)
"""A dependency of routes that enqueue jobs: they start after the answer, if it is no error."""
