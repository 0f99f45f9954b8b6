"""The leased jobs of a drain: those that run, and those that wait for the next batch of their type.

Jobs of one type run at most `concurrency` at once, each in the time of its handler. What happens to
a job becomes a settlement; one that is stopped because its lease is lost has none.
"""

import asyncio
import contextlib
import itertools
import logging
import time
from collections import Counter, deque
from collections.abc import Iterable, Iterator, Sequence

from functions.core import log
from functions.jobs.context import JobContext, Prolong
from functions.jobs.models import (
    BatchHandler,
    GiveUp,
    Handler,
    Handlers,
    Job,
    RetryLater,
    Settlement,
)
from functions.jobs.outcomes import settlement_of, success


class Execution:
    """Starts jobs and collects their settlements. Times are of time.monotonic()."""

    def __init__(
        self, handlers: Handlers, *, start_until: float, deadline: float, prolong: Prolong
    ) -> None:
        """Jobs start until `start_until`; at `deadline` all that runs is stopped."""
        self._handlers = handlers
        self._start_until = start_until
        self._deadline = deadline
        self._prolong = prolong
        self._rests: dict[tuple[str, str], float] = {}
        """Until when a provider wants to be left alone, by limit key or queue."""
        self._running: dict[asyncio.Task[None], Sequence[Job]] = {}
        """The slots in which jobs run, and what each does just now."""
        self._waiting: dict[str, deque[Job]] = {}
        self._taken: Counter[str] = Counter()
        """Slots in use, by type."""
        self._settlements: list[Settlement] = []
        self._finished = asyncio.Event()
        self._idle = asyncio.Event()
        self._loop_ahead = asyncio.get_running_loop().time() - time.monotonic()

    @property
    def is_busy(self) -> bool:
        return bool(self._running)

    @property
    def starting(self) -> bool:
        return time.monotonic() < self._start_until

    def held(self) -> Iterator[Job]:
        """The leased jobs that are not settled."""
        return itertools.chain(
            itertools.chain.from_iterable(self._running.values()),
            itertools.chain.from_iterable(self._waiting.values()),
        )

    def start(self, jobs: Iterable[Job]) -> None:
        """Takes leased jobs over."""
        for job in jobs:
            if job.type in self._waiting:
                self._waiting[job.type].append(job)
            elif job.type in self._handlers:
                self._waiting[job.type] = deque([job])
            else:
                unknown = GiveUp(f"no handler is registered for {job.type}")
                self._settlements.append(settlement_of(job, unknown))
        self._fill_slots()

    def wake(self) -> None:
        """Ends `finish` early."""
        self._finished.set()

    async def finish(self, seconds: float) -> bool:
        """Waits until a job has finished since the last `take`, or wake(), or for `seconds`;
        whether a job has."""
        await _in(seconds, self._finished)
        self._finished.clear()  # a second wait is for another job
        return bool(self._settlements) or not self._running

    async def linger(self, seconds: float) -> None:
        """Waits until nothing runs any more, but only `seconds`."""
        await _in(seconds, self._idle)

    def take(self) -> list[Settlement]:
        """The settlements since the last call. Starts the next batches, or gives back what waits
        for one when the time is up."""
        if self.starting:
            self._fill_slots()
        else:
            for job in itertools.chain.from_iterable(self._waiting.values()):
                self._settlements.append(Settlement(job.id, job.claim, "release"))
            self._waiting.clear()
        self._finished.clear()
        taken, self._settlements = self._settlements, []
        return taken

    def keep(self, held: set[int]) -> None:
        """Stops what is not among these jobs: its lease is lost."""
        for task, jobs in self._running.items():
            if jobs and not any(job.id in held for job in jobs):
                task.cancel()
        for waiting in self._waiting.values():
            kept = [job for job in waiting if job.id in held]
            waiting.clear()
            waiting.extend(kept)

    def stop(self) -> None:
        for task in self._running:
            task.cancel()

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._running.pop(task)
        self._finished.set()
        if not self._running:
            self._idle.set()

    def _fill_slots(self) -> None:
        """One task per slot, not per job: it costs half of what the loop does for a small job."""
        for type_, waiting in self._waiting.items():
            if not waiting:
                continue
            handler = self._handlers[type_]
            size = handler.size if isinstance(handler, BatchHandler) else 1
            taken = self._taken[type_]
            for _ in range(min(-(-len(waiting) // size), handler.concurrency - taken)):
                self._taken[type_] += 1
                task = asyncio.create_task(self._work(type_, handler, waiting))
                self._running[task] = ()
                task.add_done_callback(self._ended)
                self._idle.clear()

    async def _work(self, type_: str, handler: Handler | BatchHandler, waiting: deque[Job]) -> None:
        """A slot: the waiting jobs of a type, one after another."""
        task = asyncio.current_task()
        assert task is not None
        try:
            while waiting and self.starting:
                if isinstance(handler, BatchHandler):
                    size = min(len(waiting), handler.size)
                    jobs = [waiting.popleft() for _ in range(size)]
                    self._running[task] = jobs
                    await self._run_batch(handler, jobs)
                else:
                    job = waiting.popleft()
                    self._running[task] = (job,)
                    await self._run_one(handler, job)
                self._running[task] = ()
                self._finished.set()
        finally:
            self._taken[type_] -= 1

    async def _run_one(self, handler: Handler, job: Job) -> None:
        started = time.monotonic()
        if started < self._rests.get(_rest_of(job), 0.0):
            self._settlements.append(Settlement(job.id, job.claim, "release"))
            return
        try:
            settlement = await self._attempt(handler, job, started)
        except Exception as error:
            settlement = settlement_of(job, error)
        except asyncio.CancelledError:
            if _is_stopped():
                raise
            # Something that the handler awaits was cancelled, not the handler.
            settlement = settlement_of(job, RetryLater("cancelled: by the handler itself"))
        if settlement.outcome == "rate_limited" and settlement.delay_seconds:
            self._rests[_rest_of(job)] = time.monotonic() + settlement.delay_seconds
        self._settlements.append(settlement)
        _log_settled(job, settlement, started)

    async def _attempt(self, handler: Handler, job: Job, started: float) -> Settlement:
        latest = self._deadline + self._loop_ahead
        end = min(started + handler.timeout_seconds + self._loop_ahead, latest)
        async with asyncio.timeout_at(end) as timeout:
            context = JobContext(job, timeout, latest, self._prolong)
            try:
                return success(job, await handler.run(job, context))
            finally:
                context.cancelled = True

    async def _run_batch(self, handler: BatchHandler, jobs: Sequence[Job]) -> None:
        started = time.monotonic()
        seconds = min(handler.timeout_seconds, self._deadline - started)
        try:
            async with asyncio.timeout(seconds):
                failed = await handler.run(jobs)
            settlements = [
                settlement_of(job, RetryLater(failed[job.id]))
                if job.id in failed
                else Settlement(job.id, job.claim, "ok")
                for job in jobs
            ]
        except Exception as error:
            settlements = [settlement_of(job, error) for job in jobs]
        self._settlements += settlements
        for job, settlement in zip(jobs, settlements, strict=True):
            _log_settled(job, settlement, started)


def _rest_of(job: Job) -> tuple[str, str]:
    """What a RateLimited of this job stops: as the database does, for what is leased already."""
    return ("queue", job.queue) if job.limit_key is None else ("limit_key", job.limit_key)


def _is_stopped() -> bool:
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


async def _in(seconds: float, event: asyncio.Event) -> None:
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await event.wait()


def _log_settled(job: Job, settlement: Settlement, started: float) -> None:
    level = logging.DEBUG if settlement.outcome == "ok" else logging.INFO
    if log.logger.isEnabledFor(level):
        log.event(
            "job.settled",
            level,
            job=job.id,
            type=job.type,
            attempt=job.attempt,
            outcome=settlement.outcome,
            milliseconds=round((time.monotonic() - started) * 1000),
        )
