"""Jobs as the admins of a company list them over HTTP. The rules stand in
supabase/migrations/*_jobs_lists.sql."""

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field

from functions.core.callers import Admin
from functions.core.problems import answers
from functions.jobs.lists import JobLists, JobState


class ListedJob(BaseModel):
    """A job without its data, which its explanation has."""

    id: int
    type: str
    queue: str
    company_id: UUID | None
    state: JobState
    priority: int
    attempts: int
    max_attempts: int
    replays: int = Field(description="How often it was started anew after its end.")
    created_at: datetime
    run_at: datetime
    started_at: datetime | None
    completed_at: datetime | None
    worker: str | None = Field(description="Who held the last lease.")
    progress: dict[str, Any] | None = Field(description="What its handler noted last.")
    error: str | None = Field(description="At most 500 characters of it.")


class JobPage(BaseModel):
    data: list[ListedJob]
    next_cursor: str | None = Field(
        description="Null: this was all. A page may be short, even empty."
    )


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
