import tests.jobs.zz_stats

"""Whatever is called in whatever order, and however long nobody calls: the queue does what its
model does (queue_model.py), and no job that may start is passed over.

Time stands still between steps and goes by where a step says so (clock.py). A failure prints the
steps that lead to it, and a blob that repeats them.
"""

import asyncio
import os
from collections.abc import AsyncIterator, Iterator
from datetime import datetime, timedelta
from typing import Any

import asyncpg
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)

from tests.conftest import POSTGRES_VERSION
from tests.jobs.clock import STEP, Clocked, database_with_our_clock
from tests.jobs.queue_model import Bucket, Job, Model

from hypothesis import Phase

DEV: Any = {"phases": [Phase.generate]} if os.environ.get("NOSHRINK") else {}
EXAMPLES = int(os.environ.get("MODEL_EXAMPLES", "60"))
QUEUES = ("one", "two")
COMPANIES = ["11111111-1111-4111-8111-111111111111", "22222222-2222-4222-8222-222222222222"]
KEPT = {
    "completed": timedelta(days=7),
    "cancelled": timedelta(days=7),
    "failed": timedelta(days=30),
}
# Nothing tells when a lease runs out: a lane with leased jobs is looked at every five seconds.
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
rates = st.sampled_from([None, 0.5, 1.0, 4.0])
delays = st.sampled_from([0, 0, 0, 1, 20])
outcomes = st.sampled_from(
    ["ok", "ok", "ok", "retry", "snooze", "release", "rate_limited", "dead", "cancelled"]
)
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


class TheQueue(RuleBasedStateMachine):
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
        try:
            ids = self.db.call("enqueue_jobs($1)", jobs)
        except asyncpg.PostgresError as error:
            assert error.args[0] == "unique_key_taken"
            self.model_enqueues(given, None)
            return
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
        fresh: set[tuple[str, str]] = set()
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
        """Of what was free in a lane before, the claim has the first."""
        left = [job for job in before if job.status == "pending" and not job.runs(self.now)]
        for taken in (job for job in before if job not in left):
            for job in (job for job in left if job.lane == taken.lane):
                assert (-taken.priority, taken.run_at, taken.id) < (
                    -job.priority,
                    job.run_at,
                    job.id,
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

    # How a lease ends -------------------------------------------------------------------------

    @rule(places=st.lists(picks, min_size=1, max_size=4), outcome=outcomes, delay=delays)
    def settle(self, places: list[int], outcome: str, delay: int) -> None:
        """Fresh claims and old ones, also those that were settled before."""
        self.step()
        some = {
            self.claims[place % len(self.claims)][0].id: place for place in places if self.claims
        }
        held = [self.claims[place % len(self.claims)] for place in some.values()]
        delay_seconds = max(delay, 1) if outcome == "rate_limited" else delay
        results = [
            {"id": job.id, "claim": claim, "outcome": outcome, "delay_seconds": delay_seconds}
            for job, claim in held
        ]
        answer = self.db.call("complete_jobs($1)", results)
        good = [(job, claim) for job, claim in held if self.model.holds(job, claim)]
        for job, _ in good:
            self.model.settle(job, outcome, timedelta(seconds=delay_seconds), self.now)
        assert set(answer["stale"]) == {job.id for job, _ in held} - {job.id for job, _ in good}

    @rule()
    def settle_all(self) -> None:
        self.step()
        held = [(job, claim) for job, claim in self.claims if self.model.holds(job, claim)]
        results = [{"id": job.id, "claim": claim, "outcome": "ok"} for job, claim in held]
        assert self.db.call("complete_jobs($1)", results)["stale"] == []
        for job, _ in held:
            self.model.settle(job, "ok", None, self.now)

    @rule(place=picks)
    def extend(self, place: int) -> None:
        self.step()
        if not self.claims:
            return
        job, claim = self.claims[place % len(self.claims)]
        answer = self.db.call(
            "extend_jobs($1, $2)", [{"id": job.id, "claim": claim}], LEASE_SECONDS
        )
        assert answer == ([job.id] if self.model.holds(job, claim) else [])
        if answer:
            assert job.lease_until is not None
            job.lease_until = max(job.lease_until, self.now + timedelta(seconds=LEASE_SECONDS))

    # What people do ---------------------------------------------------------------------------

    @rule(place=picks, running=st.booleans())
    def cancel(self, place: int, running: bool) -> None:
        self.step()
        if not self.model.jobs:
            return
        ended = [job for job in self.model.jobs.values() if job.status != "pending"][:2]
        near = [*self.model.unfinished()][:6] + ended
        job = near[place % len(near)]
        refused = (
            "job_ended"
            if job.status in ("completed", "failed")
            else "job_running"
            if job.runs(self.now) and not running
            else None
        )
        assert self.refusal("cancel_job($1, $2)", job.id, running) == refused
        if refused is None and job.status == "pending":
            self.model.cancel(job, self.now)

    @rule(queue=queues, state=st.sampled_from([None, "waiting", "scheduled", "running"]))
    def cancel_some(self, queue: str, state: str | None) -> None:
        self.step()
        meant = [
            job
            for job in self.model.unfinished()
            if job.queue == queue
            and job.runs(self.now) == (state == "running")
            and (
                state not in ("waiting", "scheduled")
                or (job.run_at > self.now) == (state == "scheduled")
            )
        ]
        answer = self.db.call("cancel_jobs(p_queue => $1, p_state => $2)", queue, state)
        assert answer == {"cancelled": len(meant), "left": 0}
        for job in meant:
            self.model.cancel(job, self.now)

    @rule(place=picks)
    def replay(self, place: int) -> None:
        self.step()
        ended = [job for job in self.model.jobs.values() if job.status in ("failed", "cancelled")]
        if not ended:
            return
        job = ended[place % len(ended)]
        obstacle = self.model.obstacle(job)
        assert self.refusal("replay_job($1)", job.id) == obstacle
        if obstacle is None:
            self.model.replay(job, self.now)

    def refusal(self, query: str, *arguments: Any) -> str | None:
        try:
            self.db.call(query, *arguments)
        except asyncpg.PostgresError as error:
            return str(error.args[0])
        return None

    @rule(queue=queues, paused=st.booleans())
    def pause_or_resume(self, queue: str, paused: bool) -> None:
        self.step()
        self.db.call("pause_queue($1)" if paused else "resume_queue($1)", queue)
        self.model.queues[queue].paused = paused
        if not paused:
            self.model.queues[queue].blocked_until = None
        self.model.recount(queue, self.now)

    @rule(
        queue=queues,
        rate=rates,
        burst=st.sampled_from([1, 3]),
        concurrency=st.sampled_from([None, 1, 3]),
    )
    def limit_queue(
        self, queue: str, rate: float | None, burst: int, concurrency: int | None
    ) -> None:
        self.step()
        limits = {"rate_per_second": rate, "burst": burst, "concurrency": concurrency}
        self.db.call("set_queue_limits($1, $2)", queue, limits)
        changed = self.model.queues[queue]
        changed.rate, changed.burst, changed.concurrency = rate, burst, concurrency
        self.model.recount(queue, self.now)

    @rule(key=st.sampled_from("xy"), rate=rates, burst=st.sampled_from([1, 3]), freed=st.booleans())
    def limit_key(self, key: str, rate: float | None, burst: int, freed: bool) -> None:
        self.step()
        limits = {"rate_per_second": rate, "burst": burst} | (
            {"blocked_until": None} if freed else {}
        )
        self.db.call("set_key_limits($1, $2)", key, limits)
        limit = self.model.limits.setdefault(key, Bucket(tokens=1.0, refilled_at=self.now))
        limit.rate, limit.burst = rate, burst
        limit.blocked_until = None if freed else limit.blocked_until

    # What time does ---------------------------------------------------------------------------

    @rule(seconds=st.sampled_from([0.25, 4, 10, 31, 31]))
    def let_time_pass(self, seconds: float) -> None:
        self.db.advance(timedelta(seconds=seconds))

    @rule(long=st.sampled_from([False, False, True]))
    def sweep(self, long: bool) -> None:
        self.db.advance(timedelta(days=8) if long else STEP)
        self.db.call("sweep_jobs()")
        self.model.sweep(KEPT, self.now)
        self.claims = [(job, claim) for job, claim in self.claims if job.id in self.model.jobs]

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

    def teardown(self) -> None:
        """Once nothing holds them back, and ticks come, all jobs end."""
        for name in QUEUES:
            self.db.call(
                "set_queue_limits($1, $2)", name, {"rate_per_second": None, "concurrency": None}
            )
            self.db.call("resume_queue($1)", name)
        for key in self.model.limits:
            self.db.call(
                "set_key_limits($1, $2)", key, {"rate_per_second": None, "blocked_until": None}
            )
        self.db.advance(timedelta(hours=2))
        for _ in range(1 + 2 * len(self.model.jobs)):
            jobs = self.db.call("claim_jobs(1000, 60, $1)", QUEUES)
            done = [{"id": job["id"], "claim": job["claim"], "outcome": "ok"} for job in jobs]
            self.db.call("complete_jobs($1)", done)
            self.db.advance(timedelta(milliseconds=500))
            left = self.db.rows("select * from public.queue_jobs where completed_at is null")
            if not left:
                return
        raise AssertionError(f"never claimed: {[dict(row) for row in left]} {self.lanes()}")


@pytest.fixture(scope="module")
async def clocked_url() -> AsyncIterator[str]:
    async with database_with_our_clock(POSTGRES_VERSION) as url:
        yield url


@pytest.fixture
def machine(clocked_url: str) -> Iterator[type[TheQueue]]:
    with asyncio.Runner() as runner:
        TheQueue.db = Clocked(clocked_url, runner)
        for id in COMPANIES:
            TheQueue.db.execute(f"insert into public.companies (id, name) values ('{id}', 'One')")
        yield TheQueue
        TheQueue.db.close()


def test_the_queue_behaves_like_its_model(machine: type[TheQueue]) -> None:
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=EXAMPLES, stateful_step_count=40, deadline=None, print_blob=True, **DEV
        ),
    )
