"""The runner: claims due jobs, runs their handlers side by side and settles them, until nothing
is due or the time is up.

One round trip settles what has finished and claims the next. Jobs of one order key never run at
once, because a claim holds only the first of a key. A job that runs longer than a third of the
lease has it prolonged; one whose lease is lost is stopped. What has not started when the time is
up goes back at once, its attempt not counted.
"""

import asyncio
import logging
import math
import time
from collections.abc import Sequence

from functions.core import log
from functions.core.errors import Unavailable
from functions.jobs.execution import Execution
from functions.jobs.models import DrainReport, Handlers, Job, Json, Settlement
from functions.jobs.rpc import Queue

# Longer than every handler's timeout, shorter than people wait for a recovery.
LEASE_SECONDS = 60
# After the first job of a batch has finished, its neighbours get this long to share a round trip.
LINGER_SECONDS = 0.01
# A nudge while jobs run waits this long for others like it: each costs a round trip.
NUDGE_SECONDS = 0.05
# While work keeps coming in, the queue is looked at so often: a look costs the database about 1 ms
# however little it finds, and so does each batch.
PACE_SECONDS = 0.04
# Pause between tries while the database does not answer.
OUTAGE_PAUSE_SECONDS = 0.5
# Waits for a rate after which there was no job all the same: others were faster.
VAIN_WAITS = 3


class Runner:
    """Works through the queue with a table of handlers."""

    def __init__(self, queue: Queue, handlers: Handlers, batch: int = 100) -> None:
        self._queue = queue
        self._handlers = handlers
        self._batch = batch
        self.longest_seconds = max((h.timeout_seconds for h in handlers.values()), default=0.0)

    async def drain(
        self,
        budget_seconds: float,
        queues: list[str] | None = None,
        limit_seconds: float | None = None,
        patience_seconds: float = 0.0,
    ) -> DrainReport:
        """Claims until nothing is due or `budget_seconds` are over; never raises for a job's sake.

        A job that has started gets the time of its handler, but `limit_seconds` end everything; by
        then the budget leaves room for the slowest handler, where that is possible. While the
        database does not answer, results are kept and settled as soon as it does; claims that
        could not be settled come back when their lease ends.

        Due jobs that wait for a rate alone are waited for, up to `patience_seconds` each time.
        """
        return await self.begin(budget_seconds, queues, limit_seconds, patience_seconds).run()

    def begin(
        self,
        budget_seconds: float,
        queues: list[str] | None = None,
        limit_seconds: float | None = None,
        patience_seconds: float = 0.0,
    ) -> "Drain":
        """A drain that is about to run, for callers that want to nudge it meanwhile."""
        if limit_seconds is None:
            limit_seconds = budget_seconds + self.longest_seconds
        latest_claim = max(limit_seconds - self.longest_seconds, limit_seconds / 2)
        return Drain(
            self._queue,
            self._handlers,
            self._batch,
            claim_seconds=min(budget_seconds, latest_claim),
            limit_seconds=limit_seconds,
            patience_seconds=patience_seconds,
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
        patience_seconds: float,
        queues: list[str] | None,
    ) -> None:
        self._queue = queue
        self._batch = batch
        self._queues = queues
        self._started = time.monotonic()
        self._claim_until = self._started + claim_seconds
        self._deadline = self._started + limit_seconds
        self._work = Execution(
            handlers,
            start_until=self._claim_until,
            deadline=self._deadline,
            prolong=self._prolong,
        )
        self._patience_seconds = patience_seconds
        self._vain_waits = 0
        self._nudges: list[asyncio.Future[bool]] = []
        self._looked_at = -math.inf
        self._leased_at = self._started
        self._report = DrainReport()

    @property
    def claiming(self) -> bool:
        """Whether a nudge would still be followed."""
        return time.monotonic() < self._claim_until

    def nudge(self) -> "asyncio.Future[bool]":
        """There may be new work: look at the queue at once, also while slow jobs run.

        False: its time to claim was over before it could look, so another drain has to.
        """
        asked = asyncio.get_running_loop().create_future()
        self._nudges.append(asked)
        self._work.wake()
        return asked

    async def run(self) -> DrainReport:
        finished: list[Settlement] = []
        try:
            while True:
                self._work.start(await self._exchange(finished))
                if self._work.is_busy:
                    await self._until_finished_or_nudged()
                await self._keep_pace()
                finished = self._work.take()
                has_more = finished or self._work.is_busy or self._nudges
                if not has_more and not await self._rate_has_opened():
                    break
        except Unavailable as error:
            log.event("drain.broken_off", logging.WARNING, code=error.code)
        finally:
            self._work.stop()
            # Broken off: asking again at once would be in vain.
            _answer(self._nudges, True)
        self._report.duration_seconds = round(time.monotonic() - self._started, 3)
        return self._report

    async def _exchange(self, finished: Sequence[Settlement]) -> list[Job]:
        """Settles `finished` and claims what there is room for. Raises Unavailable at the end."""
        while True:
            held = sum(1 for _ in self._work.held())
            looked_at = time.monotonic()
            claiming = self.claiming
            room = self._batch - held if claiming else 0
            nudges: list[asyncio.Future[bool]] = []
            if room or not claiming:
                # This one may have looked before what is nudged for while it is under way.
                nudges, self._nudges = self._nudges, []
            try:
                settled, jobs = await self._queue.exchange_jobs(
                    finished, room, LEASE_SECONDS, self._queues
                )
                break
            except Unavailable:
                self._nudges += nudges
                # Without results there is nothing to stay for once claiming is over.
                kept = finished or held
                if time.monotonic() >= (self._deadline if kept else self._claim_until):
                    raise
                await asyncio.sleep(OUTAGE_PAUSE_SECONDS)
        _answer(nudges, claiming)
        self._report.count(settled)
        self._report.claimed += len(jobs)
        self._vain_waits = 0 if jobs else self._vain_waits
        self._looked_at = looked_at if len(jobs) < room else -math.inf
        self._report.drained = room > 0 and not jobs
        return jobs

    async def _until_finished_or_nudged(self) -> None:
        """Until at least one job has finished, with those that end a moment later; or there is a
        nudge or a lease to prolong."""
        if not await self._work.finish(LEASE_SECONDS / 3) and self._nudges:
            await self._work.finish(NUDGE_SECONDS)
        await self._work.linger(LINGER_SECONDS)
        if time.monotonic() - self._leased_at >= LEASE_SECONDS / 3:
            await self._extend()

    async def _keep_pace(self) -> None:
        """Where the queue was empty a moment ago and something came in since, waits for more."""
        pause = self._looked_at + PACE_SECONDS - time.monotonic()
        if self._nudges and self.claiming and pause > 0:
            await asyncio.sleep(pause)

    async def _rate_has_opened(self) -> bool:
        """Waits for a rate that holds due jobs back, where it opens soon."""
        patience = min(self._patience_seconds, self._claim_until - time.monotonic())
        if patience <= 0 or self._vain_waits >= VAIN_WAITS:
            return False
        seconds = await self._queue.rate_opens_in(self._queues, patience)
        if seconds is None:
            return False
        self._vain_waits += 1
        await self._work.finish(seconds)
        return True

    async def _extend(self) -> None:
        held = list(self._work.held())
        try:
            still_held = await self._queue.extend_jobs(held, LEASE_SECONDS)
        except Unavailable:
            return  # the next third of the lease is another chance
        self._leased_at = time.monotonic()
        self._work.keep(still_held)

    async def _prolong(self, job: Job, progress: Json | None) -> bool:
        return job.id in await self._queue.extend_jobs([job], LEASE_SECONDS, progress)


def _answer(nudges: Sequence["asyncio.Future[bool]"], looked: bool) -> None:
    for nudge in nudges:
        if not nudge.done():  # whoever waited may be gone
            nudge.set_result(looked)
