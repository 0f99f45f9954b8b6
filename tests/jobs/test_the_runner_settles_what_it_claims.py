"""The runner, with real handlers on the real queue."""

import asyncio
import time
from collections.abc import Mapping, Sequence

import pytest

from functions.core.db import Database
from functions.jobs.context import JobContext
from functions.jobs.models import (
    BatchHandler,
    GiveUp,
    Handler,
    Handlers,
    Job,
    Json,
    RetryLater,
    Snooze,
)
from functions.jobs.rpc import Queue
from functions.jobs.runner import Runner
from tests.fixtures import until
from tests.jobs.conftest import TestQueue


class Clock:
    """The time of a drain, which may pass at once."""

    def __init__(self) -> None:
        self.ahead = 0.0

    def monotonic(self) -> float:
        return time.monotonic() + self.ahead


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    for module in ("runner", "execution"):
        monkeypatch.setattr(f"functions.jobs.{module}.time", clock)
    return clock


async def nothing(job: Job, _: JobContext) -> Json | None:
    return None


def runner(db: Database, handlers: Handlers, batch: int = 100) -> Runner:
    return Runner(Queue(db), handlers, batch)


async def test_everything_due_is_done_in_one_drain(queue: TestQueue, db: Database) -> None:
    done: list[int] = []

    async def work(job: Job, _: JobContext) -> Json:
        done.append(job.data["n"])
        return {"n": job.data["n"]}

    ids = await queue.enqueue(*({"data": {"n": n}} for n in range(250)))
    report = await runner(db, {"test": Handler(work)}, batch=40).drain(30, [queue.name])
    assert sorted(done) == list(range(250))
    assert (report.claimed, report.completed, report.drained) == (250, 250, True)
    assert (await queue.job(ids[7]))["result"] == {"n": 7}


async def test_jobs_enqueued_by_jobs_are_done_too(queue: TestQueue, db: Database) -> None:
    async def work(job: Job, _: JobContext) -> None:
        if job.data["left"]:
            await queue.enqueue({"data": {"left": job.data["left"] - 1}})

    await queue.enqueue({"data": {"left": 3}})
    report = await runner(db, {"test": Handler(work)}).drain(30, [queue.name])
    assert report.completed == 4


@pytest.mark.parametrize(
    ("raised", "status", "attempts", "error"),
    [
        (RetryLater("busy", 60), "pending", 1, "busy"),
        (Snooze(60), "pending", 0, None),
        (GiveUp("wrong"), "failed", 1, "wrong"),
        (GiveUp("half \ud83d and \x00"), "failed", 1, "half ? and ?"),
        (ValueError("+5511999990000 is secret"), "pending", 1, "ValueError: see the log"),
    ],
)
async def test_what_a_handler_raises_decides(
    raised: Exception,
    status: str,
    attempts: int,
    error: str | None,
    queue: TestQueue,
    db: Database,
) -> None:
    async def work(job: Job, _: JobContext) -> None:
        raise raised

    (job_id,) = await queue.enqueue({})
    await runner(db, {"test": Handler(work)}).drain(5, [queue.name])
    job = await queue.job(job_id)
    assert (job["status"], job["attempts"], job["error"]) == (status, attempts, error)


async def test_an_unknown_type_is_dead_with_a_reason(queue: TestQueue, db: Database) -> None:
    (job_id,) = await queue.enqueue({"type": "no.such"})
    report = await runner(db, {}).drain(5, [queue.name])
    job = await queue.job(job_id)
    assert (job["status"], report.failed) == ("failed", 1)
    assert job["error"] == "no handler is registered for no.such"


async def test_a_handler_that_hangs_is_stopped_and_retried(queue: TestQueue, db: Database) -> None:
    async def hang(job: Job, _: JobContext) -> None:
        await asyncio.Event().wait()

    (job_id,) = await queue.enqueue({})
    handlers = {"test": Handler(hang, timeout_seconds=0.1)}
    report = await runner(db, handlers).drain(10, [queue.name])
    assert report.retried == 1
    assert (await queue.job(job_id))["error"].startswith("timeout")


async def test_concurrency_of_a_type_is_kept(queue: TestQueue, db: Database) -> None:
    running, most = 0, 0

    async def work(job: Job, _: JobContext) -> None:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(0.01)
        running -= 1

    await queue.enqueue(*({} for _ in range(30)))
    report = await runner(db, {"test": Handler(work, concurrency=3)}).drain(30, [queue.name])
    assert (most, report.completed) == (3, 30)


async def test_what_did_not_start_in_time_goes_back(
    queue: TestQueue, db: Database, clock: Clock
) -> None:
    async def work(job: Job, _: JobContext) -> None:
        clock.ahead += 21

    await queue.enqueue(*({} for _ in range(10)))
    report = await runner(db, {"test": Handler(work, concurrency=1)}).drain(20, [queue.name])
    assert (report.completed, report.released, report.drained) == (1, 9, False)
    waiting = await queue.claim()
    assert len(waiting) == 9
    assert {job["attempt"] for job in waiting} == {1}


async def test_a_batch_settles_each_job_by_itself(queue: TestQueue, db: Database) -> None:
    sizes: list[int] = []

    async def work(jobs: Sequence[Job]) -> Mapping[int, str]:
        sizes.append(len(jobs))
        return {job.id: "odd" for job in jobs if job.data["n"] % 2}

    ids = await queue.enqueue(*({"data": {"n": n}} for n in range(10)))
    report = await runner(db, {"test": BatchHandler(work, size=4)}).drain(5, [queue.name])
    assert sizes == [4, 4, 2]
    assert (report.completed, report.retried) == (5, 5)
    assert (await queue.job(ids[1]))["error"] == "odd"


async def test_what_comes_while_a_batch_runs_makes_up_the_next(
    queue: TestQueue, db: Database
) -> None:
    sizes: list[int] = []
    started, go_on = asyncio.Event(), asyncio.Event()

    async def work(jobs: Sequence[Job]) -> Mapping[int, str]:
        sizes.append(len(jobs))
        started.set()
        await go_on.wait()
        return {}

    async def leased() -> bool:
        leased = {"queue": f"eq.{queue.name}", "lease_until": "not.is.null"}
        return len(await queue.project.rows("queue_jobs", **leased)) == 4

    await queue.enqueue({})
    drain = runner(db, {"test": BatchHandler(work)}).begin(20, [queue.name])
    task = asyncio.create_task(drain.run())
    await started.wait()
    for _ in range(3):
        await queue.enqueue({})
        drain.nudge()
    await until(leased, what="three more jobs leased")
    go_on.set()
    assert (await task).completed == 4
    assert sizes == [1, 3]


async def test_waiting_jobs_go_back_when_the_time_is_up(
    queue: TestQueue, db: Database, clock: Clock
) -> None:
    async def work(jobs: Sequence[Job]) -> Mapping[int, str]:
        clock.ahead += 21
        return {}

    await queue.enqueue(*({} for _ in range(5)))
    report = await runner(db, {"test": BatchHandler(work, size=2)}).drain(20, [queue.name])
    assert (report.completed, report.released) == (2, 3)


async def test_what_has_started_gets_its_time_after_the_budget(
    queue: TestQueue, db: Database
) -> None:
    async def time_is_up() -> bool:
        return not drain.claiming

    async def work(job: Job, _: JobContext) -> None:
        await until(time_is_up, what="the end of the budget")

    await queue.enqueue({})
    drain = runner(db, {"test": Handler(work)}).begin(1.0, [queue.name])
    assert (await drain.run()).completed == 1


async def test_the_limit_of_the_platform_ends_everything(queue: TestQueue, db: Database) -> None:
    async def work(job: Job, _: JobContext) -> None:
        await asyncio.Event().wait()

    (job_id,) = await queue.enqueue({})
    handlers = {"test": Handler(work, timeout_seconds=3600)}
    report = await runner(db, handlers).drain(20, [queue.name], limit_seconds=0.5)
    assert report.retried == 1
    assert (await queue.job(job_id))["error"].startswith("timeout")


async def test_a_nudge_is_followed_while_a_slow_job_runs(queue: TestQueue, db: Database) -> None:
    slow_started, quick_done = asyncio.Event(), asyncio.Event()

    async def work(job: Job, _: JobContext) -> None:
        if job.data["slow"]:
            slow_started.set()
            await quick_done.wait()
        else:
            quick_done.set()

    await queue.enqueue({"data": {"slow": True}})
    drain = runner(db, {"test": Handler(work)}).begin(20, [queue.name])
    task = asyncio.create_task(drain.run())
    await slow_started.wait()
    await queue.enqueue({"data": {"slow": False}})
    drain.nudge()
    assert (await task).completed == 2


async def test_two_drains_at_once_do_each_job_once(queue: TestQueue, db: Database) -> None:
    done: list[int] = []

    async def work(job: Job, _: JobContext) -> None:
        done.append(job.id)

    ids = await queue.enqueue(*({} for _ in range(200)))
    handlers = {"test": Handler(work)}
    reports = await asyncio.gather(
        *(runner(db, handlers, batch=10).drain(30, [queue.name]) for _ in range(4))
    )
    assert sorted(done) == ids
    assert sum(report.completed for report in reports) == 200
