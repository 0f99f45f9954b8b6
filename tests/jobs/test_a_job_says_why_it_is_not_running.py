"""explain_job: one reason and one sentence, whatever holds the job."""

import pytest

from tests.jobs.conftest import Json, TestQueue


async def explain(queue: TestQueue, job_id: int) -> Json:
    answer: Json = await queue.project.rpc("explain_job", {"p_id": job_id})
    return answer


async def expect(queue: TestQueue, job_id: int, reason: str, words: str) -> None:
    answer = await explain(queue, job_id)
    assert answer["reason"] == reason, answer["sentence"]
    assert words in answer["sentence"]
    assert answer["sentence"].endswith(".")
    assert answer["job"]["id"] == job_id
    assert answer["queue"]["name"] == queue.name


async def test_from_due_to_ended(queue: TestQueue) -> None:
    (job_id,) = await queue.enqueue({})
    await expect(queue, job_id, "due", "waits for a worker")
    claimed = await queue.claim()
    await expect(queue, job_id, "running", "attempt 1 of 5")
    await queue.settle(claimed, "retry", error="broken", delay_seconds=60)
    await expect(queue, job_id, "scheduled", "after attempt 1 of 5")
    await queue.make_due(job_id)
    await queue.settle(await queue.claim(), "dead", error="broken")
    await expect(queue, job_id, "ended", "failed at")
    await expect(queue, job_id, "ended", "(broken)")


async def test_the_queue_holds_it(queue: TestQueue) -> None:
    first, second = await queue.enqueue({}, {})
    await queue.project.rpc("pause_queue", {"p_name": queue.name})
    await expect(queue, first, "queue_paused", "is paused")
    await queue.project.rpc("resume_queue", {"p_name": queue.name})
    await queue.change(blocked_until="2031-01-01T00:00:00Z")
    await expect(queue, first, "queue_blocked", "until 2031-01-01 00:00:00 UTC")
    await queue.project.rpc("resume_queue", {"p_name": queue.name})
    limits = {"rate_per_second": 0.0001, "concurrency": 1}
    await queue.project.rpc("set_queue_limits", {"p_name": queue.name, "p_limits": limits})
    await queue.change(tokens=1)
    assert [job["id"] for job in await queue.claim()] == [first]
    await expect(queue, second, "rate_limited", "0.0001 per second")
    await queue.project.rpc(
        "set_queue_limits", {"p_name": queue.name, "p_limits": {"rate_per_second": None}}
    )
    await expect(queue, second, "no_free_slot", "All 1 slots")


async def test_an_earlier_job_of_its_key_holds_it(queue: TestQueue) -> None:
    first, second = await queue.enqueue({"order_key": "k"}, {"order_key": "k"})
    await expect(queue, second, "behind_another", f"behind job {first} ")
    assert (await explain(queue, second))["behind"] == first


async def test_limits_are_changed_one_by_one_and_written_down(queue: TestQueue) -> None:
    async def limit(**limits: object) -> Json:
        params = {"p_name": queue.name, "p_limits": limits}
        answer: Json = await queue.project.rpc("set_queue_limits", params)
        return answer

    await queue.enqueue({})
    await queue.claim()
    changed = await limit(concurrency=2)
    assert (changed["concurrency"], changed["running"]) == (2, 1), "slots are counted at once"
    changed = await limit(keep_failed="1 year", burst=5)
    assert (changed["concurrency"], changed["burst"]) == (2, 5)
    with pytest.raises(AssertionError, match=r"422.*invalid_limits"):
        await limit(rate=5)
    with pytest.raises(AssertionError, match="a_burst_is_positive"):
        await limit(burst=0)
    with pytest.raises(AssertionError, match=r"404.*queue_not_found"):
        await queue.project.rpc("pause_queue", {"p_name": "none"})
    acts = await queue.project.rows("job_operations", **{"target->>queue": f"eq.{queue.name}"})
    assert [act["operation"] for act in acts] == ["limit", "limit"]
