"""Settlements: what each outcome does, and that late or repeated ones do nothing."""

from typing import Any

import pytest

from tests.jobs.conftest import TestQueue, result


@pytest.mark.parametrize(
    ("outcome", "status", "attempts"),
    [
        ("ok", "completed", 1),
        ("dead", "failed", 1),
        ("cancelled", "cancelled", 1),
        ("retry", "pending", 1),
        ("snooze", "pending", 0),
        ("release", "pending", 0),
        ("rate_limited", "pending", 0),
    ],
)
async def test_an_outcome_leads_to_its_status(
    outcome: str, status: str, attempts: int, queue: TestQueue
) -> None:
    (job_id,) = await queue.enqueue({})
    await queue.settle(await queue.claim(), outcome, error="why", delay_seconds=60)
    job = await queue.job(job_id)
    assert (job["status"], job["attempts"], job["lease_until"]) == (status, attempts, None)
    assert (job["completed_at"] is None) == (status == "pending")
    assert job["error"] == ("why" if outcome in {"retry", "dead"} else None)


async def test_a_result_is_kept(queue: TestQueue) -> None:
    (job_id,) = await queue.enqueue({})
    await queue.settle(await queue.claim(), "ok", result={"sent": 3})
    assert (await queue.job(job_id))["result"] == {"sent": 3}


async def test_a_retry_after_the_last_attempt_fails(queue: TestQueue) -> None:
    (job_id,) = await queue.enqueue({"max_attempts": 2})
    for _ in range(2):
        await queue.make_due(job_id)
        await queue.settle(await queue.claim(), "retry", error="no", delay_seconds=0)
    assert (await queue.job(job_id))["status"] == "failed"


async def test_a_snooze_never_uses_up_the_attempts(queue: TestQueue) -> None:
    (job_id,) = await queue.enqueue({"max_attempts": 1})
    for _ in range(5):
        await queue.settle(await queue.claim(), "snooze", delay_seconds=0)
        await queue.make_due(job_id)
    (job,) = await queue.claim()
    assert (job["attempt"], job["claim"]) == (1, 6)


async def test_a_released_job_is_due_at_once(queue: TestQueue) -> None:
    await queue.enqueue({})
    await queue.settle(await queue.claim(), "release")
    assert len(await queue.claim()) == 1


async def test_rate_limited_rests_the_whole_queue(queue: TestQueue) -> None:
    await queue.enqueue({}, {})
    await queue.settle(await queue.claim(limit=1), "rate_limited", delay_seconds=3600)
    assert await queue.claim() == []
    await queue.change(blocked_until="2000-01-01T00:00:00Z")
    assert len(await queue.claim()) == 2


async def test_a_late_settlement_of_a_lost_lease_is_refused(queue: TestQueue) -> None:
    (job_id,) = await queue.enqueue({})
    (late,) = await queue.claim()
    await queue.end_lease(job_id)
    (current,) = await queue.claim()
    settled = await queue.complete(result(late, "ok"))
    assert (settled["completed"], settled["stale"]) == (0, [job_id])
    assert (await queue.job(job_id))["status"] == "pending"
    assert (await queue.complete(result(current, "ok")))["completed"] == 1


@pytest.mark.parametrize("outcome", ["ok", "retry", "snooze", "release", "dead"])
async def test_a_settlement_sent_twice_counts_once(outcome: str, queue: TestQueue) -> None:
    (job_id,) = await queue.enqueue({})
    jobs = await queue.claim()
    await queue.settle(jobs, outcome, error="why", delay_seconds=0)
    once = await queue.job(job_id)
    again = await queue.settle(jobs, outcome, error="why", delay_seconds=0)
    assert again["stale"] == [job_id]
    assert await queue.job(job_id) == once


async def test_a_repeated_snooze_does_not_hit_the_next_lease(queue: TestQueue) -> None:
    """The answer to an exchange was lost; meanwhile another worker holds the job."""
    await queue.enqueue({})
    jobs = await queue.claim()
    await queue.settle(jobs, "snooze", delay_seconds=0)
    (held,) = await queue.claim()
    assert (await queue.settle(jobs, "snooze", delay_seconds=0))["stale"] == [held["id"]]
    assert (await queue.complete(result(held, "ok")))["completed"] == 1


async def test_unknown_claims_do_no_harm(queue: TestQueue) -> None:
    settled = await queue.complete({"id": 9_999_999_999, "claim": 1, "outcome": "ok"})
    assert settled["stale"] == [9_999_999_999]
    assert (await queue.complete())["stale"] == []


async def test_exchange_settles_and_claims_in_one_call(queue: TestQueue) -> None:
    await queue.enqueue({}, {})
    jobs = await queue.claim(limit=1)
    answer: dict[str, Any] = await queue.project.rpc(
        "exchange_jobs",
        {
            "p_results": [result(jobs[0], "ok")],
            "p_limit": 10,
            "p_lease_seconds": 60,
            "p_queues": [queue.name],
        },
    )
    assert answer["settled"]["completed"] == 1
    assert len(answer["jobs"]) == 1


async def test_extending_tells_which_leases_are_still_held(queue: TestQueue) -> None:
    kept, lost = await queue.enqueue({}, {})
    jobs = await queue.claim()
    await queue.end_lease(lost)
    await queue.claim()
    held = await queue.project.rpc(
        "extend_jobs",
        {
            "p_claims": [{"id": job["id"], "claim": job["claim"]} for job in jobs],
            "p_lease_seconds": 600,
        },
    )
    assert held == [kept]
