"""Its worker may live: what it says late takes no slot, no place and no data from anybody else."""

import asyncio
import json

import asyncpg
import pytest

from local.stack import Stack
from tests.fixtures import until
from tests.jobs.conftest import TestQueue


async def test_a_late_settlement_gives_back_no_slot(queue: TestQueue) -> None:
    """A sweep has counted the slot as free, and another job has it."""
    await queue.change(concurrency=1)
    (late,) = await queue.enqueue({"priority": 0})
    held = await queue.claim()
    await queue.end_lease(late)
    await queue.project.rpc("sweep_jobs", {})
    (other, _) = await queue.enqueue({"priority": 9}, {})
    assert [job["id"] for job in await queue.claim()] == [other]
    assert (await queue.settle(held, "ok"))["stale"] == []
    assert await queue.claim() == []


async def test_an_earlier_job_of_its_key_is_not_replayed(queue: TestQueue) -> None:
    first, second = await queue.enqueue({"order_key": "a"}, {"order_key": "a"})
    await queue.settle(await queue.claim(), "dead")
    held = await queue.claim()
    assert [job["id"] for job in held] == [second]
    await queue.end_lease(second)
    with pytest.raises(AssertionError, match=r"409.*order_key_busy"):
        await queue.project.rpc("replay_job", {"p_id": first})
    claims = [{"id": second, "claim": held[0]["claim"]}]
    extended = await queue.project.rpc("extend_jobs", {"p_claims": claims, "p_lease_seconds": 60})
    assert extended == [second]


async def test_replaced_data_is_not_completed_by_who_had_the_old(queue: TestQueue) -> None:
    (job,) = await queue.enqueue({"unique_key": "u", "data": {"n": 1}})
    held = await queue.claim()
    await queue.end_lease(job)
    replaced = await queue.enqueue({"unique_key": "u", "data": {"n": 2}, "if_exists": "replace"})
    assert replaced == [job]
    assert (await queue.settle(held, "ok"))["stale"] == [job]
    (again,) = await queue.claim()
    assert again["data"] == {"n": 2}


async def test_a_job_that_is_due_earlier_wakes_a_lane_on_its_way_to_sleep(
    queue: TestQueue, stack: Stack
) -> None:
    """Replaced by one of another limit key, which is enqueued into another lane."""
    (job,) = await queue.enqueue({"unique_key": "u", "delay_seconds": 3600})
    sooner = {"type": "test", "queue": queue.name, "unique_key": "u", "if_exists": "replace"}
    claiming = await asyncpg.connect(stack.database_url)
    replacing = await asyncpg.connect(stack.database_url)
    async with claiming.transaction():
        await claiming.execute("select public.claim_jobs(10, 60, $1)", [queue.name])
        replaced = asyncio.create_task(
            replacing.execute(
                "select public.enqueue_jobs($1)", json.dumps([sooner | {"limit_key": queue.name}])
            )
        )

        async def waits_or_is_done() -> bool:
            waiting = "select from pg_stat_activity where pid = $1 and wait_event_type = 'Lock'"
            pid = replacing.get_server_pid()
            return replaced.done() or bool(await claiming.fetch(waiting, pid))

        await until(waits_or_is_done, what="the replacement waits for the claim, or is done")
    await replaced
    assert [job["id"] for job in await queue.claim()] == [job]
    await claiming.close()
    await replacing.close()
