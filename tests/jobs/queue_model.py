"""What the queue does, in plain Python and one thread: what the SQL is held to."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

NEVER = datetime.min.replace(tzinfo=UTC)


@dataclass(slots=True)
class Bucket:
    """At most `burst` tokens, refilled at `rate` per second; without a rate there is no limit."""

    rate: float | None = None
    burst: int = 1
    tokens: float = 0.0
    refilled_at: datetime = NEVER
    blocked_until: datetime | None = None

    def room(self, now: datetime) -> float:
        if self.blocked_until is not None and self.blocked_until > now:
            return 0
        return float("inf") if self.rate is None else int(self._level(now))

    def spend(self, jobs: int, now: datetime) -> None:
        self.tokens = 0.0 if self.rate is None else self._level(now) - jobs
        self.refilled_at = now

    def block(self, until: datetime) -> None:
        self.blocked_until = max(self.blocked_until or until, until)

    def _level(self, now: datetime) -> float:
        assert self.rate is not None
        passed = max(0.0, (now - self.refilled_at).total_seconds())
        return min(self.burst, self.tokens + self.rate * passed)


@dataclass(slots=True)
class Queue(Bucket):
    paused: bool = False
    concurrency: int | None = None
    taken: int = 0
    """Slots, counted only where there is a limit. A worker that dies gives none back; a sweep
    counts anew."""

    def room(self, now: datetime) -> float:
        slots = float("inf") if self.concurrency is None else max(0, self.concurrency - self.taken)
        return 0 if self.paused else min(slots, Bucket.room(self, now))


@dataclass(slots=True)
class Job:
    id: int
    queue: str
    run_at: datetime
    priority: int = 5
    max_attempts: int = 5
    company_id: str | None = None
    unique_key: str | None = None
    order_key: str | None = None
    limit_key: str | None = None
    status: str = "pending"
    attempts: int = 0
    claims: int = 0
    replays: int = 0
    lease_until: datetime | None = None
    ended_at: datetime | None = None
    history: list[str] = field(default_factory=list)

    @property
    def lane(self) -> tuple[str, str | None, str | None]:
        return self.queue, self.company_id, self.limit_key

    def runs(self, now: datetime) -> bool:
        return self.lease_until is not None and self.lease_until > now

    def note(self, outcome: str) -> None:
        self.history = [outcome, *self.history][:10]

    def end(self, status: str, now: datetime) -> None:
        self.status, self.ended_at, self.lease_until = status, now, None


class Model:
    """All jobs and limits. Time is given to every call."""

    def __init__(self, queues: list[str], now: datetime) -> None:
        self.queues = {name: Queue(refilled_at=now) for name in queues}
        self.limits: dict[str, Bucket] = {}
        self.jobs: dict[int, Job] = {}

    # Who may be claimed -----------------------------------------------------------------------

    def unfinished(self) -> Iterator[Job]:
        return (job for job in self.jobs.values() if job.status == "pending")

    def is_first_of_its_key(self, job: Job) -> bool:
        return job.order_key is None or not any(
            other.id < job.id
            for other in self.unfinished()
            if (other.queue, other.order_key) == (job.queue, job.order_key)
        )

    def is_free(self, job: Job, now: datetime) -> bool:
        """Due, leased to nobody, and the first unfinished one of its order key."""
        due = job.status == "pending" and job.run_at <= now and not job.runs(now)
        return due and self.is_first_of_its_key(job)

    def may_start(self, job: Job, now: datetime) -> bool:
        limit = self.limits.get(job.limit_key or "", Bucket())
        return self.is_free(job, now) and min(self.queues[job.queue].room(now), limit.room(now)) > 0

    # What happens to them ---------------------------------------------------------------------

    def with_unique_key(self, queue: str, unique_key: str | None) -> Job | None:
        same = (job for job in self.unfinished() if job.queue == queue)
        return next((j for j in same if unique_key and j.unique_key == unique_key), None)

    def replace(self, old: Job, new: Job, now: datetime) -> None:
        """The new data and time; a job that runs goes on without its key, beside the new one."""
        if old.runs(now):
            old.unique_key = None
            self.jobs[new.id] = new
            return
        old.run_at, old.priority, old.max_attempts = new.run_at, new.priority, new.max_attempts
        old.attempts, old.lease_until = 0, None

    def claim(self, job: Job, lease: timedelta, now: datetime) -> bool:
        """Whether it starts: one whose worker died on the last attempt fails instead."""
        if job.lease_until is not None:
            job.note("lost")
        job.claims += 1
        if job.attempts >= job.max_attempts:
            job.end("failed", now)
            return False
        job.attempts += 1
        job.lease_until = now + lease
        return True

    def spend(self, started: list[Job], now: datetime) -> None:
        for name, queue in self.queues.items():
            jobs = sum(job.queue == name for job in started)
            if jobs and (queue.rate, queue.concurrency) != (None, None):
                queue.spend(jobs, now)
                queue.taken += jobs
        for key, limit in self.limits.items():
            if jobs := sum(job.limit_key == key for job in started):
                limit.spend(jobs, now)

    def holds(self, job: Job, claim: int) -> bool:
        """Whether a worker still has its claim, be it late: nobody has taken the job over."""
        return job.status == "pending" and job.claims == claim and job.lease_until is not None

    def settle(self, job: Job, outcome: str, delay: timedelta | None, now: datetime) -> None:
        queue = self.queues[job.queue]
        if queue.concurrency is not None and job.runs(now):
            queue.taken = max(0, queue.taken - 1)
        job.lease_until = None
        if outcome != "ok":
            job.note(outcome)
        match outcome:
            case "ok":
                job.end("completed", now)
            case "cancelled":
                job.end("cancelled", now)
            case "retry" if job.attempts < job.max_attempts:
                job.run_at = now + (delay or timedelta())
            case "retry":
                job.run_at = now + (delay or timedelta())
                job.end("failed", now)
            case "dead":
                job.end("failed", now)
            case "snooze" | "release" | "rate_limited":
                job.attempts -= 1
                job.run_at = now + (delay or timedelta()) if outcome == "snooze" else job.run_at
        if outcome == "rate_limited":
            blocked = self.limits.setdefault(job.limit_key, Bucket()) if job.limit_key else queue
            blocked.block(now + (delay or timedelta()))

    def cancel(self, job: Job, now: datetime) -> None:
        queue = self.queues[job.queue]
        if queue.concurrency is not None and job.runs(now):
            queue.taken = max(0, queue.taken - 1)
        if job.lease_until is not None:
            job.note("cancelled")
        job.end("cancelled", now)

    def obstacle(self, job: Job) -> str | None:
        """Why an ended job cannot be replayed now."""
        if job.status not in ("failed", "cancelled"):
            return "job_not_failed"
        if self.with_unique_key(job.queue, job.unique_key):
            return "unique_key_taken"
        same_key = [j for j in self.unfinished() if j.queue == job.queue and job.order_key]
        if any(j.order_key == job.order_key and j.lease_until is not None for j in same_key):
            return "order_key_busy"
        return None

    def replay(self, job: Job, now: datetime) -> None:
        job.status, job.ended_at, job.attempts, job.run_at = "pending", None, 0, now
        job.replays += 1

    def recount(self, name: str, now: datetime) -> None:
        running = sum(job.queue == name and job.runs(now) for job in self.unfinished())
        if self.queues[name].concurrency is not None:
            self.queues[name].taken = running

    def sweep(self, kept: dict[str, timedelta], now: datetime) -> None:
        for name in self.queues:
            self.recount(name, now)
        self.jobs = {
            id: job
            for id, job in self.jobs.items()
            if job.ended_at is None or job.ended_at >= now - kept[job.status]
        }
