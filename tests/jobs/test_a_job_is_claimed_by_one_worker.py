"""Claims: who gets which job, when, and in what order."""

import asyncio
from collections import Counter

from tests.jobs.conftest import TestQueue


def ids(jobs: list[dict[str, int]]) -> list[int]:
    return [job["id"] for job in jobs]


async def test_twenty_workers_at_once_share_the_jobs(queue: TestQueue) -> None:
    enqueued = await queue.enqueue(*({"data": {"n": n}} for n in range(200)))
    claims = await asyncio.gather(*(queue.claim(limit=15) for _ in range(20)))
    counts = Counter(job["id"] for jobs in claims for job in jobs)
    assert counts == Counter(enqueued)


async def test_a_leased_job_is_not_claimed_again(queue: TestQueue) -> None:
    await queue.enqueue({})
    assert len(await queue.claim()) == 1
    assert await queue.claim() == []


async def test_an_ended_lease_makes_the_job_due_again(queue: TestQueue) -> None:
    (job_id,) = await queue.enqueue({})
    (first,) = await queue.claim()
    await queue.end_lease(job_id)
    (second,) = await queue.claim()
    assert (first["claim"], first["attempt"]) == (1, 1)
    assert (second["claim"], second["attempt"]) == (2, 2)


async def test_an_ended_lease_on_the_last_attempt_fails_the_job(queue: TestQueue) -> None:
    (job_id,) = await queue.enqueue({"max_attempts": 1})
    await queue.claim()
    await queue.end_lease(job_id)
    assert await queue.claim() == []
    job = await queue.job(job_id)
    assert job["status"] == "failed"
    assert job["error"].startswith("worker_died")


async def test_higher_priority_goes_first_then_the_earlier_due_time(queue: TestQueue) -> None:
    low, high, middle = await queue.enqueue({"priority": 1}, {"priority": 9}, {})
    (early,) = await queue.enqueue({"run_at": "2001-01-01T00:00:00Z"})
    assert ids(await queue.claim()) == [high, early, middle, low]


async def test_a_delayed_job_waits_for_its_time(queue: TestQueue) -> None:
    (job_id,) = await queue.enqueue({"delay_seconds": 3600})
    assert await queue.claim() == []
    await queue.make_due(job_id)
    assert ids(await queue.claim()) == [job_id]


async def test_jobs_of_a_key_run_one_at_a_time_in_order(queue: TestQueue) -> None:
    first, second, other = await queue.enqueue(
        {"order_key": "a", "priority": 1}, {"order_key": "a", "priority": 9}, {"order_key": "b"}
    )
    claimed = await queue.claim()
    assert sorted(ids(claimed)) == [first, other]
    assert await queue.claim() == []
    await queue.settle(claimed, "ok")
    assert ids(await queue.claim()) == [second]


async def test_a_retrying_job_holds_its_key(queue: TestQueue) -> None:
    first, second = await queue.enqueue({"order_key": "a"}, {"order_key": "a"})
    await queue.settle(await queue.claim(), "retry", error="not now", delay_seconds=3600)
    assert await queue.claim() == []
    await queue.make_due(first)
    await queue.settle(await queue.claim(), "dead", error="never")
    assert ids(await queue.claim()) == [second]


async def test_enqueues_of_one_key_at_once_keep_one_order(queue: TestQueue) -> None:
    """Twenty writers and two workers: never two jobs of the key at once, never out of order."""
    ran: list[int] = []

    async def write() -> None:
        for _ in range(5):
            await queue.enqueue({"order_key": "hot"})

    async def work() -> None:
        while len(ran) < 100:
            jobs = await queue.claim()
            assert len(jobs) <= 1
            ran.extend(ids(jobs))
            await queue.settle(jobs, "ok")

    await asyncio.gather(*(write() for _ in range(20)), work(), work())
    assert ran == sorted(ran)
    assert len(set(ran)) == 100


async def test_a_paused_queue_gives_nothing(queue: TestQueue) -> None:
    await queue.enqueue({})
    await queue.change(paused=True)
    assert await queue.claim() == []
    await queue.change(paused=False)
    assert len(await queue.claim()) == 1


async def test_a_rate_gives_its_burst_and_then_its_refill(queue: TestQueue) -> None:
    await queue.enqueue(*({} for _ in range(10)))
    await queue.change(rate_per_second=0.0001, burst=3, tokens=3)
    assert len(await queue.claim()) == 3
    assert await queue.claim() == []
    # A refill of 20000 s at this rate is two tokens.
    await queue.change(refilled_at="2000-01-01T00:00:00Z", burst=2)
    assert len(await queue.claim()) == 2


async def test_a_limit_of_running_jobs_is_kept_and_freed(queue: TestQueue) -> None:
    await queue.enqueue(*({} for _ in range(5)))
    await queue.change(concurrency=2)
    running = await queue.claim()
    assert len(running) == 2
    assert await queue.claim() == []
    await queue.settle(running[:1], "ok")
    assert len(await queue.claim()) == 1


async def test_slots_of_a_dead_worker_come_back_with_a_sweep(queue: TestQueue) -> None:
    (job_id,) = await queue.enqueue({})
    await queue.change(concurrency=1)
    await queue.claim()
    await queue.end_lease(job_id)
    assert await queue.claim() == []
    await queue.project.rpc("sweep_jobs", {})
    assert ids(await queue.claim()) == [job_id]
