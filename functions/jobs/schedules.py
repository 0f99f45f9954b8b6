"""Recurring work: schedules are set, paused, resumed and deleted here, and the tick runs them.

Python reads the cron expressions and computes slots, the database decides: two ticks may compute
the same slot, one adds its job. SQL: supabase/migrations/*_jobs_schedules.sql.
"""

import itertools
import logging
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import Any

from functions.core import log
from functions.core.errors import AppError, InvalidRequest
from functions.jobs.cron import latest_slot, next_slot, slots, time_zone
from functions.jobs.models import DueSchedule, NewSchedule, ScheduleRun
from functions.jobs.rpc import Queue

# A round is one transaction: at most so many schedules, and of each so many slots.
SCHEDULES_PER_ROUND = 100
SLOTS_PER_ROUND = 100
# What is due beyond these waits for the next tick.
ROUNDS = 10
# Ticks are a minute apart at best. A slot older than this was missed.
GRACE = timedelta(minutes=5)


class Schedules:
    """The schedules, as service role. With a company, the schedules of others do not exist."""

    def __init__(self, queue: Queue) -> None:
        self._queue = queue

    async def set(self, schedule: NewSchedule) -> dict[str, Any]:
        """Adds a schedule or replaces the one of this name; its row.

        Setting unchanged times again loses no slot. Raises InvalidRequest invalid_cron or
        invalid_time_zone before anything is stored, invalid_value for another wrong field;
        Conflict schedule_name_taken.
        """
        next_run_at = _next(schedule.cron, schedule.time_zone)
        return await self._queue.set_schedule(asdict(schedule) | {"next_run_at": next_run_at})

    async def pause(self, name: str, company_id: str | None = None) -> dict[str, Any]:
        """Stops a schedule; its row. Raises NotFound schedule_not_found."""
        return await self._queue.pause_schedule(name, company_id)

    async def resume(self, name: str, company_id: str | None = None) -> dict[str, Any]:
        """Goes on with the next slot from now; what the pause missed stays missed. Its row.

        Raises NotFound schedule_not_found; Conflict schedule_changed, which may be repeated.
        """
        row = await self._queue.find_schedule(name, company_id)
        next_run_at = _next(row["cron"], row["time_zone"])
        return await self._queue.resume_schedule(
            name, row["cron"], row["time_zone"], next_run_at, company_id
        )

    async def delete(self, name: str, company_id: str | None = None) -> bool:
        """Removes a schedule; False where there was none."""
        return await self._queue.delete_schedule(name, company_id)

    async def run_due(self) -> int:
        """Adds the jobs of all slots that have come; how many. Never raises for the database's
        sake: the queue is worked through all the same, and the next tick finds what is due."""
        scheduled = 0
        try:
            for _ in range(ROUNDS):
                now, due = await self._queue.due_schedules(SCHEDULES_PER_ROUND)
                if due:
                    runs = [decide(schedule, now) for schedule in due]
                    scheduled += await self._queue.run_schedules(runs)
                if len(due) < SCHEDULES_PER_ROUND:
                    break
        except AppError as error:
            log.event("schedules.put_off", logging.WARNING, code=error.code, detail=error.detail)
        return scheduled


def decide(schedule: DueSchedule, now: datetime) -> ScheduleRun:
    """Which slots of a due schedule run, by its catch-up policy, and when it is due next.

    One that cannot be read is paused, with the reason.
    """
    seen = schedule.name, schedule.cron, schedule.time_zone, schedule.due_at
    try:
        chosen, next_run_at = _chosen(schedule, now)
    except InvalidRequest as error:
        log.event("schedule.paused", logging.ERROR, name=schedule.name, code=error.code)
        return ScheduleRun(*seen, error=f"{error.code}: {error.detail}")
    return ScheduleRun(*seen, slots=chosen, next_run_at=next_run_at)


def _chosen(schedule: DueSchedule, now: datetime) -> tuple[list[datetime], datetime]:
    cron, zone, due_at = schedule.cron, time_zone(schedule.time_zone), schedule.due_at
    if schedule.catch_up == "all":
        later = itertools.takewhile(lambda slot: slot <= now, slots(cron, zone, due_at))
        chosen = [due_at, *itertools.islice(later, SLOTS_PER_ROUND - 1)]
        # May have come as well: then the schedule stays due.
        return chosen, next_slot(cron, zone, chosen[-1])
    latest = latest_slot(cron, zone, due_at, now)
    is_missed = now - latest > GRACE
    chosen = [] if schedule.catch_up == "none" and is_missed else [latest]
    return chosen, next_slot(cron, zone, now)


def _next(cron: str, zone_name: str) -> datetime:
    return next_slot(cron, time_zone(zone_name), datetime.now(UTC))
