"""The tick: due schedules, then jobs for as long as the time allows, then housekeeping.

Ticks may overlap. Each takes a slot; what finds none leaves the jobs to the others. A tick whose
time is up while jobs are due may call the next one, a bounded number of times in a row.
"""

import logging
import math
import time
from dataclasses import asdict
from uuid import uuid4

from functions.core import log
from functions.core.http import HttpClient
from functions.core.settings import Settings
from functions.jobs.models import DrainReport, Json
from functions.jobs.rpc import Queue
from functions.jobs.runner import Runner
from functions.jobs.schedules import Schedules

PATH = "/api/queue/process"
HOP_HEADER = "x-recado-hop"
MAX_HOPS = 100
# Ticks come once a minute: one that left when a rate has let its burst start would let one burst
# a minute start. Slower rates than one job in this time are left to the ticks.
PATIENCE_SECONDS = 10.0
# A tick may be late by its housekeeping before its slot goes to another.
SLOT_MARGIN_SECONDS = 15.0


class Ticks:
    """Runs ticks of this deployment."""

    def __init__(self, settings: Settings, queue: Queue, runner: Runner, http: HttpClient) -> None:
        self._settings = settings
        self._queue = queue
        self._runner = runner
        self._schedules = Schedules(queue)
        self._http = http

    async def run(self, limit_seconds: float | None = None, hop: int = 0) -> Json:
        """One tick; a bodies.Tick. `limit_seconds` are what the platform leaves, `hop` says how
        many ticks called each other before this one. Raises Unavailable."""
        started = time.monotonic()
        scheduled = await self._schedules.run_due()
        tick, report, deleted = uuid4(), DrainReport(), 0
        slot = await self._queue.begin_tick(
            tick, self._settings.queue_ticks, self._slot_seconds(limit_seconds)
        )
        try:
            if slot is not None:
                if limit_seconds is not None:
                    limit_seconds -= time.monotonic() - started
                report = await self._runner.drain(
                    self._settings.queue_budget_seconds,
                    limit_seconds=limit_seconds,
                    patience_seconds=PATIENCE_SECONDS,
                )
                deleted = (await self._queue.sweep_jobs())["deleted"]
        finally:
            remaining = await self._queue.end_tick(tick)
        is_unfinished = slot is not None and not report.drained and remaining > 0
        done = asdict(report) | {
            "slot": slot,
            "scheduled": scheduled,
            "deleted": deleted,
            "remaining": remaining,
            "reinvoked": is_unfinished and await self._reinvoke(hop),
            "duration_seconds": round(time.monotonic() - started, 3),
        }
        log.event("tick.done", **done)
        return done

    def _slot_seconds(self, limit_seconds: float | None) -> int:
        if limit_seconds is None:
            limit_seconds = self._settings.queue_budget_seconds + self._runner.longest_seconds
        return math.ceil(max(limit_seconds, 0.0) + SLOT_MARGIN_SECONDS)

    async def _reinvoke(self, hop: int) -> bool:
        """Calls the next tick and does not wait for its end; whether it has started."""
        url = self._settings.public_url
        if hop >= self._settings.queue_reinvoke_hops or not url:
            return False
        secret = self._settings.queue_secrets()[0]
        headers = {"authorization": f"Bearer {secret}", HOP_HEADER: str(hop + 1)}
        is_started = await self._http.start(url + PATH, headers)
        if not is_started:
            log.event("tick.not_reinvoked", logging.WARNING, hop=hop + 1)
        return is_started
