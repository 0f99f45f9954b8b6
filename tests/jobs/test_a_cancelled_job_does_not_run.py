"""Cancel: one job or many by filter; running ones only on demand, and then their claim is void."""

import pytest

from tests.jobs.conftest import Json, TestQueue


async def cancel(queue: TestQueue, job_id: int, running: bool = False) -> Json:
    answer: Json = await queue.project.rpc("cancel_job", {"p_id": job_id, "p_running": running})
    return answer


async def cancel_all(queue: TestQueue, **params: object) -> Json:
    answer: Json = await queue.project.rpc("cancel_jobs", {"p_queue": queue.name} | params)
    return answer


async def test_a_cancelled_job_is_not_claimed_and_cancelling_twice_is_once(
    queue: TestQueue,
) -> None:
    (job_id,) = await queue.enqueue({"unique_key": "k"})
    for _ in range(2):
        assert await cancel(queue, job_id) == {"id": job_id, "status": "cancelled"}
    assert await queue.claim() == []
    assert (await queue.job(job_id))["completed_at"]
    assert await queue.enqueue({"unique_key": "k"}) != [job_id]
    acts = await queue.project.rows("job_operations", **{"target->>id": f"eq.{job_id}"})
    assert [(act["operation"], act["jobs"], act["user_id"]) for act in acts] == [
        ("cancel", 1, None)
    ]


async def test_an_ended_job_is_not_cancelled(queue: TestQueue) -> None:
    (job_id,) = await queue.enqueue({})
    await queue.settle(await queue.claim(), "ok")
    with pytest.raises(AssertionError, match=r"409.*job_ended"):
        await cancel(queue, job_id)
    with pytest.raises(AssertionError, match=r"404.*job_not_found"):
        await cancel(queue, 2**62)


async def test_a_running_job_is_cancelled_only_on_demand_and_its_settlement_is_stale(
    queue: TestQueue,
) -> None:
    await queue.change(concurrency=1)
    (job_id,) = await queue.enqueue({})
    claimed = await queue.claim()
    with pytest.raises(AssertionError, match=r"409.*job_running"):
        await cancel(queue, job_id)
    await cancel(queue, job_id, running=True)
    held = {"p_claims": [{"id": job_id, "claim": claimed[0]["claim"]}], "p_lease_seconds": 60}
    assert await queue.project.rpc("extend_jobs", held) == []
    assert (await queue.settle(claimed, "ok"))["stale"] == [job_id]
    assert (await queue.job(job_id))["status"] == "cancelled"
    (after,) = await queue.enqueue({})
    assert [job["id"] for job in await queue.claim()] == [after], "its slot is free"


async def test_a_job_whose_worker_died_is_cancelled_like_a_waiting_one(queue: TestQueue) -> None:
    (job_id,) = await queue.enqueue({})
    await queue.claim()
    await queue.end_lease(job_id)
    assert (await cancel(queue, job_id))["status"] == "cancelled"


async def test_a_filter_means_the_jobs_it_says_and_no_running_ones(queue: TestQueue) -> None:
    (running,) = await queue.enqueue({"priority": 9})
    await queue.claim(limit=1)
    ids = await queue.enqueue({"type": "a"}, {"type": "b"}, {"type": "b", "delay_seconds": 60})
    assert await cancel_all(queue, p_type="b", p_state="waiting") == {"cancelled": 1, "left": 0}
    assert await cancel_all(queue, p_before="2000-01-01T00:00:00Z") == {"cancelled": 0, "left": 0}
    assert await cancel_all(queue, p_state="scheduled") == {"cancelled": 1, "left": 0}
    assert await cancel_all(queue) == {"cancelled": 1, "left": 0}
    statuses = [(await queue.job(job_id))["status"] for job_id in (running, *ids)]
    assert statuses == ["pending", "cancelled", "cancelled", "cancelled"]
    assert await cancel_all(queue, p_state="running") == {"cancelled": 1, "left": 0}


async def test_a_call_is_bounded_and_tells_what_is_left(queue: TestQueue) -> None:
    await queue.enqueue(*({} for _ in range(25)))
    assert await cancel_all(queue, p_limit=10) == {"cancelled": 10, "left": 15}
    assert await cancel_all(queue, p_limit=10) == {"cancelled": 10, "left": 5}
    assert await cancel_all(queue, p_limit=10) == {"cancelled": 5, "left": 0}


async def test_a_filter_that_means_everything_or_nothing_is_refused(queue: TestQueue) -> None:
    with pytest.raises(AssertionError, match=r"422.*filter_required"):
        await queue.project.rpc("cancel_jobs", {"p_state": "waiting"})
    with pytest.raises(AssertionError, match=r"422.*invalid_filter"):
        await cancel_all(queue, p_state="sleeping")
    with pytest.raises(AssertionError, match=r"422.*filter_required"):
        await queue.project.rpc("replay_jobs", {"p_error": "x"})
