"""Whatever a handler returns or raises, its job is settled, and so is the one beside it."""

import math
from typing import Any

import pytest

from functions.core.db import Database
from functions.jobs.context import JobContext
from functions.jobs.models import (
    GiveUp,
    Handler,
    Job,
    RateLimited,
    RetryLater,
    Snooze,
)
from functions.jobs.rpc import Queue
from functions.jobs.runner import Runner
from tests.jobs.conftest import TestQueue

LATER = "pending"


@pytest.mark.parametrize(
    ("answer", "status"),
    [
        ({"nul": "\x00"}, "completed"),
        ({"half": "\ud83d"}, "completed"),
        ({"object": object()}, "completed"),
        ({"set": {1}}, "completed"),
        ({"number": 2**70}, "completed"),
        ({"endless": math.inf}, "completed"),
        ({"large": "x" * 300_000}, "completed"),
        ({1: "not a text"}, "completed"),
        (RetryLater("x", after_seconds=math.inf), LATER),
        (RetryLater("x", after_seconds=1e300), LATER),
        (RetryLater("x", after_seconds=-1e300), LATER),
        (Snooze(math.nan), LATER),
        (Snooze(1e300), LATER),
        (GiveUp("\x00" * 5000), "failed"),
    ],
    ids=str,
)
async def test_every_job_is_settled(
    answer: Any, status: str, queue: TestQueue, db: Database
) -> None:
    ran: list[int] = []

    async def work(job: Job, _: JobContext) -> Any:
        ran.append(job.id)
        if job.data["good"] or ran.count(job.id) > 1:
            return {"fine": True}
        if isinstance(answer, Exception):
            raise answer
        return answer

    bad, good = await queue.enqueue({"data": {"good": False}}, {"data": {"good": True}})
    await Runner(Queue(db), {"test": Handler(work)}).drain(0.5, [queue.name])
    assert (await queue.job(good))["result"] == {"fine": True}
    job = await queue.job(bad)
    assert job["lease_until"] is None
    # A pause that has been asked to lie in the past is over at once.
    assert job["status"] == status or ran.count(bad) == 2


@pytest.mark.parametrize("seconds", [0, -5, math.inf, math.nan, 1e300])
async def test_a_rest_without_a_sensible_time_is_a_rest(
    seconds: float, queue: TestQueue, db: Database
) -> None:
    async def work(job: Job, _: JobContext) -> None:
        raise RateLimited(seconds)

    await queue.enqueue({}, {})
    report = await Runner(Queue(db), {"test": Handler(work)}, batch=1).drain(0.5, [queue.name])
    assert (report.claimed, report.released) == (1, 1)
    await queue.project.rpc("resume_queue", {"p_name": queue.name})
