"""What people look at: pages of jobs and schedules, and the live view.

SQL: supabase/migrations/*_jobs_lists.sql.
"""

from collections.abc import Mapping
from typing import Any, Literal

from functions.core.db import Rpc

Json = dict[str, Any]
JobState = Literal["waiting", "scheduled", "running", "completed", "failed", "cancelled"]


class JobLists:
    """Reads in the role of `rpc`: a user sees the jobs of a company whose admin they are, the
    service all. Counting, watching and schedules are the service's. All may be repeated."""

    def __init__(self, rpc: Rpc) -> None:
        self._rpc = rpc

    async def list_jobs(
        self,
        company_id: str | None = None,
        queue: str | None = None,
        type: str | None = None,
        state: JobState | None = None,
        error: str | None = None,
        limit: int = 50,
        cursor: str | None = None,
    ) -> Json:
        """{data, next_cursor}: jobs without their data; a page may be short, the last one has no
        next_cursor. `error` is a part of theirs, `limit` at most 200. Raises InvalidRequest
        invalid_filter, invalid_cursor; as a user also Forbidden role_required."""
        page: Json = await self._rpc.call(
            "list_jobs",
            {
                "p_company_id": company_id,
                "p_queue": queue,
                "p_type": type,
                "p_state": state,
                "p_error": error,
                "p_limit": limit,
                "p_cursor": cursor,
            },
        )
        return page

    async def count_jobs(self, which: Mapping[str, Any], status: str | None = None) -> int:
        """How many jobs cancel_jobs would mean with these arguments, or with `status` replay_jobs;
        counted up to 10000. Raises InvalidRequest filter_required, invalid_filter."""
        counted: int = await self._rpc.call(
            "count_jobs",
            {"p_status": status} | {f"p_{name}": value for name, value in which.items()},
        )
        return counted

    async def watch_jobs(self, limit: int = 10) -> Json:
        """{at, last_tick_at, queues, running, failed}: how all queues do, and up to `limit` jobs
        that run longest due or failed last."""
        seen: Json = await self._rpc.call("watch_jobs", {"p_limit": limit})
        return seen

    async def list_schedules(
        self, company_id: str | None = None, limit: int = 100, cursor: str | None = None
    ) -> Json:
        """{data, next_cursor}: schedules by name, without the data of their jobs."""
        page: Json = await self._rpc.call(
            "list_schedules", {"p_company_id": company_id, "p_limit": limit, "p_cursor": cursor}
        )
        return page
