"""The queue's SQL functions. SQL: supabase/migrations/*_jobs*.sql."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from functions.core.db import Database
from functions.jobs.models import DueSchedule, Job, NewJob, ScheduleRun, Settlement


class Queue:
    """The queue, as service role. Every call is safe to repeat; all raise Unavailable when the
    database does not answer."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def enqueue_jobs(self, jobs: Sequence[NewJob]) -> list[int]:
        """The ids in order; of an unfinished job with the same unique_key, its id. Repeating the
        call without unique keys enqueues again."""
        ids: list[int] = await self._db.as_service().call("enqueue_jobs", {"p_jobs": jobs})
        return ids

    async def exchange_jobs(
        self,
        results: Sequence[Settlement],
        limit: int,
        lease_seconds: int,
        queues: list[str] | None,
    ) -> tuple[dict[str, Any], list[Job]]:
        """Settles finished claims and leases the next due jobs, in one transaction."""
        answer = await self._db.as_service().call(
            "exchange_jobs",
            {
                "p_results": results,
                "p_limit": limit,
                "p_lease_seconds": lease_seconds,
                "p_queues": queues,
            },
        )
        return answer["settled"], [Job.from_row(row) for row in answer["jobs"]]

    async def extend_jobs(self, jobs: Sequence[Job], lease_seconds: int) -> set[int]:
        """Prolongs leases; the ids that are still ours."""
        claims = [{"id": job.id, "claim": job.claim} for job in jobs]
        answer = await self._db.as_service().call(
            "extend_jobs", {"p_claims": claims, "p_lease_seconds": lease_seconds}
        )
        return set(answer)

    async def sweep_jobs(self) -> dict[str, int]:
        """Bounded housekeeping: retention, slots of dead workers."""
        answer: dict[str, int] = await self._db.as_service().call("sweep_jobs", {})
        return answer

    async def queue_stats(self) -> dict[str, Any]:
        """Per queue: waiting, scheduled, running, failed, oldest_waiting_seconds."""
        answer: dict[str, Any] = await self._db.as_service().call("queue_stats", {})
        return answer

    async def set_schedule(self, schedule: dict[str, Any]) -> dict[str, Any]:
        """Adds or replaces; the row. `schedule` is a NewSchedule with next_run_at. Raises Conflict
        schedule_name_taken."""
        row: dict[str, Any] = await self._db.as_service().call(
            "set_schedule", {"p_schedule": schedule}
        )
        return row

    async def find_schedule(self, name: str, company_id: str | None) -> dict[str, Any]:
        """The row. Raises NotFound schedule_not_found, also where it is of another company."""
        row: dict[str, Any] = await self._db.as_service().call(
            "find_schedule", {"p_name": name, "p_company_id": company_id}
        )
        return row

    async def pause_schedule(self, name: str, company_id: str | None) -> dict[str, Any]:
        """The row. Raises NotFound schedule_not_found."""
        row: dict[str, Any] = await self._db.as_service().call(
            "pause_schedule", {"p_name": name, "p_company_id": company_id}
        )
        return row

    async def resume_schedule(
        self, name: str, cron: str, time_zone: str, next_run_at: datetime, company_id: str | None
    ) -> dict[str, Any]:
        """The row. Raises NotFound; Conflict schedule_changed where cron or zone are others."""
        row: dict[str, Any] = await self._db.as_service().call(
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
        deleted: bool = await self._db.as_service().call(
            "delete_schedule", {"p_name": name, "p_company_id": company_id}
        )
        return deleted

    async def due_schedules(self, limit: int) -> tuple[datetime, list[DueSchedule]]:
        """The database's time, and what is due by it, longest due first."""
        answer = await self._db.as_service().call("due_schedules", {"p_limit": limit})
        rows = [DueSchedule.from_row(row) for row in answer["schedules"]]
        return datetime.fromisoformat(answer["now"]), rows

    async def run_schedules(self, runs: Sequence[ScheduleRun]) -> int:
        """Adds the jobs of the slots; how many. What another tick ran already adds none."""
        answer = await self._db.as_service().call("run_schedules", {"p_runs": runs})
        scheduled: int = answer["scheduled"]
        return scheduled
