"""What /api/jobs takes and answers."""

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from functions.jobs.lists import JobState

CompanyId = Annotated[UUID | None, Field(description="Needed by users of several companies.")]


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid")


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


class Attempt(BaseModel):
    """One lease of a job."""

    attempt: int
    started_at: datetime | None = None
    worker: str | None = Field(default=None, description="Who had it; its log has the same name.")
    outcome: Literal[
        "ok",
        "running",
        "retry",
        "snooze",
        "release",
        "rate_limited",
        "dead",
        "cancelled",
        "lost",
    ]
    seconds: float | None = None
    error: str | None = None


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
        "key_blocked",
        "key_rate_limited",
        "no_tick",
        "due",
    ]
    sentence: str = Field(description="The reason, for people.")
    job: dict[str, Any]
    queue: dict[str, Any]
    limit: dict[str, Any] | None = Field(description="The limits of its limit key.")
    attempts: list[Attempt] = Field(description="The last ten and the current, newest first.")
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
