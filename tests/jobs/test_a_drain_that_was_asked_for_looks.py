"""What is enqueued before a drain is asked for starts without a tick, whoever drains just then."""

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest

from functions.core.db import Database
from functions.jobs.background import BackgroundDrain
from functions.jobs.context import JobContext
from functions.jobs.models import Handler, Job, Settlement
from functions.jobs.rpc import Queue
from functions.jobs.runner import Drain, Runner
from tests.fixtures import until
from tests.jobs.conftest import TestQueue


class SlowAnswers(Queue):
    """The queue, whose first answer is long under way."""

    def __init__(self, db: Database) -> None:
        super().__init__(db)
        self.asked, self.arrives = asyncio.Event(), asyncio.Event()

    async def exchange_jobs(
        self, results: Sequence[Settlement], limit: int, *more: Any
    ) -> tuple[Any, list[Job]]:
        answer = await super().exchange_jobs(results, limit, *more)
        self.asked.set()
        await self.arrives.wait()
        return answer


class OfOneQueue(Runner):
    """Drains the queue of one test, and remembers its drains."""

    def __init__(self, name: str, queue: Queue, handler: Handler) -> None:
        super().__init__(queue, {"test": handler})
        self._name = name
        self.drains: list[Drain] = []

    def begin(self, budget_seconds: float, *_: Any, **__: Any) -> Drain:
        self.drains.append(super().begin(budget_seconds, [self._name]))
        return self.drains[-1]


async def nothing(job: Job, _: JobContext) -> None:
    return None


@pytest.fixture
def answers(db: Database) -> SlowAnswers:
    return SlowAnswers(db)


@pytest.fixture
def runner(queue: TestQueue, answers: SlowAnswers) -> OfOneQueue:
    return OfOneQueue(queue.name, answers, Handler(nothing))


async def test_at_the_end_of_the_time_of_another(
    queue: TestQueue, answers: SlowAnswers, runner: OfOneQueue
) -> None:
    """The other one has looked before the job came, and may not look again."""
    drain = BackgroundDrain(runner, budget_seconds=1.0)
    first = asyncio.create_task(drain())
    await answers.asked.wait()
    (job_id,) = await queue.enqueue({})
    second = asyncio.create_task(drain())

    async def time_is_up() -> bool:
        return not runner.drains[0].claiming

    await until(time_is_up, what="the end of the first drain's time")
    answers.arrives.set()
    await asyncio.gather(first, second)
    assert (await queue.job(job_id))["status"] == "completed"


async def test_while_another_looks(
    queue: TestQueue, answers: SlowAnswers, runner: OfOneQueue
) -> None:
    drain = BackgroundDrain(runner, budget_seconds=20.0)
    first = asyncio.create_task(drain())
    await answers.asked.wait()
    (job_id,) = await queue.enqueue({})
    others = [asyncio.create_task(drain()) for _ in range(3)]
    await asyncio.sleep(0)
    answers.arrives.set()
    await asyncio.gather(first, *others)
    assert (await queue.job(job_id))["status"] == "completed"
    assert len(runner.drains) == 1


async def test_whoever_asks_and_goes_harms_nobody(
    queue: TestQueue, answers: SlowAnswers, runner: OfOneQueue
) -> None:
    drain = BackgroundDrain(runner, budget_seconds=20.0)
    first = asyncio.create_task(drain())
    await answers.asked.wait()
    gone = asyncio.create_task(drain())
    (job_id,) = await queue.enqueue({})
    stays = asyncio.create_task(drain())
    await asyncio.sleep(0)
    gone.cancel()
    answers.arrives.set()
    await asyncio.gather(first, stays)
    assert (await queue.job(job_id))["status"] == "completed"
