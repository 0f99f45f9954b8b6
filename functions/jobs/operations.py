"""Jobs as the admins of a company see and steer them over HTTP: what failed, why one is not
running, cancel, replay. The rules stand in supabase/migrations/*_jobs_operations.sql."""

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, BackgroundTasks, Depends, Path, Query, Security
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from pydantic import BaseModel, ConfigDict, Field

from functions.core.auth import Authenticator, Caller
from functions.core.errors import Forbidden
from functions.core.problems import answers
from functions.jobs.background import BackgroundDrain

Bearer = Annotated[
    HTTPAuthorizationCredentials | None,
    Security(
        HTTPBearer(
            auto_error=False,
            scheme_name="admin",
            description="Access token of a user who is admin of the company.",
        )
    ),
]
CompanyId = Annotated[UUID | None, Field(description="Needed by users of several companies.")]
JobId = Annotated[int, Path(ge=1, lt=2**63)]


class FailedJob(BaseModel):
    """A job that nobody will try again by itself; its data is in its explanation."""

    id: int
    type: str
    queue: str
    company_id: UUID | None
    error: str | None
    attempts: int
    max_attempts: int
    replays: int = Field(description="How often it was started anew after its end.")
    priority: int
    unique_key: str | None
    order_key: str | None
    created_at: datetime
    started_at: datetime | None
    completed_at: datetime


class FailedJobPage(BaseModel):
    data: list[FailedJob]
    next_cursor: str | None


class Explanation(BaseModel):
    """Why a job is not running, and the facts."""

    id: int
    reason: Literal[
        "ended",
        "running",
        "queue_paused",
        "scheduled",
        "queue_blocked",
        "rate_limited",
        "no_free_slot",
        "behind_another",
        "due",
    ]
    sentence: str = Field(description="The reason, for people.")
    job: dict[str, Any]
    queue: dict[str, Any]
    behind: int | None = Field(description="The job of its order key that has to end first.")


class JobStatus(BaseModel):
    """A job after an operation."""

    id: int
    status: Literal["pending", "cancelled"]


class Cancelled(BaseModel):
    """What a call by filter did."""

    cancelled: int
    left: int = Field(description="That it would still mean; counted up to 10000.")


class Replayed(BaseModel):
    """What a call by filter did."""

    replayed: int
    left: int = Field(description="That it would still mean, of the first 10000.")


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid")


class CancelOne(_Body):
    running: bool = Field(
        default=False,
        description="Also when it is running: its worker stops, what it settles does not count.",
    )


class ReplayOne(_Body):
    run_at: datetime | None = Field(default=None, description="Not before; default now.")


class CancelMany(_Body):
    """Which unfinished jobs; without `state`, all that do not run."""

    company_id: CompanyId = None
    queue: str | None = None
    type: str | None = None
    state: Literal["waiting", "scheduled", "running"] | None = None
    before: datetime | None = Field(default=None, description="Made before.")
    limit: int = Field(default=1000, ge=1, le=5000)


class ReplayMany(_Body):
    """Which ended jobs. Those that cannot start now are passed over."""

    company_id: CompanyId = None
    queue: str | None = None
    type: str | None = None
    status: Literal["failed", "cancelled"] = "failed"
    error: str | None = Field(default=None, description="A part of their error.")
    after: datetime | None = Field(default=None, description="Ended at or after.")
    before: datetime | None = Field(default=None, description="Ended before.")
    run_at: datetime | None = Field(default=None, description="The first starts then; default now.")
    spread_seconds: float = Field(
        default=0.0, ge=0, le=604_800, description="Start them evenly over this time."
    )
    limit: int = Field(default=1000, ge=1, le=5000)


def router(auth: Authenticator, drain: BackgroundDrain) -> APIRouter:
    """The routes under /api/jobs, for admins."""
    routes = APIRouter(prefix="/api/jobs", tags=["jobs"])

    async def admin(bearer: Bearer = None) -> Caller:
        caller = await auth.caller(bearer.credentials.strip() if bearer else None)
        if caller.company_id is not None:
            raise Forbidden(
                "An API key may not operate jobs.",
                code="role_required",
                hint="Use the access token of an admin.",
            )
        return caller

    Admin = Annotated[Caller, Depends(admin)]
    _add_reads(routes, Admin)
    _add_single_operations(routes, Admin, drain)
    _add_filtered_operations(routes, Admin, drain)
    return routes


def _add_reads(routes: APIRouter, Admin: Any) -> None:
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
        params = {
            "p_company_id": admin.company(company_id),
            "p_queue": queue,
            "p_type": type,
            "p_error": error,
            "p_after": after,
            "p_limit": limit,
            "p_cursor": cursor,
        }
        return await admin.rpc.call("list_failed_jobs", params)

    @routes.get(
        "/{job_id}",
        response_model=Explanation,
        responses=answers(401, 403, 404, 422, 503),
        operation_id="explain_job",
        summary="Ask why a job is not running",
    )
    async def explain_job(admin: Admin, job_id: JobId) -> Any:
        """One sentence, and the facts behind it."""
        return await admin.rpc.call("explain_job", {"p_id": job_id})


def _add_single_operations(routes: APIRouter, Admin: Any, drain: BackgroundDrain) -> None:
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
        return await admin.rpc.call("cancel_job", {"p_id": job_id, "p_running": running})

    @routes.post(
        "/{job_id}/replay",
        response_model=JobStatus,
        responses=answers(400, 401, 403, 404, 409, 422, 503),
        operation_id="replay_job",
        summary="Start a failed or cancelled job anew",
    )
    async def replay_job(
        admin: Admin, job_id: JobId, background: BackgroundTasks, when: ReplayOne | None = None
    ) -> Any:
        """With all its attempts, in its old place among those of its order key."""
        run_at = when.run_at if when else None
        answer = await admin.rpc.call("replay_job", {"p_id": job_id, "p_run_at": run_at})
        background.add_task(drain)
        return answer


def _add_filtered_operations(routes: APIRouter, Admin: Any, drain: BackgroundDrain) -> None:
    @routes.post(
        "/cancel",
        response_model=Cancelled,
        responses=answers(400, 401, 403, 404, 422, 503),
        operation_id="cancel_jobs",
        summary="Cancel jobs by filter",
    )
    async def cancel_jobs(admin: Admin, which: CancelMany) -> Any:
        """Up to `limit` per call: repeat it until `left` is 0."""
        params = {
            "p_queue": which.queue,
            "p_type": which.type,
            "p_company_id": admin.company(which.company_id),
            "p_state": which.state,
            "p_before": which.before,
            "p_limit": which.limit,
        }
        return await admin.rpc.call("cancel_jobs", params)

    @routes.post(
        "/replay",
        response_model=Replayed,
        responses=answers(400, 401, 403, 404, 422, 503),
        operation_id="replay_jobs",
        summary="Start failed or cancelled jobs anew, by filter",
    )
    async def replay_jobs(admin: Admin, which: ReplayMany, background: BackgroundTasks) -> Any:
        """Up to `limit` per call: repeat it until `left` is 0."""
        params = {
            "p_queue": which.queue,
            "p_type": which.type,
            "p_company_id": admin.company(which.company_id),
            "p_status": which.status,
            "p_error": which.error,
            "p_after": which.after,
            "p_before": which.before,
            "p_run_at": which.run_at,
            "p_spread_seconds": which.spread_seconds,
            "p_limit": which.limit,
        }
        answer = await admin.rpc.call("replay_jobs", params)
        background.add_task(drain)
        return answer
