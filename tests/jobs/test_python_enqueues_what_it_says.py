"""NewJob: every field reaches the database, and if_exists decides about a taken unique key."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from functions.core.db import Database
from functions.core.errors import Conflict, InvalidRequest, TooLarge
from functions.jobs.models import NewJob
from functions.jobs.rpc import Queue
from tests.jobs.conftest import TestQueue

TIME = datetime(2100, 1, 1, 12, tzinfo=UTC)


async def test_every_field_arrives(queue: TestQueue, db: Database) -> None:
    job = NewJob(
        "test",
        {"n": 1},
        queue=queue.name,
        priority=9,
        run_at=TIME,
        max_attempts=2,
        unique_key="u",
        order_key="o",
        limit_key="l",
    )
    (job_id,) = await Queue(db).enqueue_jobs([job])
    row = await queue.job(job_id)
    for name in ("type", "data", "queue", "priority", "max_attempts", "order_key", "limit_key"):
        assert row[name] == getattr(job, name), name
    assert datetime.fromisoformat(row["run_at"]) == TIME


async def test_a_taken_key_is_kept_replaced_or_rejected(queue: TestQueue, db: Database) -> None:
    job = NewJob("test", {"n": 1}, queue=queue.name, unique_key="u", delay_seconds=60)
    rpc = Queue(db)
    (first,) = await rpc.enqueue_jobs([job])
    changed = replace(job, data={"n": 2})
    assert await rpc.enqueue_jobs([changed]) == [first]
    assert (await queue.job(first))["data"] == {"n": 1}
    assert await rpc.enqueue_jobs([replace(changed, if_exists="replace")]) == [first]
    assert (await queue.job(first))["data"] == {"n": 2}
    with pytest.raises(Conflict) as refused:
        await rpc.enqueue_jobs([replace(changed, if_exists="reject")])
    assert refused.value.code == "unique_key_taken"


async def test_what_cannot_be_a_job_is_refused_by_its_name(queue: TestQueue, db: Database) -> None:
    rpc = Queue(db)
    for job, error, code in (
        (NewJob("test", {"x": "y" * 300_000}, queue=queue.name), TooLarge, "job_too_large"),
        (NewJob("test", queue="no-such-queue"), InvalidRequest, "unknown_queue"),
        (NewJob("test", queue=queue.name, limit_key="x" * 201), InvalidRequest, "invalid_jobs"),
    ):
        with pytest.raises(error) as refused:
            await rpc.enqueue_jobs([job])
        assert refused.value.code == code
