"""RateLimited: nothing of the job's limit key starts before the time, and everything else does."""

from datetime import UTC, datetime, timedelta

import pytest

from functions.core.db import Database
from functions.jobs.context import JobContext
from functions.jobs.models import Handler, Job, Json, RateLimited
from functions.jobs.rpc import Queue
from functions.jobs.runner import Runner
from tests.jobs.conftest import TestQueue


def soon() -> datetime:
    return datetime.now(UTC) + timedelta(hours=1)


@pytest.mark.parametrize("how", ["seconds", "until"])
@pytest.mark.parametrize("keyed", [True, False])
async def test_its_key_rests_or_its_queue(
    how: str, keyed: bool, queue: TestQueue, db: Database
) -> None:
    ran: list[str] = []
    busy, free = (f"{queue.name}-{end}" if keyed else None for end in ("busy", "free"))

    async def work(job: Job, _: JobContext) -> Json:
        ran.append(job.data["name"])
        if job.data["busy"]:
            raise RateLimited(3600) if how == "seconds" else RateLimited(until=soon())
        return {}

    first = {"data": {"name": "first", "busy": True}, "limit_key": busy, "priority": 9}
    second = {"data": {"name": "second", "busy": True}, "limit_key": busy}
    other = {"data": {"name": "other", "busy": False}, "limit_key": free}
    ids = await queue.enqueue(first, second, other)
    handlers = {"test": Handler(work, concurrency=1)}
    report = await Runner(Queue(db), handlers).drain(3, [queue.name])
    assert ("other" in ran) is keyed
    assert ran.count("first") + ran.count("second") == 1, "also of what was leased with it"
    assert report.released >= 2
    job = await queue.job(ids[0])
    assert (job["status"], job["attempts"]) == ("pending", 0)
    explained = await queue.project.rpc("explain_job", {"p_id": ids[0]})
    assert explained["reason"] == ("key_blocked" if keyed else "queue_blocked")
