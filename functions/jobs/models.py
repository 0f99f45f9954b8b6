"""The shapes of the queue: a claimed job, what a handler answers, what a drain did."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from operator import itemgetter
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from functions.jobs.context import JobContext

Json = dict[str, Any]
Outcome = Literal["ok", "retry", "snooze", "release", "rate_limited", "dead", "cancelled"]


@dataclass(frozen=True, slots=True)
class Job:
    """A leased job. `claim` fences: settling works only while this lease is the latest one."""

    id: int
    claim: int
    type: str
    queue: str
    data: Json
    attempt: int
    max_attempts: int
    company_id: str | None = None
    order_key: str | None = None
    limit_key: str | None = None
    progress: Json | None = None
    """What an earlier attempt noted last."""

    @property
    def is_last_attempt(self) -> bool:
        return self.attempt >= self.max_attempts

    @classmethod
    def from_row(cls, row: Mapping[str, Any]) -> "Job":
        return cls(*_in_order(row))


_in_order = itemgetter(*Job.__dataclass_fields__)

IfExists = Literal["keep", "replace", "reject"]


@dataclass(frozen=True, slots=True)
class NewJob:
    """A job to enqueue. None leaves a field to the defaults of its type (table job_types)."""

    type: str
    data: Json = field(default_factory=dict)
    company_id: str | None = None
    queue: str | None = None
    priority: int | None = None
    delay_seconds: float | None = None
    run_at: datetime | None = None
    """Not before; instead of delay_seconds."""
    max_attempts: int | None = None
    unique_key: str | None = None
    if_exists: IfExists = "keep"
    """Where an unfinished job has the unique_key: keep it, replace its data and time (debounce; one
    that runs goes on, beside the new one), or reject the call with Conflict unique_key_taken."""
    order_key: str | None = None
    """Jobs of a queue and order key run one at a time, in order."""
    limit_key: str | None = None
    """Jobs of a limit key share its rate and its rests (Operator.set_key_limits)."""


@dataclass(frozen=True, slots=True)
class Settlement:
    """How a claim ended, as complete_jobs takes it."""

    id: int
    claim: int
    outcome: Outcome
    result: Json | None = None
    error: str | None = None
    delay_seconds: float | None = None


class RetryLater(Exception):
    """A handler's answer: it did not work now. Counts as an attempt; fails after the last one.

    Without `after_seconds` the pause grows exponentially with jitter (2 s to an hour).
    """

    def __init__(self, reason: str, after_seconds: float | None = None) -> None:
        super().__init__(reason)
        self.after_seconds = after_seconds


class Snooze(Exception):
    """A handler's answer: not yet. Does not count as an attempt."""

    def __init__(self, after_seconds: float) -> None:
        super().__init__(f"not before {after_seconds:g} s")
        self.after_seconds = after_seconds


class RateLimited(Exception):
    """A handler's answer: the provider said "not before". Does not count as an attempt, and no job
    of its limit key, or of its queue where it has none, starts before that."""

    def __init__(self, after_seconds: float = 60.0, *, until: datetime | None = None) -> None:
        """A time with its zone, if given, counts instead of the seconds."""
        if until is not None:
            after_seconds = (until - datetime.now(UTC)).total_seconds()
        super().__init__(f"not before {after_seconds:g} s")
        self.after_seconds = after_seconds


class GiveUp(Exception):
    """A handler's answer: it will never work. The job fails at once."""


class Cancelled(Exception):
    """A handler's answer: nobody wants this any more. Also raised by JobContext where the job was
    cancelled or its lease lost; let it pass."""


@dataclass(frozen=True, slots=True)
class Handler:
    """Does one job at a time. Returns a small result to keep, or raises one of the answers above;
    any other exception is a defect, retried like RetryLater."""

    run: "Callable[[Job, JobContext], Awaitable[Json | None]]"
    timeout_seconds: float = 30.0
    concurrency: int = 10


@dataclass(frozen=True, slots=True)
class BatchHandler:
    """Does many jobs in one go. Returns the errors of those that failed, by job id.

    Jobs that come while `concurrency` batches run make up the next batch: the more there is to do,
    the larger the batches.
    """

    run: Callable[[Sequence[Job]], Awaitable[Mapping[int, str]]]
    timeout_seconds: float = 30.0
    size: int = 100
    concurrency: int = 1


Handlers = Mapping[str, Handler | BatchHandler]


@dataclass(slots=True)
class DrainReport:
    """What a drain did. `drained` means that nothing due was left when it ended."""

    claimed: int = 0
    completed: int = 0
    retried: int = 0
    failed: int = 0
    cancelled: int = 0
    released: int = 0
    stale: int = 0
    drained: bool = False
    duration_seconds: float = 0.0

    def count(self, settled: Mapping[str, Any]) -> None:
        """Adds an answer of complete_jobs."""
        for name in ("completed", "retried", "failed", "cancelled", "released"):
            setattr(self, name, getattr(self, name) + settled[name])
        self.stale += len(settled["stale"])


CatchUp = Literal["one", "all", "none"]


@dataclass(frozen=True, slots=True)
class NewSchedule:
    """Recurring work to set. None leaves a field to the defaults of the type (table job_types)."""

    name: str
    """Lower case letters, digits and _.:- after a letter; unique across companies."""
    type: str
    cron: str
    """Minute, hour, day of month, month, day of week, as in Debian's cron."""
    time_zone: str
    """IANA name, e.g. America/Sao_Paulo."""
    data: Json = field(default_factory=dict)
    """What every job gets, beside `slot`, its time."""
    company_id: str | None = None
    queue: str | None = None
    priority: int | None = None
    max_attempts: int | None = None
    catch_up: CatchUp = "one"
    paused: bool | None = None
    """None keeps the pause of a schedule that is there already."""


@dataclass(frozen=True, slots=True)
class DueSchedule:
    """A schedule whose slot `due_at` has come."""

    name: str
    cron: str
    time_zone: str
    catch_up: CatchUp
    due_at: datetime

    @classmethod
    def from_row(cls, row: Mapping[str, Any]) -> "DueSchedule":
        return cls(**{**row, "due_at": datetime.fromisoformat(row["due_at"])})


@dataclass(frozen=True, slots=True)
class ScheduleRun:
    """What a tick decided for a due schedule: jobs for `slots`, then `next_run_at`; or a pause
    with an error. Name, cron, zone and due_at say which schedule it saw."""

    name: str
    cron: str
    time_zone: str
    due_at: datetime
    slots: Sequence[datetime] = ()
    next_run_at: datetime | None = None
    error: str | None = None
