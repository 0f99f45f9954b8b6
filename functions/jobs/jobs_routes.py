"""Jobs over HTTP, as the admins of a company see and steer them: lists, why one is not running,
cancel, replay. The rules stand in supabase/migrations/*_jobs_*.sql, under the same nouns."""

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Path, Query

from functions.core.callers import Admin
from functions.core.problems import answers
from functions.jobs.background import DRAIN_AFTERWARDS
from functions.jobs.jobs_bodies import (
    Cancelled,
    CancelMany,
    CancelOne,
    Explanation,
    FailedJobPage,
    JobPage,
    JobStatus,
    Replayed,
    ReplayMany,
    ReplayOne,
)
from functions.jobs.lists import JobLists, JobState
from functions.jobs.operator import Operator

JobId = Annotated[int, Path(ge=1, lt=2**63)]

routes = APIRouter(prefix="/api/jobs", tags=["jobs"])


@routes.get(
    "",
    response_model=JobPage,
    responses=answers(401, 403, 404, 422, 503),
    operation_id="list_jobs",
    summary="List jobs",
)
async def list_jobs(
    admin: Admin,
    company_id: UUID | None = None,
    queue: str | None = None,
    type: str | None = None,
    state: JobState | None = None,
    error: Annotated[str | None, Query(description="A part of the error.")] = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
    cursor: Annotated[str | None, Query(description="next_cursor of the page before.")] = None,
) -> Any:
    """Unfinished jobs longest due first, ended ones newest end first; without `state` all,
    newest made first."""
    return await JobLists(admin.rpc).list_jobs(
        admin.company(company_id), queue, type, state, error, limit, cursor
    )


@routes.get(
    "/failed",
    response_model=FailedJobPage,
    responses=answers(401, 403, 404, 422, 503),
    operation_id="list_failed_jobs",
    summary="List failed jobs",
)
async def list_failed_jobs(
    admin: Admin,
    company_id: UUID | None = None,
    queue: str | None = None,
    type: str | None = None,
    error: Annotated[str | None, Query(description="A part of the error.")] = None,
    after: Annotated[datetime | None, Query(description="Ended at or after.")] = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
    cursor: Annotated[str | None, Query(description="next_cursor of the page before.")] = None,
) -> Any:
    """The dead letters of a company, newest first."""
    return await Operator(admin.rpc).list_failed_jobs(
        admin.company(company_id), queue, type, error, after, limit, cursor
    )


@routes.get(
    "/{job_id}",
    response_model=Explanation,
    responses=answers(401, 403, 404, 422, 503),
    operation_id="explain_job",
    summary="Ask why a job is not running",
)
async def explain_job(admin: Admin, job_id: JobId) -> Any:
    """One sentence, and the facts behind it."""
    return await Operator(admin.rpc).explain_job(job_id)


@routes.post(
    "/{job_id}/cancel",
    response_model=JobStatus,
    responses=answers(400, 401, 403, 404, 409, 422, 503),
    operation_id="cancel_job",
    summary="Cancel a job",
)
async def cancel_job(admin: Admin, job_id: JobId, how: CancelOne | None = None) -> Any:
    """Cancelling twice is cancelling once. A running job is 409 `job_running` by default."""
    running = how is not None and how.running
    return await Operator(admin.rpc).cancel_job(job_id, running)


@routes.post(
    "/{job_id}/replay",
    response_model=JobStatus,
    responses=answers(400, 401, 403, 404, 409, 422, 503),
    operation_id="replay_job",
    summary="Start a failed or cancelled job anew",
    dependencies=[DRAIN_AFTERWARDS],
)
async def replay_job(admin: Admin, job_id: JobId, when: ReplayOne | None = None) -> Any:
    """With all its attempts, in its old place among those of its order key."""
    run_at = when.run_at if when else None
    return await Operator(admin.rpc).replay_job(job_id, run_at)


@routes.post(
    "/cancel",
    response_model=Cancelled,
    responses=answers(400, 401, 403, 404, 422, 503),
    operation_id="cancel_jobs",
    summary="Cancel jobs by filter",
)
async def cancel_jobs(admin: Admin, which: CancelMany) -> Any:
    """Up to `limit` per call: repeat it until `left` is 0."""
    return await Operator(admin.rpc).cancel_jobs(
        **dict(which) | {"company_id": admin.company(which.company_id)}
    )


@routes.post(
    "/replay",
    response_model=Replayed,
    responses=answers(400, 401, 403, 404, 422, 503),
    operation_id="replay_jobs",
    summary="Start failed or cancelled jobs anew, by filter",
    dependencies=[DRAIN_AFTERWARDS],
)
async def replay_jobs(admin: Admin, which: ReplayMany) -> Any:
    """Up to `limit` per call: repeat it until `left` is 0."""
    return await Operator(admin.rpc).replay_jobs(
        **dict(which) | {"company_id": admin.company(which.company_id)}
    )
