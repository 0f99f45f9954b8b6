"""Dead letters: listed newest first, replayed singly, by filter, paced, or as an edited copy."""

import asyncio
from datetime import datetime

import pytest

from tests.jobs.conftest import Json, TestQueue, result


async def fail(queue: TestQueue, *jobs: Json, error: str = "broken") -> list[int]:
    ids = await queue.enqueue(*jobs)
    while claimed := await queue.claim():
        await queue.settle(claimed, "dead", error=error)
    return ids


async def replay(queue: TestQueue, job_id: int, **params: object) -> Json:
    answer: Json = await queue.project.rpc("replay_job", {"p_id": job_id} | params)
    return answer


async def replay_all(queue: TestQueue, **params: object) -> Json:
    answer: Json = await queue.project.rpc("replay_jobs", {"p_queue": queue.name} | params)
    return answer


async def listed(queue: TestQueue, **params: object) -> Json:
    answer: Json = await queue.project.rpc("list_failed_jobs", {"p_queue": queue.name} | params)
    return answer


async def test_pages_hold_each_failed_job_once_newest_first(queue: TestQueue) -> None:
    together = await fail(queue, *({} for _ in range(5)))
    last = [(await fail(queue, {}))[0] for _ in range(2)]
    found: list[int] = []
    cursor = None
    while True:
        page = await listed(queue, p_limit=2, p_cursor=cursor)
        found += [row["id"] for row in page["data"]]
        if (cursor := page["next_cursor"]) is None:
            break
    assert found == last[::-1] + together[::-1]
    with pytest.raises(AssertionError, match=r"422.*invalid_cursor"):
        await listed(queue, p_cursor="x")


async def test_the_list_is_filtered(queue: TestQueue) -> None:
    (a,) = await fail(queue, {"type": "a"}, error="timeout: slow")
    (b,) = await fail(queue, {"type": "b"}, error="100%_refused")
    ids = {"p_type": "a", "p_error": "timeout"}
    assert [row["id"] for row in (await listed(queue, **ids))["data"]] == [a]
    found = (await listed(queue, p_error="%_"))["data"]
    assert [(row["id"], row["error"], row["attempts"]) for row in found] == [(b, "100%_refused", 1)]
    since = (await queue.job(b))["completed_at"]
    assert [row["id"] for row in (await listed(queue, p_after=since))["data"]] == [b]


@pytest.mark.parametrize("status", ["failed", "cancelled"])
async def test_a_replayed_job_is_the_same_job_with_all_its_attempts(
    status: str, queue: TestQueue
) -> None:
    (job_id,) = await queue.enqueue({"max_attempts": 2, "data": {"n": 1}})
    first = await queue.claim()
    await queue.settle(first, "dead" if status == "failed" else "cancelled", error="broken")
    assert await replay(queue, job_id) == {"id": job_id, "status": "pending"}
    assert (await queue.settle(first, "ok"))["stale"] == [job_id], "the old claim stays void"
    (again,) = await queue.claim()
    assert (again["id"], again["attempt"], again["data"]) == (job_id, 1, {"n": 1})
    assert (await queue.job(job_id))["replays"] == 1


async def test_what_has_not_failed_is_not_replayed(queue: TestQueue) -> None:
    waiting, done = await queue.enqueue({"delay_seconds": 60}, {})
    await queue.settle(await queue.claim(), "ok")
    for job_id in (waiting, done):
        with pytest.raises(AssertionError, match=r"409.*job_not_failed"):
            await replay(queue, job_id)


async def test_a_job_whose_second_run_would_do_nothing_is_refused(queue: TestQueue) -> None:
    (job_id,) = await fail(queue, {"type": "messages.send"})
    with pytest.raises(AssertionError, match=r"409.*job_not_replayable"):
        await replay(queue, job_id)
    assert await replay_all(queue) == {"replayed": 0, "left": 0}


async def test_a_replay_takes_no_unique_key_from_another(queue: TestQueue) -> None:
    (old,) = await fail(queue, {"unique_key": "k"})
    (older,) = await fail(queue, {"unique_key": "k"})
    assert await replay_all(queue) == {"replayed": 1, "left": 1}, "one of the two"
    assert await replay_all(queue) == {"replayed": 0, "left": 0}
    with pytest.raises(AssertionError, match=r"409.*unique_key_taken"):
        await replay(queue, old)
    assert [job["id"] for job in await queue.claim()] == [older]


async def test_a_replay_never_runs_beside_another_job_of_its_key(queue: TestQueue) -> None:
    (first,) = await fail(queue, {"order_key": "k"})
    second, third = await queue.enqueue({"order_key": "k"}, {"order_key": "k"})
    running = await queue.claim()
    assert [job["id"] for job in running] == [second]
    with pytest.raises(AssertionError, match=r"409.*order_key_busy"):
        await replay(queue, first)
    assert await replay_all(queue) == {"replayed": 0, "left": 0}
    await queue.settle(running, "ok")
    await replay(queue, first)
    order = []
    while claimed := await queue.claim():
        order += [job["id"] for job in claimed]
        await queue.settle(claimed, "ok")
    assert order == [first, third]


async def test_replays_and_claims_at_once_keep_a_key_to_one_job(queue: TestQueue) -> None:
    for n in range(10):
        job = {"type": f"round-{n}", "order_key": "k"}
        await fail(queue, job)
        await queue.enqueue(job)
        claims, _ = await asyncio.gather(queue.claim(), replay_all(queue, p_type=f"round-{n}"))
        claims += await queue.claim()
        assert len(claims) == 1
        while claims:
            await queue.settle(claims, "ok")
            claims = await queue.claim()


async def test_a_paced_replay_spreads_its_jobs_evenly(queue: TestQueue) -> None:
    ids = await fail(queue, *({} for _ in range(4)))
    start = "2031-01-01T00:00:00+00:00"
    answer = await replay_all(queue, p_run_at=start, p_spread_seconds=60, p_limit=3)
    assert answer == {"replayed": 3, "left": 1}
    jobs = [await queue.job(job_id) for job_id in ids]
    times = sorted(
        (datetime.fromisoformat(job["run_at"]) - datetime.fromisoformat(start)).total_seconds()
        for job in jobs
        if job["status"] == "pending"
    )
    assert times == [0, 20, 40]
    assert [job["status"] for job in jobs].count("failed") == 1
    acts = await queue.project.rows("job_operations", **{"target->>queue": f"eq.{queue.name}"})
    assert [(act["operation"], act["jobs"], act["target"]["spread_seconds"]) for act in acts] == [
        ("replay", 3, 60)
    ]


async def test_an_edited_copy_is_a_new_job_and_the_old_one_stays(queue: TestQueue) -> None:
    (old,) = await fail(queue, {"data": {"n": 1}, "priority": 7, "unique_key": "k"})
    copy = (await queue.project.rpc("copy_job", {"p_id": old, "p_data": {"n": 2}}))["id"]
    assert copy != old
    (job,) = await queue.claim()
    assert (job["id"], job["data"], job["type"]) == (copy, {"n": 2}, "test")
    kept = await queue.job(old)
    assert (kept["status"], kept["data"]) == ("failed", {"n": 1})
    with pytest.raises(AssertionError, match=r"409.*job_not_ended"):
        await queue.project.rpc("copy_job", {"p_id": copy})
    await queue.complete(result(job, "ok"))
