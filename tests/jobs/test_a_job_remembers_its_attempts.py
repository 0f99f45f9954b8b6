from typing import Any

from tests.jobs.conftest import TestQueue

Json = dict[str, Any]


async def attempts(queue: TestQueue, job_id: int) -> list[Json]:
    explained = await queue.project.rpc("explain_job", {"p_id": job_id})
    found: list[Json] = explained["attempts"]
    return found


async def claim(queue: TestQueue, worker: str) -> list[Json]:
    jobs: list[Json] = await queue.project.rpc(
        "claim_jobs",
        {"p_limit": 1, "p_lease_seconds": 60, "p_queues": [queue.name], "p_worker": worker},
    )
    return jobs


async def test_who_when_how_long_and_what_came_of_it_newest_first(queue: TestQueue) -> None:
    (id,) = await queue.enqueue({})
    await queue.settle(await claim(queue, "one"), "retry", error="no luck", delay_seconds=0)
    await claim(queue, "two")
    await queue.end_lease(id)
    await queue.settle(await claim(queue, "three"), "ok")
    found = await attempts(queue, id)
    assert [(a["worker"], a["outcome"], a["attempt"]) for a in found] == [
        ("three", "ok", 3),
        ("two", "lost", 2),
        ("one", "retry", 1),
    ]
    assert found[2]["error"] == "no luck"
    assert all(a["started_at"] and a["seconds"] is not None for a in found)


async def test_the_one_that_runs_comes_first(queue: TestQueue) -> None:
    (id,) = await queue.enqueue({})
    await queue.settle(await claim(queue, "one"), "snooze", delay_seconds=0)
    await claim(queue, "two")
    assert [a["outcome"] for a in await attempts(queue, id)] == ["running", "snooze"]


async def test_a_cancelled_run_is_remembered(queue: TestQueue) -> None:
    (id,) = await queue.enqueue({})
    await claim(queue, "one")
    await queue.project.rpc("cancel_job", {"p_id": id, "p_running": True})
    assert [a["outcome"] for a in await attempts(queue, id)] == ["cancelled"]


async def test_ten_are_kept(queue: TestQueue) -> None:
    (id,) = await queue.enqueue({"max_attempts": 100})
    for n in range(13):
        await queue.settle(await claim(queue, str(n)), "retry", error="no", delay_seconds=0)
    assert [a["worker"] for a in await attempts(queue, id)] == [str(n) for n in range(12, 2, -1)]
