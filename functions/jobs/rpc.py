"""The queue's SQL functions, as workers call them. SQL: supabase/migrations/*_jobs*.sql."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from functions.core.db import Database, Rpc
from functions.jobs.models import DueSchedule, Job, Json, NewJob, ScheduleRun, Settlement
from functions.jobs.operator import Operator

__all__ = ["Operator", "Queue"]


class Queue:
    """The queue, as service role. Every call is safe to repeat; all raise Unavailable when the
    database does not answer."""

    def __init__(self, db: Database, worker: str | None = None) -> None:
        """`worker` is written to each job that it claims, for people who look for its log."""
        self._db = db
        self._worker = worker

    @property
    def _rpc(self) -> Rpc:
        return self._db.as_service()

    def operator(self) -> Operator:
        """What people do, as service role. Raises NotConfigured."""
        return Operator(self._rpc)

    async def enqueue_jobs(self, jobs: Sequence[NewJob]) -> list[int]:
        """The ids in order; of an unfinished job with the same unique_key, its id. All or none.
        Repeating the call without unique keys enqueues again.

        Raises Conflict unique_key_taken where a job says so; TooLarge job_too_large;
        InvalidRequest invalid_jobs, unknown_queue, invalid_job_data.
        """
        ids: list[int] = await self._rpc.call("enqueue_jobs", {"p_jobs": jobs})
        return ids

    async def exchange_jobs(
        self,
        results: Sequence[Settlement],
        limit: int,
        lease_seconds: int,
        queues: list[str] | None,
    ) -> tuple[Json, list[Job]]:
        """Settles finished claims and leases the next due jobs, in one transaction."""
        answer = await self._rpc.call(
            "exchange_jobs",
            {
                "p_results": results,
                "p_limit": limit,
                "p_lease_seconds": lease_seconds,
                "p_queues": queues,
                "p_worker": self._worker,
            },
        )
        return answer["settled"], [Job.from_row(row) for row in answer["jobs"]]

    async def extend_jobs(
        self, jobs: Sequence[Job], lease_seconds: int, progress: Json | None = None
    ) -> set[int]:
        """Prolongs leases and notes the progress of the jobs; the ids that are still ours."""
        claims = [{"id": job.id, "claim": job.claim, "progress": progress} for job in jobs]
        answer = await self._rpc.call(
            "extend_jobs", {"p_claims": claims, "p_lease_seconds": lease_seconds}
        )
        return set(answer)

    async def sweep_jobs(self) -> dict[str, int]:
        """Bounded housekeeping: retention, slots of dead workers."""
        answer: dict[str, int] = await self._rpc.call("sweep_jobs", {})
        return answer

    async def queue_stats(self) -> Json:
        """Per queue a bodies.QueueState."""
        answer: Json = await self._rpc.call("queue_stats", {})
        return answer

    async def queue_health(self) -> Json:
        """A bodies.QueueHealth: of all queues the worst, and of each."""
        answer: Json = await self._rpc.call("queue_health", {})
        return answer

    async def begin_tick(self, tick: UUID, slots: int, lease_seconds: int) -> int | None:
        """One of `slots` for a tick, as long as the lease lasts; None where all are taken."""
        slot: int | None = await self._rpc.call(
            "begin_tick", {"p_tick": tick, "p_slots": slots, "p_lease_seconds": lease_seconds}
        )
        return slot

    async def end_tick(self, tick: UUID) -> int:
        """Frees the slot of a tick, if it has one; how many jobs are due, up to 1000 per queue."""
        remaining: int = await self._rpc.call("end_tick", {"p_tick": tick})
        return remaining

    async def rate_opens_in(self, queues: list[str] | None, seconds: float) -> float | None:
        """Until a due job may start that waits for a rate; None where none may within `seconds`."""
        opens: float | None = await self._rpc.call(
            "rate_opens_in", {"p_queues": queues, "p_seconds": seconds}
        )
        return opens

    async def set_schedule(self, schedule: Json) -> Json:
        """Adds or replaces; the row. `schedule` is a NewSchedule with next_run_at. Raises Conflict
        schedule_name_taken."""
        row: Json = await self._rpc.call("set_schedule", {"p_schedule": schedule})
        return row

    async def find_schedule(self, name: str, company_id: str | None) -> Json:
        """The row. Raises NotFound schedule_not_found, also where it is of another company."""
        row: Json = await self._rpc.call(
            "find_schedule", {"p_name": name, "p_company_id": company_id}
        )
        return row

    async def pause_schedule(self, name: str, company_id: str | None) -> Json:
        """The row. Raises NotFound schedule_not_found."""
        row: Json = await self._rpc.call(
            "pause_schedule", {"p_name": name, "p_company_id": company_id}
        )
        return row

    async def resume_schedule(
        self, name: str, cron: str, time_zone: str, next_run_at: datetime, company_id: str | None
    ) -> Json:
        """The row. Raises NotFound; Conflict schedule_changed where cron or zone are others."""
        row: Json = await self._rpc.call(
            "resume_schedule",
            {
                "p_name": name,
                "p_cron": cron,
                "p_time_zone": time_zone,
                "p_next_run_at": next_run_at,
                "p_company_id": company_id,
            },
        )
        return row

    async def delete_schedule(self, name: str, company_id: str | None) -> bool:
        """False where there was none."""
        deleted: bool = await self._rpc.call(
            "delete_schedule", {"p_name": name, "p_company_id": company_id}
        )
        return deleted

    async def due_schedules(self, limit: int) -> tuple[datetime, list[DueSchedule]]:
        """The database's time, and what is due by it, longest due first."""
        answer = await self._rpc.call("due_schedules", {"p_limit": limit})
        rows = [DueSchedule.from_row(row) for row in answer["schedules"]]
        return datetime.fromisoformat(answer["now"]), rows

    async def run_schedules(self, runs: Sequence[ScheduleRun]) -> int:
        """Adds the jobs of the slots; how many. What another tick ran already adds none."""
        answer = await self._rpc.call("run_schedules", {"p_runs": runs})
        scheduled: int = answer["scheduled"]
        return scheduled
