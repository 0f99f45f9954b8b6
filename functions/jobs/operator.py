"""What people do to jobs and queues.

SQL: supabase/migrations/*_jobs_operations.sql, *_replay.sql and *_explain.sql.
"""

from datetime import datetime

from functions.core.db import Rpc
from functions.jobs.models import Json


class Operator:
    """What people do to jobs and queues, in the role of `rpc`: a user acts as admin on the jobs of
    a company, the service on all; queues and limit keys are the service's.

    All but copy_job may be repeated.
    """

    def __init__(self, rpc: Rpc) -> None:
        self._rpc = rpc

    async def list_failed_jobs(
        self,
        company_id: str | None = None,
        queue: str | None = None,
        type: str | None = None,
        error: str | None = None,
        after: datetime | None = None,
        limit: int = 50,
        cursor: str | None = None,
    ) -> Json:
        """A bodies.FailedJobPage, newest end first. Raises InvalidRequest invalid_cursor."""
        answer: Json = await self._rpc.call(
            "list_failed_jobs",
            {
                "p_company_id": company_id,
                "p_queue": queue,
                "p_type": type,
                "p_error": error,
                "p_after": after,
                "p_limit": limit,
                "p_cursor": cursor,
            },
        )
        return answer

    async def explain_job(self, job_id: int) -> Json:
        """A bodies.Explanation. Raises NotFound job_not_found."""
        answer: Json = await self._rpc.call("explain_job", {"p_id": job_id})
        return answer

    async def cancel_job(self, job_id: int, running: bool = False) -> Json:
        """A bodies.JobStatus. Raises NotFound job_not_found; Conflict job_ended, job_running."""
        answer: Json = await self._rpc.call("cancel_job", {"p_id": job_id, "p_running": running})
        return answer

    async def cancel_jobs(
        self,
        company_id: str | None = None,
        queue: str | None = None,
        type: str | None = None,
        state: str | None = None,
        before: datetime | None = None,
        limit: int = 1000,
    ) -> Json:
        """{cancelled, left}. Raises InvalidRequest filter_required, invalid_filter."""
        answer: Json = await self._rpc.call(
            "cancel_jobs",
            {
                "p_company_id": company_id,
                "p_queue": queue,
                "p_type": type,
                "p_state": state,
                "p_before": before,
                "p_limit": limit,
            },
        )
        return answer

    async def replay_job(self, job_id: int, run_at: datetime | None = None) -> Json:
        """A bodies.JobStatus. Raises NotFound job_not_found; Conflict job_not_failed,
        job_not_replayable, unique_key_taken, order_key_busy."""
        answer: Json = await self._rpc.call("replay_job", {"p_id": job_id, "p_run_at": run_at})
        return answer

    async def replay_jobs(
        self,
        company_id: str | None = None,
        queue: str | None = None,
        type: str | None = None,
        status: str = "failed",
        error: str | None = None,
        after: datetime | None = None,
        before: datetime | None = None,
        run_at: datetime | None = None,
        spread_seconds: float = 0.0,
        limit: int = 1000,
    ) -> Json:
        """{replayed, left}. Raises InvalidRequest filter_required, invalid_filter."""
        answer: Json = await self._rpc.call(
            "replay_jobs",
            {
                "p_company_id": company_id,
                "p_queue": queue,
                "p_type": type,
                "p_status": status,
                "p_error": error,
                "p_after": after,
                "p_before": before,
                "p_run_at": run_at,
                "p_spread_seconds": spread_seconds,
                "p_limit": limit,
            },
        )
        return answer

    async def copy_job(
        self,
        job_id: int,
        data: Json | None = None,
        delay_seconds: float = 0.0,
        priority: int | None = None,
    ) -> Json:
        """{id} of a new job like an ended one; every call makes one. Raises NotFound
        job_not_found; Conflict job_not_ended."""
        answer: Json = await self._rpc.call(
            "copy_job",
            {
                "p_id": job_id,
                "p_data": data,
                "p_delay_seconds": delay_seconds,
                "p_priority": priority,
            },
        )
        return answer

    async def pause_queue(self, name: str) -> Json:
        """The queue. Raises NotFound queue_not_found."""
        answer: Json = await self._rpc.call("pause_queue", {"p_name": name})
        return answer

    async def resume_queue(self, name: str) -> Json:
        """The queue. Raises NotFound queue_not_found."""
        answer: Json = await self._rpc.call("resume_queue", {"p_name": name})
        return answer

    async def set_queue_limits(self, name: str, limits: Json) -> Json:
        """The queue; null takes a limit away, what is not named stays. Raises NotFound
        queue_not_found; InvalidRequest invalid_limits, invalid_value."""
        answer: Json = await self._rpc.call(
            "set_queue_limits", {"p_name": name, "p_limits": limits}
        )
        return answer

    async def set_key_limits(self, limit_key: str, limits: Json) -> Json:
        """The limits of a key; null takes one away, what is not named stays. Raises
        InvalidRequest invalid_limits, invalid_value."""
        answer: Json = await self._rpc.call(
            "set_key_limits", {"p_limit_key": limit_key, "p_limits": limits}
        )
        return answer
