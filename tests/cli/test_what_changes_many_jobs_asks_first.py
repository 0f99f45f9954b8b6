"""A filter says how many jobs it means, and needs a yes."""

from local.stack import Stack
from tests.cli.conftest import Recado
from tests.cli.terminal import terminal
from tests.jobs.conftest import TestQueue


async def statuses(queue: TestQueue) -> list[str]:
    rows = await queue.project.rows("queue_jobs", queue=f"eq.{queue.name}", order="id")
    return [row["status"] for row in rows]


async def test_nothing_is_done_where_nobody_can_answer(recado: Recado, queue: TestQueue) -> None:
    await queue.enqueue({}, {})
    refused = await recado("jobs", "cancel", "--queue", queue.name)
    assert refused.code == 2
    assert "This means 2 jobs to cancel. Nothing was done." in refused.err
    assert "--yes" in refused.err
    assert await statuses(queue) == ["pending", "pending"]


async def test_a_dry_run_only_counts(recado: Recado, queue: TestQueue) -> None:
    await queue.enqueue({}, {})
    counted = await recado("jobs", "cancel", "--queue", queue.name, "--dry-run")
    assert (counted.code, counted.out) == (0, "2 jobs are meant.\n")
    assert await statuses(queue) == ["pending", "pending"]


async def test_a_person_is_asked_and_may_say_no(stack: Stack, queue: TestQueue) -> None:
    await queue.enqueue({}, {})
    for answer, code, status in ((b"n\n", 1, "pending"), (b"y\n", 0, "cancelled")):
        async with terminal(stack, "jobs", "cancel", "--queue", queue.name) as screen:
            await screen.shows("This means 2 jobs to cancel. Go on? [y/N]")
            screen.type(answer)
            assert await screen.ended() == code, screen.text
        assert await statuses(queue) == [status, status]


async def test_ctrl_c_at_the_question_does_nothing(stack: Stack, queue: TestQueue) -> None:
    await queue.enqueue({})
    async with terminal(stack, "jobs", "cancel", "--queue", queue.name) as screen:
        await screen.shows("Go on?")
        screen.type(b"\x03")
        assert await screen.ended() == 130
        assert "Traceback" not in screen.text
    assert await statuses(queue) == ["pending"]


async def test_a_yes_on_the_command_line_cancels_and_replays_spread_out(
    recado: Recado, queue: TestQueue
) -> None:
    made = await queue.enqueue({}, {"type": "other"}, {"delay_seconds": 600})
    words = ("--queue", queue.name, "--type", "test", "--yes", "--json")
    assert (await recado("jobs", "cancel", *words)).json == {"cancelled": 2, "left": 0}
    assert await statuses(queue) == ["cancelled", "pending", "cancelled"]
    spread = ("--status", "cancelled", "--at", "2030-01-01T00:00", "--spread", "2h")
    assert (await recado("jobs", "replay", *words, *spread)).json == {"replayed": 2, "left": 0}
    run_at = [(await queue.job(job))["run_at"] for job in (made[0], made[2])]
    assert run_at == ["2030-01-01T00:00:00+00:00", "2030-01-01T01:00:00+00:00"]


async def test_a_filter_that_means_everything_is_refused(recado: Recado) -> None:
    for words in (["cancel"], ["cancel", "--state", "waiting"], ["replay", "--error", "x"]):
        refused = await recado("jobs", *words, "--yes")
        assert (refused.code != 0, refused.out) == (True, ""), words


async def test_an_id_and_a_filter_exclude_each_other(recado: Recado, queue: TestQueue) -> None:
    (job_id,) = await queue.enqueue({})
    refused = await recado("jobs", "cancel", job_id, "--queue", queue.name, "--yes")
    assert refused.code == 2
    assert await statuses(queue) == ["pending"]
