"""Each command does what its words say, and says what it did."""

from pathlib import Path

from tests.cli.conftest import Recado
from tests.jobs.conftest import TestQueue


async def enqueued(recado: Recado, queue: TestQueue, *words: str) -> int:
    ended = await recado("jobs", "enqueue", "test", "--queue", queue.name, "--json", *words)
    (job_id,) = ended.json["ids"]
    return int(job_id)


async def test_a_job_is_enqueued_with_all_its_fields(recado: Recado, queue: TestQueue) -> None:
    words = ["--data", '{"invoice": 42, "name": "São"}', "--at", "2030-01-01T08:30-03:00"]
    words += ["--priority", "8", "--max-attempts", "2", "--unique-key", "u"]
    words += ["--order-key", "o", "--limit-key", "l"]
    job = await queue.job(await enqueued(recado, queue, *words))
    assert job["data"] == {"invoice": 42, "name": "São"}
    assert job["run_at"] == "2030-01-01T11:30:00+00:00"
    assert (job["priority"], job["max_attempts"], job["queue"]) == (8, 2, queue.name)
    assert (job["unique_key"], job["order_key"], job["limit_key"]) == ("u", "o", "l")


async def test_the_data_of_a_job_comes_from_a_file_or_a_pipe(
    recado: Recado, queue: TestQueue, tmp_path: Path
) -> None:
    (tmp_path / "data.json").write_text('{"from": "file"}')
    first = await enqueued(recado, queue, "--data", "@data.json")
    assert (await queue.job(first))["data"] == {"from": "file"}
    words = ("jobs", "enqueue", "test", "--queue", queue.name, "--data", "-")
    assert (await recado(*words, stdin=b'{"from": "pipe"}')).code == 0
    assert (await queue.job(first + 1))["data"] == {"from": "pipe"}


async def test_a_unique_key_keeps_replaces_or_refuses(recado: Recado, queue: TestQueue) -> None:
    first = await enqueued(recado, queue, "--unique-key", "u", "--data", '{"n": 1}')
    assert await enqueued(recado, queue, "--unique-key", "u") == first
    words = ("--unique-key", "u", "--data", '{"n": 2}', "--if-exists")
    assert await enqueued(recado, queue, *words, "replace") == first
    assert (await queue.job(first))["data"] == {"n": 2}
    refused = await recado("jobs", "enqueue", "test", "--queue", queue.name, *words, "reject")
    assert (refused.code, refused.err.partition(":")[0]) == (1, "unique_key_taken")


async def test_many_of_a_job_are_enqueued_at_once(recado: Recado, queue: TestQueue) -> None:
    words = ("jobs", "enqueue", "test", "--queue", queue.name, "--delay", "1h", "--count", 1500)
    assert (await recado(*words)).out.startswith("1500 jobs, ")
    assert await queue.project.rpc("count_jobs", {"p_queue": queue.name}) == 1500


async def test_a_job_is_shown_with_its_sentence_first_and_its_attempts(
    recado: Recado, queue: TestQueue
) -> None:
    job_id = await enqueued(recado, queue, "--data", '{"invoice": 42}')
    await queue.settle(await queue.claim(), "retry", error="timeout: \x1b[31mslow", delay_seconds=0)
    await queue.settle(await queue.claim(), "dead", error="gone")
    shown = (await recado("jobs", "show", job_id)).out
    assert shown.startswith("It has ended: failed at ")
    assert f"Try: recado jobs replay {job_id}" in shown
    assert '"invoice": 42' in shown
    assert "\x1b" not in shown
    lines = shown.splitlines()
    at = next(n for n, line in enumerate(lines) if line.startswith("ATTEMPT "))
    first, second = lines[at + 1].split(), lines[at + 2].split()
    assert (first[0], second[0]) == ("2", "1")
    assert "gone" in first
    assert {"retry", "timeout:"} <= set(second)


async def test_why_answers_one_sentence_and_what_to_do(recado: Recado, queue: TestQueue) -> None:
    job_id = await enqueued(recado, queue)
    paused = await recado("queues", "pause", queue.name)
    assert paused.out.startswith(f"Queue {queue.name} is paused")
    why = (await recado("jobs", "why", job_id)).out.splitlines()
    assert why == [f"Its queue {queue.name} is paused.", f"Try: recado queues resume {queue.name}"]
    assert (await recado("queues", "resume", queue.name)).code == 0
    assert (await recado("jobs", "why", job_id)).out.startswith("It is due since ")


async def test_a_job_is_cancelled_replayed_and_copied(recado: Recado, queue: TestQueue) -> None:
    job_id = await enqueued(recado, queue, "--data", '{"n": 1}')
    assert (await recado("jobs", "cancel", job_id)).out == f"Job {job_id} is cancelled.\n"
    copy = (await recado("jobs", "copy", job_id, "--data", '{"n": 2}', "--json")).json["id"]
    assert (await queue.job(copy))["data"] == {"n": 2}
    assert (await recado("jobs", "replay", job_id)).out == f"Job {job_id} starts anew.\n"
    assert [job["id"] for job in await queue.claim()] == [copy, job_id]


async def test_a_running_job_is_cancelled_only_on_demand(recado: Recado, queue: TestQueue) -> None:
    job_id = await enqueued(recado, queue)
    await queue.claim()
    refused = await recado("jobs", "cancel", job_id)
    assert (refused.code, refused.err.partition(":")[0]) == (1, "job_running")
    assert (await recado("jobs", "cancel", job_id, "--running")).code == 0
    assert (await queue.job(job_id))["status"] == "cancelled"


async def test_limits_are_set_and_taken_away(recado: Recado, queue: TestQueue) -> None:
    words = ("queues", "limit", queue.name)
    set_ = await recado(*words, "--rate", 2.5, "--burst", 4, "--concurrency", 3)
    assert set_.out == f"Queue {queue.name}: 2.5/s burst 4, 3 at once.\n"
    kept = (await recado(*words, "--keep-failed", "90d", "--rate", "none", "--json")).json
    assert (kept["rate_per_second"], kept["concurrency"]) == (None, 3)
    key = f"key-{queue.name}"
    limited = await recado("keys", "limit", key, "--rate", 1, "--block-until", "2030-01-01T00:00")
    assert limited.out.startswith(f"Key {key}: 1/s burst 1, blocked until 2030-01-01 00:00:00")
    assert (await recado("keys", "limit", key, "--unblock", "--json")).json["blocked_until"] is None


async def test_due_jobs_are_worked_off_here(recado: Recado, queue: TestQueue) -> None:
    job_id = await enqueued(recado, queue)
    worked = await recado("jobs", "work", "--queues", queue.name, "--once")
    assert (worked.code, worked.out.partition(";")[0]) == (0, "1 jobs: 1 failed")
    assert "no handler is registered" in (await queue.job(job_id))["error"]


async def test_a_schedule_is_set_paused_resumed_and_deleted(
    recado: Recado, queue: TestQueue
) -> None:
    name = queue.name
    words = ("schedules", "set", name, "test", "30 8 1 1 *", "--time-zone", "America/Sao_Paulo")
    assert "-01-01 11:30:00 UTC" in (await recado(*words, "--data", '{"n": 1}')).out
    listed = next(line for line in (await recado("schedules")).out.splitlines() if name in line)
    assert listed.split()[:3] == [name, "ok", "test"]
    assert (await recado("schedules", "pause", name)).out == f"Schedule {name} is paused.\n"
    assert (await recado("schedules", "show", name, "--json")).json["paused"]
    assert "runs next at" in (await recado("schedules", "resume", name)).out
    assert '"n": 1' in (await recado("schedules", "show", name)).out
    assert (await recado("schedules", "delete", name)).code == 2
    assert (await recado("schedules", "delete", name, "--yes")).code == 0
    gone = await recado("schedules", "delete", name, "--yes")
    assert (gone.code, gone.err.partition(":")[0]) == (1, "schedule_not_found")
