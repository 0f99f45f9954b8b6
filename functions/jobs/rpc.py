"""The queue's SQL functions. SQL: supabase/migrations/*_jobs*.sql."""

from collections.abc import Sequence
from typing import Any

from functions.core.db import Database
from functions.jobs.models import Job, NewJob, Settlement


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
