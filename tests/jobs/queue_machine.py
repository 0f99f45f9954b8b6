"""The queue and its model side by side: jobs get in, claims take them out, both agree.

Rules about ends, people and time: test_the_queue_behaves_like_its_model.py.
"""

import contextlib
from datetime import datetime, timedelta
from typing import Any

import asyncpg
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from tests.jobs.clock import STEP, Clocked
from tests.jobs.queue_model import Job, Model

QUEUES = ("one", "two")
COMPANIES = ["11111111-1111-4111-8111-111111111111", "22222222-2222-4222-8222-222222222222"]
# Nothing tells when a lease runs out: a lane with leased jobs is looked at every five seconds.
# A claim steps over so many that wait behind another; see lease_jobs.
STEPS_OVER = 50
LOOKS_EVERY = timedelta(seconds=5)
# A lane where a claim was slow is looked at from its beginning after ten.
LOOKS_BACK_EVERY = timedelta(seconds=15)
LEASE_SECONDS = 30

SEEN = (
    "id", "status", "attempts", "claims", "replays", "run_at", "lease_until", "priority",
    "unique_key", "history",
)  # fmt: skip
FRESH = """
reset role;
delete from public.queue_jobs;
delete from private.queue_lanes;
delete from private.job_limits;
delete from private.queue_minutes;
delete from public.queues where name in ('one', 'two');
insert into public.queues (name) values ('one'), ('two');
set role service_role;
"""
JOBS = """(
  select id, status, attempts, claims, replays, run_at, lease_until, priority, unique_key,
    array(select entry ->> 'outcome' from jsonb_array_elements(history) as entry) as history
  from public.queue_jobs
) as job"""

queues = st.sampled_from(QUEUES)
picks = st.integers(0, 10_000)
delays = st.sampled_from([0, 0, 0, 1, 20])
new_jobs = st.fixed_dictionaries(
    {"queue": queues, "priority": st.sampled_from([0, 5, 5, 9])},
    optional={
        "delay_seconds": delays,
        "max_attempts": st.sampled_from([1, 1, 2]),
        "company_id": st.sampled_from(COMPANIES),
        "order_key": st.sampled_from("ab"),
        "limit_key": st.sampled_from("xy"),
        "unique_key": st.sampled_from("uv"),
        "if_exists": st.sampled_from(["keep", "replace", "replace", "reject"]),
    },
)


class Claims(RuleBasedStateMachine):
    """Jobs get in and out, and the SQL and the model agree after every step."""

    db: Clocked

    @initialize()
    def begin(self) -> None:
        self.db.execute(FRESH)
        self.db.rows("select setseed(0.5)")  # by which claims choose the first queue
        self.model = Model([*QUEUES], self.now)
        self.claims: list[tuple[Job, int]] = []
        self.slow_at: datetime | None = None
        self.db.set_slow(False)

    @property
    def now(self) -> datetime:
        return self.db.now

    # Into the queue ---------------------------------------------------------------------------

    @rule(given=st.lists(new_jobs, min_size=1, max_size=3))
    def enqueue(self, given: list[dict[str, Any]]) -> None:
        self.step()
        jobs = [{"type": "test"} | job for job in given]
        ids = None
        with contextlib.suppress(asyncpg.PostgresError):  # model_enqueues says whether it may
            ids = self.db.call("enqueue_jobs($1)", jobs)
        self.model_enqueues(given, ids)

    @rule(queue=queues, order_key=st.sampled_from("ab"), last=new_jobs)
    def enqueue_a_pile(self, queue: str, order_key: str, last: dict[str, Any]) -> None:
        """More jobs behind one another than a claim steps over, and one after them."""
        pile = [{"queue": queue, "order_key": order_key}] * 60
        self.step()
        last = {name: value for name, value in last.items() if name != "unique_key"}
        jobs = [{"type": "test"} | job for job in [*pile, last]]
        self.model_enqueues([*pile, last], self.db.call("enqueue_jobs($1)", jobs))

    def model_enqueues(self, given: list[dict[str, Any]], ids: list[int] | None) -> None:
        """First those that are new, then those whose unique key is taken: as they are answered."""
        places = [*enumerate(given)]
        taken = []
        fresh: set[tuple[str, str | None]] = set()
        for place, fields in places:
            unique = (fields["queue"], fields.get("unique_key"))
            if unique[1] and (unique in fresh or self.model.with_unique_key(*unique)):
                taken.append((place, fields))
            else:
                fresh.add(unique)
                if ids is not None:
                    self.add(ids[place], fields)
        if ids is None:
            assert any(fields.get("if_exists") == "reject" for _, fields in taken)
            return
        for place, fields in taken:
            old = self.model.with_unique_key(fields["queue"], fields["unique_key"])
            assert old is not None
            assert fields.get("if_exists") != "reject"
            if fields.get("if_exists") != "replace":
                assert ids[place] == old.id
                continue
            new = self.new_job(ids[place], fields)
            assert (new.id == old.id) == (not old.runs(self.now))
            self.model.replace(old, new, self.now)

    def new_job(self, id: int, fields: dict[str, Any]) -> Job:
        fields = {name: value for name, value in fields.items() if name != "if_exists"}
        delay = timedelta(seconds=fields.pop("delay_seconds", 0))
        return Job(id=id, run_at=self.now + delay, **fields)

    def add(self, id: int, fields: dict[str, Any]) -> None:
        assert id not in self.model.jobs
        self.model.jobs[id] = self.new_job(id, fields)

    # Out of it --------------------------------------------------------------------------------

    @rule(limit=st.sampled_from([1, 2, 5]), slow=st.sampled_from([False] * 7 + [True]))
    def claim_some(self, limit: int, slow: bool) -> None:
        self.claim(limit, slow)

    @rule()
    def claim_all(self) -> None:
        self.claim(1000, False)

    @rule(seconds=st.sampled_from([1, 4, 31, 31, 40, 3600]))
    def claim_later(self, seconds: float) -> None:
        self.db.advance(timedelta(seconds=seconds))
        self.claim(1000, False)

    def claim(self, limit: int, slow: bool) -> None:
        self.step()
        self.slow_at = self.now if slow else self.slow_at
        self.db.set_slow(slow)
        before = [job for job in self.model.unfinished() if self.model.may_start(job, self.now)]
        answer = self.db.call("claim_jobs($1, $2, $3, 'w')", limit, LEASE_SECONDS, QUEUES)
        self.db.set_slow(False)
        assert len(answer) <= limit
        died = self.those_that_died()
        started = [self.model.jobs[job["id"]] for job in answer]
        for job in sorted([*died, *started], key=lambda job: job.id):
            assert self.model.is_free(job, self.now), f"{job} is not free"
            assert self.model.claim(job, timedelta(seconds=LEASE_SECONDS), self.now) == (
                job in started
            )
        self.check_limits(started)
        self.model.spend(started, self.now)
        self.claims += [(job, job.claims) for job in started]
        for job, row in zip(started, answer, strict=True):
            assert (row["claim"], row["attempt"]) == (job.claims, job.attempts)
        if self.slow_at is None:
            self.check_order(before)
        if len(answer) < limit:
            self.check_nothing_is_passed_over(bool(died))

    def those_that_died(self) -> list[Job]:
        """Jobs that the claim has ended: their workers died on the last attempt."""
        rows = self.db.rows("select id from public.queue_jobs where status = 'failed'")
        jobs = (self.model.jobs[row["id"]] for row in rows)
        return [job for job in jobs if job.status == "pending"]

    def check_limits(self, started: list[Job]) -> None:
        for name, queue in self.model.queues.items():
            assert sum(job.queue == name for job in started) <= queue.room(self.now)
        for key, limit in self.model.limits.items():
            assert sum(job.limit_key == key for job in started) <= limit.room(self.now)

    def check_order(self, before: list[Job]) -> None:
        """Of what was free in a lane before, the claim has the first; what stands behind a pile is
        found by the next one, which has the pile out of its way."""
        waits = [job for job in before if job.status == "pending" and not job.runs(self.now)]
        left = [job for job in waits if self.blocked_before(job, before) < STEPS_OVER]
        for taken in (job for job in before if job not in waits):
            for job in (job for job in left if job.lane == taken.lane):
                assert (-taken.priority, taken.run_at, taken.id) < (
                    -job.priority,
                    job.run_at,
                    job.id,
                )

    def blocked_before(self, job: Job, free: list[Job]) -> int:
        """How many that could not start were due before it, in its lane and of its priority."""
        return sum(
            (other.lane, other.priority) == (job.lane, job.priority)
            and (other.run_at, other.id) < (job.run_at, job.id)
            and other not in free
            for other in self.model.unfinished()
        )

    def check_nothing_is_passed_over(self, some_died: bool) -> None:
        if some_died:
            return  # what comes after them is for the next claim
        for job in self.model.unfinished():
            assert not self.model.may_start(job, self.now) or self.may_be_late(job), (
                f"{job} may start, and a claim with room for it did not take it: {self.lanes()}"
            )

    def may_be_late(self, job: Job) -> bool:
        """Its lease has run out a moment ago, or a claim in its lane was slow."""
        lapsed = job.lease_until is not None and self.now - job.lease_until < LOOKS_EVERY
        return lapsed or (self.slow_at is not None and self.now - self.slow_at < LOOKS_BACK_EVERY)

    def lanes(self) -> list[dict[str, Any]]:
        return [dict(row) for row in self.db.rows("select * from private.queue_lanes")]

    def step(self) -> None:
        self.db.advance(STEP)

    # What is always so ------------------------------------------------------------------------

    @invariant()
    def the_jobs_are_those_of_the_model(self) -> None:
        rows = {
            row["id"]: dict(row) for row in self.db.rows(f"select {', '.join(SEEN)} from {JOBS}")
        }
        jobs = self.model.jobs.values()
        for job in jobs:
            # One that was put out of the way comes back as due from the moment it could start.
            if job.order_key and job.run_at < rows[job.id]["run_at"] == self.now:
                assert self.model.is_first_of_its_key(job)
                job.run_at = self.now
        assert rows == {job.id: {name: getattr(job, name) for name in SEEN} for job in jobs}

    @invariant()
    def the_slots_are_those_of_the_model(self) -> None:
        rows = self.db.rows("select name, running from public.queues where concurrency is not null")
        assert {row["name"]: row["running"] for row in rows} == {
            name: queue.taken
            for name, queue in self.model.queues.items()
            if queue.concurrency is not None
        }

    @invariant()
    def no_two_jobs_of_an_order_key_run(self) -> None:
        running = [job for job in self.model.unfinished() if job.runs(self.now) and job.order_key]
        assert len({(job.queue, job.order_key) for job in running}) == len(running)
