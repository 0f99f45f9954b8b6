"""Whatever is called in whatever order, and however long nobody calls: the queue does what its
model does (queue_model.py), and no job that may start is passed over.

Time stands still between steps and goes by where a step says so (clock.py). A failure prints the
steps that lead to it, and a blob that repeats them. MODEL_EXAMPLES=1000 tries longer.
"""

import asyncio
import os
from collections.abc import AsyncIterator, Iterator
from datetime import timedelta
from typing import Any

import asyncpg
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import rule, run_state_machine_as_test

from tests.conftest import POSTGRES_VERSION
from tests.jobs.clock import STEP, Clocked, database_with_our_clock
from tests.jobs.queue_machine import COMPANIES, LEASE_SECONDS, QUEUES, Claims, delays, picks, queues
from tests.jobs.queue_model import Bucket

EXAMPLES = int(os.environ.get("MODEL_EXAMPLES", "40"))
KEPT = {
    "completed": timedelta(days=7),
    "cancelled": timedelta(days=7),
    "failed": timedelta(days=30),
}
rates = st.sampled_from([None, 0.5, 1.0, 4.0])
outcomes = st.sampled_from(
    ["ok", "ok", "ok", "retry", "snooze", "release", "rate_limited", "dead", "cancelled"]
)


class TheQueue(Claims):
    """All that happens to jobs, in any order."""

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
            max_examples=EXAMPLES, stateful_step_count=40, deadline=None, print_blob=True
        ),
    )
