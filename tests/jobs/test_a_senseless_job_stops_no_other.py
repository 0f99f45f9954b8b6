"""Data that a job's room cannot read ends that job; every other one is claimed and settled."""

import pytest

from tests.jobs.conftest import TestQueue, result

SENSELESS = [
    ("messages.send", {"message_id": "..."}),
    ("messages.send", {}),
    ("messages.ingest", {"event_id": "..."}),
    ("messages.ingest", {"event_id": "99999999999999999999"}),
]


@pytest.mark.parametrize(("kind", "data"), SENSELESS)
async def test_it_fails_beside_one_that_is_completed(
    kind: str, data: dict[str, str], queue: TestQueue
) -> None:
    bad, good = await queue.enqueue({"type": kind, "data": data}, {})
    jobs = {job["id"]: job for job in await queue.claim()}
    await queue.complete(result(jobs[bad], "dead", error="senseless"), result(jobs[good], "ok"))
    assert (await queue.job(bad))["status"] == "failed"
    assert (await queue.job(good))["status"] == "completed"


@pytest.mark.parametrize(("kind", "data"), SENSELESS)
async def test_a_claim_that_ends_it_leases_the_next(
    kind: str, data: dict[str, str], queue: TestQueue
) -> None:
    (bad,) = await queue.enqueue({"type": kind, "data": data, "max_attempts": 1})
    assert await queue.claim()
    await queue.end_lease(bad)
    (good,) = await queue.enqueue({})
    assert [job["id"] for job in await queue.claim()] == [good]
    assert (await queue.job(bad))["status"] == "failed"
