"""What the context offers to a handler: time, progress, a cancel check, a log."""

import asyncio
import logging
import threading
from typing import Any

import orjson
import pytest

from functions.core.db import Database
from functions.core.errors import Unavailable
from functions.jobs import runner as runner_module
from functions.jobs.context import JobContext
from functions.jobs.models import Cancelled, Handler, Job, Json, RetryLater
from functions.jobs.rpc import Queue
from functions.jobs.runner import Runner
from tests.fixtures import until
from tests.jobs.conftest import TestQueue


def runner(db: Database, handler: Handler) -> Runner:
    return Runner(Queue(db, worker="gru1/abc"), {"test": handler})


async def test_it_knows_its_attempt(queue: TestQueue, db: Database) -> None:
    seen: list[tuple[int, bool]] = []

    async def work(job: Job, context: JobContext) -> None:
        seen.append((context.attempt, context.is_last_attempt))
        raise RetryLater("again", after_seconds=0)

    await queue.enqueue({"max_attempts": 2})
    await runner(db, Handler(work)).drain(10, [queue.name])
    assert seen == [(1, False), (2, True)]


async def test_a_job_says_who_ran_it(queue: TestQueue, db: Database) -> None:
    async def work(job: Job, context: JobContext) -> None:
        return None

    (job_id,) = await queue.enqueue({})
    await runner(db, Handler(work)).drain(5, [queue.name])
    assert (await queue.job(job_id))["worker"] == "gru1/abc"


async def test_progress_is_seen_and_reaches_the_next_attempt(
    queue: TestQueue, db: Database
) -> None:
    found: list[Any] = []

    async def work(job: Job, context: JobContext) -> None:
        found.append(job.progress)
        if job.progress is None:
            assert await context.progress({"page": 3})
            found.append((await queue.job(job.id))["progress"])
            raise RetryLater("interrupted", after_seconds=0)

    await queue.enqueue({})
    await runner(db, Handler(work)).drain(10, [queue.name])
    assert found == [None, {"page": 3}, {"page": 3}]


async def test_the_time_is_that_of_the_handler_and_grows_on_demand(
    queue: TestQueue, db: Database
) -> None:
    left: list[float] = []

    async def work(job: Job, context: JobContext) -> None:
        left.append(context.seconds_left)
        left.append(await context.extend(30))
        await asyncio.sleep(left[0])

    await queue.enqueue({})
    report = await runner(db, Handler(work, timeout_seconds=1)).drain(20, [queue.name])
    assert report.completed == 1
    assert 0 < left[0] <= 1 < 20 < left[1] <= 30


async def test_no_extension_outlasts_the_invocation(queue: TestQueue, db: Database) -> None:
    granted: list[float] = []

    async def work(job: Job, context: JobContext) -> None:
        granted.append(await context.extend(3600))
        await asyncio.Event().wait()

    await queue.enqueue({})
    handler = Handler(work, timeout_seconds=0.5)
    report = await runner(db, handler).drain(20, [queue.name], limit_seconds=1.5)
    assert report.retried == 1
    assert granted[0] <= 1.5


async def test_a_check_ends_a_job_that_was_cancelled(queue: TestQueue, db: Database) -> None:
    went_on = []

    async def work(job: Job, context: JobContext) -> None:
        await context.check()
        await queue.project.rpc("cancel_job", {"p_id": job.id, "p_running": True})
        try:
            await context.check()
        finally:
            assert context.cancelled
        went_on.append(job.id)

    (job_id,) = await queue.enqueue({})
    report = await runner(db, Handler(work)).drain(5, [queue.name])
    assert went_on == []
    assert (report.stale, report.cancelled, report.retried) == (1, 0, 0)
    assert (await queue.job(job_id))["status"] == "cancelled"


async def test_a_handler_that_has_lost_its_lease_is_stopped(
    queue: TestQueue, db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runner_module, "LEASE_SECONDS", 1)
    started, stopped = asyncio.Event(), asyncio.Event()

    async def work(job: Job, context: JobContext) -> None:
        started.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            stopped.set()
            raise

    (job_id,) = await queue.enqueue({})
    task = asyncio.create_task(runner(db, Handler(work)).drain(20, [queue.name]))
    await started.wait()
    await queue.project.rpc("cancel_job", {"p_id": job_id, "p_running": True})
    report = await asyncio.wait_for(task, 10)
    assert stopped.is_set()
    assert (report.completed, report.retried, report.stale) == (0, 0, 0)


async def test_a_thread_learns_that_its_time_is_over(queue: TestQueue, db: Database) -> None:
    ended = threading.Event()

    def compute(context: JobContext) -> None:
        while not context.cancelled:
            ended.wait(0.01)
        ended.set()

    async def work(job: Job, context: JobContext) -> None:
        await asyncio.to_thread(compute, context)

    async def has_ended() -> bool:
        return ended.is_set()

    await queue.enqueue({"max_attempts": 1})
    report = await runner(db, Handler(work, timeout_seconds=0.2)).drain(10, [queue.name])
    assert report.failed == 1
    await until(has_ended, what="the thread ends")


async def test_a_handler_may_end_its_job_as_cancelled(queue: TestQueue, db: Database) -> None:
    async def work(job: Job, context: JobContext) -> None:
        raise Cancelled("nobody wants it")

    (job_id,) = await queue.enqueue({})
    report = await runner(db, Handler(work)).drain(5, [queue.name])
    assert report.cancelled == 1
    assert (await queue.job(job_id))["status"] == "cancelled"


async def test_what_a_handler_awaits_may_be_cancelled_without_losing_the_job(
    queue: TestQueue, db: Database
) -> None:
    async def work(job: Job, context: JobContext) -> None:
        inner = asyncio.create_task(asyncio.sleep(60))
        inner.cancel()
        await inner

    (job_id,) = await queue.enqueue({"max_attempts": 1})
    assert (await runner(db, Handler(work)).drain(5, [queue.name])).failed == 1
    assert (await queue.job(job_id))["error"].startswith("cancelled")


async def test_a_handler_goes_on_while_the_database_does_not_answer() -> None:
    async def unavailable(job: Job, progress: Json | None) -> bool:
        raise Unavailable("away")

    job = Job(1, 1, "test", "default", {}, 1, 5)
    async with asyncio.timeout(1) as timeout:
        end = asyncio.get_running_loop().time() + 9
        context = JobContext(job, timeout, end, unavailable)
        assert not await context.progress({"page": 1})
        await context.check()
        assert await context.extend(5) > 4
        assert not context.cancelled


async def test_the_log_names_the_job_and_not_its_data(caplog: pytest.LogCaptureFixture) -> None:
    async def held(job: Job, progress: Json | None) -> bool:
        return True

    caplog.set_level(logging.INFO, "recado")
    async with asyncio.timeout(1) as timeout:
        job = Job(7, 1, "test", "default", {"to": "+5511999990000"}, 2, 5)
        JobContext(job, timeout, 0.0, held).log("page.read", rows=3)
    (record,) = caplog.records
    expected = {"event": "page.read", "job": 7, "type": "test", "attempt": 2, "rows": 3}
    assert orjson.loads(record.getMessage()) == expected
