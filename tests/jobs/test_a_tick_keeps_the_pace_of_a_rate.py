"""A rate sets the pace of a whole tick, not of its first claim."""

import pytest

from functions.core.db import Database
from functions.jobs.context import JobContext
from functions.jobs.models import Handler, Job
from functions.jobs.rpc import Queue
from functions.jobs.runner import Runner
from tests.jobs.conftest import TestQueue


async def nothing(job: Job, _: JobContext) -> None:
    return None


def runner(db: Database) -> Runner:
    return Runner(Queue(db), {"test": Handler(nothing)})


@pytest.mark.parametrize("keyed", [True, False])
async def test_jobs_that_wait_for_their_rate_are_waited_for(
    keyed: bool, queue: TestQueue, db: Database
) -> None:
    limits = {"rate_per_second": 10, "burst": 1}
    if keyed:
        named = {"p_limit_key": queue.name, "p_limits": limits}
        await queue.project.rpc("set_key_limits", named)
    else:
        named = {"p_name": queue.name, "p_limits": limits}
        await queue.project.rpc("set_queue_limits", named)
    await queue.enqueue(*({"limit_key": queue.name if keyed else None} for _ in range(6)))
    report = await runner(db).drain(20, [queue.name], patience_seconds=5)
    assert (report.completed, report.drained) == (6, True)


async def test_what_is_due_later_is_not_waited_for(queue: TestQueue, db: Database) -> None:
    await queue.enqueue({"delay_seconds": 1}, {})
    report = await runner(db).drain(20, [queue.name], patience_seconds=5)
    assert (report.completed, report.drained) == (1, True)


async def test_a_rate_slower_than_the_patience_is_left_to_the_next_tick(
    queue: TestQueue, db: Database
) -> None:
    await queue.project.rpc(
        "set_queue_limits", {"p_name": queue.name, "p_limits": {"rate_per_second": 0.01}}
    )
    await queue.change(tokens=1.0)
    await queue.enqueue({}, {})
    report = await runner(db).drain(20, [queue.name], patience_seconds=5)
    assert report.completed == 1
    assert await Queue(db).rate_opens_in([queue.name], 5) is None
    opens = await Queue(db).rate_opens_in([queue.name], 3600)
    assert opens is not None
    assert opens > 5


async def test_nobody_waits_for_a_paused_queue(queue: TestQueue, db: Database) -> None:
    limits = {"p_name": queue.name, "p_limits": {"rate_per_second": 1}}
    await queue.project.rpc("set_queue_limits", limits)
    await queue.enqueue({}, {})
    await queue.claim()
    await queue.project.rpc("pause_queue", {"p_name": queue.name})
    assert await Queue(db).rate_opens_in([queue.name], 3600) is None


async def test_a_rate_next_to_nothing_is_a_rate(queue: TestQueue, db: Database) -> None:
    limits = {"p_name": queue.name, "p_limits": {"rate_per_second": 1e-300}}
    await queue.project.rpc("set_queue_limits", limits)
    await queue.change(tokens=0.5)
    await queue.enqueue({})
    report = await runner(db).drain(20, [queue.name], patience_seconds=5)
    assert (report.completed, report.drained) == (0, True)
