"""Enqueue: ids either way, defaults by type, clear refusals."""

import asyncio

import pytest

from tests.jobs.conftest import TestQueue


async def test_ids_come_in_the_order_of_the_jobs(queue: TestQueue) -> None:
    ids = await queue.enqueue(*({"data": {"n": n}} for n in range(50)))
    assert ids == sorted(ids)
    assert [(await queue.job(job_id))["data"]["n"] for job_id in (ids[0], ids[-1])] == [0, 49]


async def test_a_taken_unique_key_answers_the_first_id(queue: TestQueue) -> None:
    first, twin, other = await queue.enqueue(
        {"unique_key": "k"}, {"unique_key": "k"}, {"unique_key": "l"}
    )
    assert twin == first != other
    assert await queue.enqueue({"unique_key": "k"}) == [first]


async def test_a_key_is_free_again_when_its_job_has_ended(queue: TestQueue) -> None:
    (first,) = await queue.enqueue({"unique_key": "k"})
    await queue.settle(await queue.claim(), "ok")
    (second,) = await queue.enqueue({"unique_key": "k"})
    assert second != first


async def test_fifty_enqueues_at_once_make_one_job(queue: TestQueue) -> None:
    answers = await asyncio.gather(*(queue.enqueue({"unique_key": "k"}) for _ in range(50)))
    assert len({answer[0] for answer in answers}) == 1
    assert len(await queue.claim()) == 1


async def test_a_type_brings_its_queue_and_limits(queue: TestQueue) -> None:
    await queue.project.insert(
        "job_types",
        {"type": f"{queue.name}.x", "queue": queue.name, "priority": 8, "max_attempts": 2},
    )
    (job_id,) = await queue.enqueue({"type": f"{queue.name}.x", "queue": None})
    job = await queue.job(job_id)
    assert (job["queue"], job["priority"], job["max_attempts"]) == (queue.name, 8, 2)


@pytest.mark.parametrize(
    ("job", "constraint"),
    [
        ({"priority": 10}, "a_priority_is_a_digit"),
        ({"max_attempts": 0}, "max_attempts_is_positive"),
        ({"data": []}, "data_is_an_object"),
        ({"data": {"x": "y" * 300_000}}, "job_too_large"),
        ({"queue": "no-such-queue"}, "unknown_queue"),
    ],
)
async def test_a_wrong_job_is_refused_by_name(
    job: dict[str, object], constraint: str, queue: TestQueue
) -> None:
    with pytest.raises(AssertionError, match=constraint):
        await queue.enqueue(job)


async def test_replacing_gives_the_waiting_job_what_came_last(queue: TestQueue) -> None:
    """Debounce: the last of many calls counts, and it runs once."""
    ids = [
        (await queue.enqueue({"unique_key": "k", "if_exists": "replace", "data": {"n": n}}))[0]
        for n in range(3)
    ]
    assert len(set(ids)) == 1
    (job,) = await queue.claim()
    assert job["data"] == {"n": 2}


async def test_replacing_moves_the_time(queue: TestQueue) -> None:
    await queue.enqueue({"unique_key": "k", "delay_seconds": 3600})
    await queue.enqueue({"unique_key": "k", "if_exists": "replace"})
    assert len(await queue.claim()) == 1


async def test_what_replaces_a_running_job_is_work_of_its_own(queue: TestQueue) -> None:
    first = await queue.enqueue({"unique_key": "k", "data": {"n": 1}})
    (running,) = await queue.claim()
    second = await queue.enqueue({"unique_key": "k", "if_exists": "replace", "data": {"n": 2}})
    assert first != second
    assert [job["data"] for job in await queue.claim()] == [{"n": 2}]
    assert (await queue.settle([running], "ok"))["completed"] == 1


async def test_a_refused_job_takes_its_whole_call_with_it(queue: TestQueue) -> None:
    await queue.enqueue({"unique_key": "k"})
    with pytest.raises(AssertionError, match="unique_key_taken"):
        await queue.enqueue({}, {"unique_key": "k", "if_exists": "reject"})
    assert len(await queue.claim()) == 1


async def test_an_unknown_mode_is_refused(queue: TestQueue) -> None:
    with pytest.raises(AssertionError, match="invalid_jobs"):
        await queue.enqueue({"unique_key": "k", "if_exists": "overwrite"})
