"""The runner: claims due jobs, runs their handlers side by side and settles them, until nothing
is due or the time is up.

One round trip settles what has finished and claims the next. Jobs of one order key never run at
once, because a claim holds only the first of a key. A job that runs longer than a third of the
lease has it prolonged; one whose lease is lost is stopped. What has not started when the time is
up goes back at once, its attempt not counted.
"""

import asyncio
import itertools
import logging
import time
from collections import Counter
from collections.abc import Awaitable, Iterable, Iterator, Sequence
from typing import TypeVar

from functions.core import log
from functions.core.errors import Unavailable
from functions.jobs.models import (
    BatchHandler,
    DrainReport,
    GiveUp,
    Handler,
    Handlers,
    Job,
    RetryLater,
    Settlement,
)
from functions.jobs.outcomes import settlement_of
from functions.jobs.rpc import Queue

# Longer than every handler's timeout, shorter than people wait for a recovery.
LEASE_SECONDS = 60
# After the first job of a batch has finished, its neighbours get this long to share a round trip.
LINGER_SECONDS = 0.01
# A nudge while jobs run waits this long for others like it: each costs a round trip.
NUDGE_SECONDS = 0.05
# Pause between tries while the database does not answer.
OUTAGE_PAUSE_SECONDS = 0.5

T = TypeVar("T")
Running = dict[asyncio.Task[list[Settlement]], Sequence[Job]]


class Runner:
    """Works through the queue with a table of handlers."""

    def __init__(self, queue: Queue, handlers: Handlers, batch: int = 100) -> None:
        self._queue = queue
        self._handlers = handlers
        self._batch = batch
        self._longest = max((h.timeout_seconds for h in handlers.values()), default=0.0)

    async def drain(
        self,
        budget_seconds: float,
        queues: list[str] | None = None,
        limit_seconds: float | None = None,
    ) -> DrainReport:
        """Claims until nothing is due or `budget_seconds` are over; never raises for a job's sake.

        A job that has started gets the time of its handler, but `limit_seconds` end everything; by
        then the budget leaves room for the slowest handler, where that is possible. While the
        database does not answer, results are kept and settled as soon as it does; claims that
        could not be settled come back when their lease ends.
        """
        return await self.begin(budget_seconds, queues, limit_seconds).run()

    def begin(
        self,
        budget_seconds: float,
        queues: list[str] | None = None,
        limit_seconds: float | None = None,
    ) -> "Drain":
        """A drain that is about to run, for callers that want to nudge it meanwhile."""
        if limit_seconds is None:
            limit_seconds = budget_seconds + self._longest
        latest_claim = max(limit_seconds - self._longest, limit_seconds / 2)
        return Drain(
            self._queue,
            self._handlers,
            self._batch,
            claim_seconds=min(budget_seconds, latest_claim),
            limit_seconds=limit_seconds,
            queues=queues,
        )


class Drain:
    """One run through the queue."""

    def __init__(
        self,
        queue: Queue,
        handlers: Handlers,
        batch: int,
        *,
        claim_seconds: float,
        limit_seconds: float,
        queues: list[str] | None,
    ) -> None:
        self._queue = queue
        self._handlers = handlers
        self._batch = batch
        self._queues = queues
        self._started = time.monotonic()
        self._claim_until = self._started + claim_seconds
        self._deadline = self._started + limit_seconds
        self._slots: dict[str, asyncio.Semaphore] = {}
        self._running: Running = {}
        self._waiting: dict[str, list[Job]] = {}
        """Leased jobs for the next batch of their type."""
        self._nudged = asyncio.Event()
        self._leased_at = self._started
        self._report = DrainReport()

    @property
    def claiming(self) -> bool:
        """Whether a nudge would still be followed."""
        return time.monotonic() < self._claim_until

    def nudge(self) -> None:
        """There may be new work: look at the queue at once, also while slow jobs run."""
        self._nudged.set()

    async def run(self) -> DrainReport:
        finished: list[Settlement] = []
        try:
            while True:
                self._nudged.clear()
                self._start(await self._exchange(finished))
                finished = []
                if self._running:
                    finished = await self._finished()
                elif not (self._nudged.is_set() and self.claiming):
                    break
        except Unavailable as error:
            log.event("drain.broken_off", logging.WARNING, code=error.code)
        finally:
            for task in self._running:
                task.cancel()
        self._report.duration_seconds = round(time.monotonic() - self._started, 3)
        return self._report

    async def _exchange(self, finished: Sequence[Settlement]) -> list[Job]:
        """Settles `finished` and claims what there is room for. Raises Unavailable at the end."""
        while True:
            held = len(list(self._held()))
            room = self._batch - held if self.claiming else 0
            try:
                settled, jobs = await self._queue.exchange_jobs(
                    finished, room, LEASE_SECONDS, self._queues
                )
                break
            except Unavailable:
                # Without results there is nothing to stay for once claiming is over.
                kept = finished or held
                if time.monotonic() >= (self._deadline if kept else self._claim_until):
                    raise
                await asyncio.sleep(OUTAGE_PAUSE_SECONDS)
        self._report.count(settled)
        self._report.claimed += len(jobs)
        self._report.drained = room > 0 and not jobs
        return jobs

    def _held(self) -> Iterator[Job]:
        return itertools.chain(*self._running.values(), *self._waiting.values())

    def _start(self, jobs: Iterable[Job]) -> None:
        for job in jobs:
            handler = self._handlers.get(job.type)
            if isinstance(handler, BatchHandler):
                self._waiting.setdefault(job.type, []).append(job)
            else:
                self._running[asyncio.create_task(self._run_one(handler, job))] = [job]
        self._start_batches()

    def _start_batches(self) -> None:
        batches = Counter(jobs[0].type for jobs in self._running.values())
        for type_, waiting in self._waiting.items():
            handler = self._handlers[type_]
            assert isinstance(handler, BatchHandler)
            for _ in range(batches[type_], handler.concurrency):
                if jobs := waiting[: handler.size]:
                    del waiting[: handler.size]
                    self._running[asyncio.create_task(self._run_batch(handler, jobs))] = jobs

    async def _finished(self) -> list[Settlement]:
        """The settlements of what has finished: of at least one job, unless there was a nudge or a
        lease to prolong."""
        done = await self._until_finished_or_nudged()
        if time.monotonic() - self._leased_at >= LEASE_SECONDS / 3:
            await self._extend()
        results = [task.result() for task in done if not task.cancelled()]
        for task in done:
            del self._running[task]
        if self.claiming:
            self._start_batches()
        else:
            results.append(self._release_waiting())
        return list(itertools.chain.from_iterable(results))

    async def _until_finished_or_nudged(self) -> set[asyncio.Task[list[Settlement]]]:
        """The tasks that are done, those that end a moment later among them."""
        nudged = asyncio.create_task(self._nudged.wait())
        first = asyncio.FIRST_COMPLETED
        pause = LEASE_SECONDS / 3
        done, _ = await asyncio.wait([*self._running, nudged], timeout=pause, return_when=first)
        nudged.cancel()
        if done == {nudged}:
            await asyncio.wait(self._running, timeout=NUDGE_SECONDS, return_when=first)
        finished, _ = await asyncio.wait(self._running, timeout=LINGER_SECONDS)
        return finished

    def _release_waiting(self) -> list[Settlement]:
        waiting = list(itertools.chain.from_iterable(self._waiting.values()))
        self._waiting.clear()
        return [Settlement(job.id, job.claim, "release") for job in waiting]

    async def _extend(self) -> None:
        try:
            held = await self._queue.extend_jobs(list(self._held()), LEASE_SECONDS)
        except Unavailable:
            return  # the next third of the lease is another chance
        self._leased_at = time.monotonic()
        for task, jobs in self._running.items():
            if not any(job.id in held for job in jobs):
                task.cancel()
        for waiting in self._waiting.values():
            waiting[:] = [job for job in waiting if job.id in held]

    async def _run_one(self, handler: Handler | None, job: Job) -> list[Settlement]:
        if handler is None:
            return [settlement_of(job, GiveUp(f"no handler is registered for {job.type}"))]
        slots = self._slots.setdefault(job.type, asyncio.Semaphore(handler.concurrency))
        async with slots:
            if not self.claiming:
                return [Settlement(job.id, job.claim, "release")]
            started = time.monotonic()
            try:
                result = await self._in_time(handler.run(job), handler.timeout_seconds)
                settlement = Settlement(job.id, job.claim, "ok", result=result)
            except Exception as error:
                settlement = settlement_of(job, error)
        _log_settled(job, settlement, started)
        return [settlement]

    async def _run_batch(self, handler: BatchHandler, jobs: Sequence[Job]) -> list[Settlement]:
        started = time.monotonic()
        try:
            failed = await self._in_time(handler.run(jobs), handler.timeout_seconds)
            settlements = [
                settlement_of(job, RetryLater(failed[job.id]))
                if job.id in failed
                else Settlement(job.id, job.claim, "ok")
                for job in jobs
            ]
        except Exception as error:
            settlements = [settlement_of(job, error) for job in jobs]
        for job, settlement in zip(jobs, settlements, strict=True):
            _log_settled(job, settlement, started)
        return settlements

    async def _in_time(self, work: Awaitable[T], timeout_seconds: float) -> T:
        async with asyncio.timeout(min(timeout_seconds, self._deadline - time.monotonic())):
            return await work


def _log_settled(job: Job, settlement: Settlement, started: float) -> None:
    log.event(
        "job.settled",
        logging.DEBUG if settlement.outcome == "ok" else logging.INFO,
        job=job.id,
        type=job.type,
        attempt=job.attempt,
        outcome=settlement.outcome,
        milliseconds=round((time.monotonic() - started) * 1000),
    )
