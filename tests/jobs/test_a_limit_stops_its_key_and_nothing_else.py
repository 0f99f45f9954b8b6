"""A limit key is a phone number or an API account: its rate and its rest hold in every queue."""

from typing import Any

import pytest

from tests.jobs.conftest import TestQueue

SLOW = {"rate_per_second": 0.001, "burst": 3}


async def limit(queue: TestQueue, key: str, **limits: Any) -> None:
    await queue.project.rpc("set_key_limits", {"p_limit_key": key, "p_limits": limits})


async def test_a_key_starts_as_many_as_its_rate_allows(queue: TestQueue) -> None:
    key = f"{queue.name}:number"
    await limit(queue, key, **SLOW)
    await queue.enqueue(*({"limit_key": key} for _ in range(10)))
    others = await queue.enqueue({}, {})
    first = await queue.claim()
    assert len(first) == 3
    assert set(others) <= {job["id"] for job in first}
    assert await queue.claim() == []


async def test_a_raised_limit_counts_at_once(queue: TestQueue) -> None:
    key = f"{queue.name}:number"
    await limit(queue, key, **SLOW)
    await queue.enqueue(*({"limit_key": key} for _ in range(10)))
    assert len(await queue.claim()) == 1
    await limit(queue, key, rate_per_second=None)
    assert len(await queue.claim()) == 9


async def test_queues_share_the_tokens_of_a_key(queue: TestQueue) -> None:
    other = TestQueue(f"{queue.name}-b", queue.project)
    await queue.project.insert("queues", {"name": other.name})
    key = f"{queue.name}:number"
    await limit(queue, key, rate_per_second=0.001)
    await queue.enqueue({"limit_key": key})
    await other.enqueue({"limit_key": key})
    assert len([*await queue.claim(), *await other.claim()]) == 1


async def test_a_provider_that_says_not_before_stops_the_key(queue: TestQueue) -> None:
    key = f"{queue.name}:number"
    ids = await queue.enqueue(*({"limit_key": key} for _ in range(3)))
    (unlimited,) = await queue.enqueue({})
    claimed = await queue.claim(2)
    told = [job for job in claimed if job["id"] in ids]
    await queue.settle(told, "rate_limited", delay_seconds=3600)
    await queue.settle([job for job in claimed if job["id"] == unlimited], "ok")
    assert await queue.claim() == []
    (again,) = await queue.enqueue({})
    assert [job["id"] for job in await queue.claim()] == [again]
    explained = await queue.project.rpc("explain_job", {"p_id": ids[2]})
    assert explained["reason"] == "key_blocked"
    assert (await queue.job(told[0]["id"]))["attempts"] == 0


async def test_the_rest_of_a_key_ends_by_hand_too(queue: TestQueue) -> None:
    key = f"{queue.name}:number"
    await queue.enqueue({"limit_key": key})
    await queue.settle(await queue.claim(), "rate_limited", delay_seconds=3600)
    assert await queue.claim() == []
    await limit(queue, key, blocked_until=None)
    assert len(await queue.claim()) == 1


async def test_jobs_of_a_key_do_not_wait_for_a_token_they_have(queue: TestQueue) -> None:
    key = f"{queue.name}:number"
    await limit(queue, key, rate_per_second=1000, burst=1000)
    await queue.enqueue({"limit_key": key})
    assert len(await queue.claim()) == 1


async def test_an_unknown_limit_is_refused(queue: TestQueue) -> None:
    with pytest.raises(AssertionError, match="invalid_limits"):
        await limit(queue, "key", concurrency=3)
