"""Retention: per queue and status, a bounded look per tick, and nothing is passed over for good."""

from datetime import UTC, datetime, timedelta

from tests.jobs.conftest import TestQueue

DAY = timedelta(days=1)


async def ended(queue: TestQueue, status: str, age: timedelta) -> int:
    (job_id,) = await queue.enqueue({"delay_seconds": 3600})
    at = (datetime.now(UTC) - age).isoformat()
    await queue.project.update(
        "queue_jobs", {"status": status, "completed_at": at}, id=f"eq.{job_id}"
    )
    return job_id


async def left(queue: TestQueue) -> set[int]:
    rows = await queue.project.rows("queue_jobs", queue=f"eq.{queue.name}", select="id")
    return {row["id"] for row in rows}


async def sweep(queue: TestQueue, limit: int = 5000) -> int:
    answer = await queue.project.rpc("sweep_jobs", {"p_limit": limit})
    deleted: int = answer["deleted"]
    return deleted


async def test_by_default_seven_days_and_thirty_for_failures(queue: TestQueue) -> None:
    for status in ("completed", "cancelled"):
        await ended(queue, status, 8 * DAY)
    await ended(queue, "failed", 31 * DAY)
    kept = {
        await ended(queue, "completed", 6 * DAY),
        await ended(queue, "cancelled", 6 * DAY),
        await ended(queue, "failed", 29 * DAY),
    }
    await sweep(queue)
    assert await left(queue) == kept


async def test_a_queue_keeps_its_jobs_longer_or_shorter(queue: TestQueue) -> None:
    await queue.change(keep_completed="1 year", keep_failed="1 day")
    kept = {await ended(queue, "completed", 300 * DAY), await ended(queue, "failed", DAY / 2)}
    await ended(queue, "completed", 400 * DAY)
    await ended(queue, "failed", 2 * DAY)
    await sweep(queue)
    assert await left(queue) == kept


async def test_a_small_look_comes_past_what_stays(queue: TestQueue) -> None:
    await queue.change(keep_completed="1 year")
    kept = {await ended(queue, "completed", (100 + n) * DAY) for n in range(5)}
    other = TestQueue(f"{queue.name}-b", queue.project)
    await queue.project.insert("queues", {"name": other.name})
    await ended(other, "completed", 20 * DAY)
    for _ in range(10):
        assert await sweep(queue, limit=2) <= 6
    assert await left(queue) == kept
    assert await left(other) == set()
