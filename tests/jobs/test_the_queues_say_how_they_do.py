from typing import Any

from tests.jobs.conftest import TestQueue

Json = dict[str, Any]


async def stats(queue: TestQueue) -> Json:
    found: Json = (await queue.project.rpc("queue_stats", {}))[queue.name]
    return found


async def test_an_empty_queue_is_well(queue: TestQueue) -> None:
    state = await stats(queue)
    assert (state["waiting"], state["running"], state["scheduled"], state["failed"]) == (0, 0, 0, 0)
    assert (state["health"], state["seconds_until_empty"]) == ("ok", 0)
    assert state["rates"]["wait_seconds_p95"] is None


async def test_every_job_is_counted_where_it_is(queue: TestQueue) -> None:
    await queue.enqueue(*({"order_key": "one"} for _ in range(3)))
    await queue.enqueue({}, {}, {"delay_seconds": 3600}, {"delay_seconds": 3600})
    claimed = await queue.claim()
    await queue.settle(claimed[:1], "dead", error="no")
    state = await stats(queue)
    assert (state["running"], state["scheduled"], state["failed"]) == (2, 2, 1)
    assert state["waiting"] == 2  # behind the first of their key


async def test_rates_are_of_what_was_done(queue: TestQueue) -> None:
    await queue.enqueue(*({} for _ in range(20)))
    claimed = await queue.claim()
    await queue.settle(claimed[:15], "ok")
    await queue.settle(claimed[15:], "dead", error="no")
    rates = (await stats(queue))["rates"]
    assert (rates["completed_last_hour"], rates["failed_last_hour"]) == (15, 5)
    assert rates["failure_rate"] == 0.25
    assert rates["completed_per_second"] > 0
    assert 0 <= rates["wait_seconds_p50"] <= rates["wait_seconds_p95"]


async def test_a_backlog_is_a_warning_and_then_critical(queue: TestQueue) -> None:
    await queue.enqueue(*({} for _ in range(101)))
    assert (await stats(queue))["health"] == "warning"
    await queue.enqueue(*({} for _ in range(400)))
    assert (await stats(queue))["health"] == "critical"
    await queue.project.rpc("pause_queue", {"p_name": queue.name})
    assert (await stats(queue))["health"] == "paused"


async def test_a_backlog_that_is_worked_off_tells_when_it_ends(queue: TestQueue) -> None:
    await queue.enqueue(*({} for _ in range(30)))
    assert (await stats(queue))["seconds_until_empty"] is None
    await queue.settle(await queue.claim(10), "ok")
    assert (await stats(queue))["seconds_until_empty"] > 0


async def test_the_oldest_job_has_its_age(queue: TestQueue) -> None:
    (old,) = await queue.enqueue({})
    await queue.make_due(old)
    assert (await stats(queue))["oldest_waiting_seconds"] > 3600
