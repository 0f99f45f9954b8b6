"""What /api/queue takes and answers."""

from datetime import datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Tick(BaseModel):
    """What one tick did."""

    slot: int | None = Field(
        description="Null: as many ticks as may work at once do; schedules ran, jobs did not."
    )
    scheduled: int = Field(description="Jobs added by schedules that were due.")
    claimed: int
    completed: int
    retried: int
    failed: int
    cancelled: int
    released: int = Field(
        description="Put off, or given back unstarted when the time was up; no attempt is counted."
    )
    stale: int = Field(description="Settled too late: another worker had taken over.")
    drained: bool = Field(description="Nothing was left that could start.")
    remaining: int = Field(
        description="Due jobs that did not run when it ended, counted up to 1000 per queue; also "
        "those of paused queues and behind others of their order key."
    )
    reinvoked: bool = Field(description="The next tick was called (QUEUE_REINVOKE_HOPS).")
    duration_seconds: float
    deleted: int = Field(description="Ended jobs past their retention.")


Health = Literal["ok", "paused", "warning", "critical", "no_tick"]


class QueueRates(BaseModel):
    """What a queue did in the last five minutes; where it says so, in the last hour."""

    started_per_second: float
    completed_per_second: float
    failure_rate: float | None = Field(description="Failed of all that ended in the last hour.")
    retry_rate: float | None = Field(description="Retried attempts of all in the last hour.")
    wait_seconds_average: float | None = Field(description="From due to started.")
    wait_seconds_p50: float | None
    wait_seconds_p95: float | None
    wait_seconds_max: float | None
    run_seconds_average: float | None
    completed_last_hour: int
    failed_last_hour: int


class QueueState(BaseModel):
    """One queue now. Counts from 10000 on are those of the last tick."""

    paused: bool
    blocked_until: datetime | None = Field(description="A provider asked for a rest until then.")
    rate_per_second: float | None
    burst: int
    concurrency: int | None
    waiting: int = Field(description="Due, and not started.")
    running: int
    scheduled: int = Field(description="Due later.")
    failed: int = Field(description="That nobody replayed, up to 10000.")
    oldest_waiting_seconds: float
    seconds_until_empty: float | None = Field(description="As things go; null: never.")
    health: Health
    rates: QueueRates


class HealthOfQueue(BaseModel):
    """One queue."""

    health: Health
    waiting: int = Field(description="Counted up to 1000.")
    oldest_waiting_seconds: float


class QueueHealth(BaseModel):
    """The worst of all queues, and each."""

    health: Health = Field(
        description="ok; paused with jobs waiting; warning: more than 100 wait; critical: more "
        "than 500; no_tick: jobs wait and nobody called /api/queue/process for three minutes."
    )
    last_tick_at: datetime | None = Field(description="When anybody last called; null: never.")
    ticks: int = Field(description="How many work now.")
    queues: dict[str, HealthOfQueue]


class QueueLimits(_Body):
    """What is not named stays. Null takes a rate or a concurrency away."""

    rate_per_second: float | None = Field(default=None, gt=0, allow_inf_nan=False)
    burst: int | None = Field(default=None, ge=1, description="How many may start at once.")
    concurrency: int | None = Field(default=None, ge=1, description="How many may run at once.")
    keep_completed: str | None = Field(default=None, examples=["7 days"])
    keep_failed: str | None = Field(default=None, examples=["30 days"])


class QueueSettings(BaseModel):
    """How a queue is set."""

    name: str
    paused: bool
    blocked_until: datetime | None
    rate_per_second: float | None
    burst: int
    concurrency: int | None
    keep_completed: str
    keep_failed: str


class KeyLimits(_Body):
    """What is not named stays. Null takes a rate or a concurrency away."""

    rate_per_second: float | None = Field(default=None, gt=0, allow_inf_nan=False)
    burst: int | None = Field(default=None, ge=1, description="How many may start at once.")
    blocked_until: datetime | None = Field(default=None, description="Nothing starts before.")


class KeySettings(BaseModel):
    """The limits that jobs of one limit key share, whatever their queue."""

    limit_key: str
    rate_per_second: float | None
    burst: int
    blocked_until: datetime | None
