"""jobs watch: what happens to the queues is on the screen a moment later."""

import asyncio
import signal

import orjson

from functions.cli.output import Output
from functions.cli.queues import queues_table
from functions.core.db import Database
from functions.jobs.rpc import Queue
from local.stack import Stack
from tests.cli.conftest import COMMAND, ROOT, Recado, environment
from tests.cli.terminal import CTRL_C, terminal
from tests.faults.proxy import Proxy
from tests.jobs.conftest import TestQueue


async def test_the_view_is_drawn_in_place_and_leaves_the_terminal_as_it_was(
    stack: Stack, queue: TestQueue
) -> None:
    async with terminal(stack, "jobs", "watch", "--interval", "0.2s") as screen:
        await screen.shows("last tick")
        (job_id,) = await queue.enqueue({})
        await queue.make_due(job_id)  # before all that other tests have running
        (job,) = await queue.claim()
        await queue.project.rpc(
            "extend_jobs",
            {
                "p_claims": [
                    {"id": job_id, "claim": job["claim"], "progress": {"done": 3, "total": 12}}
                ],
                "p_lease_seconds": 60,
            },
        )
        await screen.shows("3 of 12, 25 %")
        await queue.settle([job], "dead", error="no such invoice")
        await screen.shows("no such invoice")
        screen.type(CTRL_C)
        assert await screen.ended() == 0
        enter, leave = screen.text.index("\x1b[?1049h"), screen.text.index("\x1b[?1049l")
        assert screen.text.count("\x1b[?1049h") == 1
        assert "\x1b[H" in screen.text[enter:leave]
        assert "\x1b[?25h" in screen.text[enter : leave + 10]
        assert "no such invoice" in screen.text[leave:]
        assert "Traceback" not in screen.text


async def test_a_view_that_is_terminated_gives_the_terminal_back(stack: Stack) -> None:
    async with terminal(stack, "jobs", "watch") as screen:
        await screen.shows("last tick")
        screen.process.send_signal(signal.SIGTERM)
        assert await screen.ended() == 0
        assert "\x1b[?1049l" in screen.text


async def test_a_terminal_without_a_cursor_gets_plain_pictures(stack: Stack) -> None:
    async with terminal(stack, "jobs", "watch", "--interval", "0.2s", TERM="dumb") as screen:
        await screen.shows("last tick")
        await screen.shows("last tick")
        screen.type(CTRL_C)
        assert await screen.ended() == 0
        assert "\x1b" not in screen.text


async def test_the_view_survives_an_outage_of_the_database(stack: Stack, queue: TestQueue) -> None:
    async with Proxy(stack.url) as proxy:
        words = ("jobs", "watch", "--interval", "0.2s")
        async with terminal(stack, *words, SUPABASE_URL=proxy.url) as screen:
            await screen.shows("last tick")
            fault = proxy.cut("watch_jobs", "request", times=1000)
            await screen.shows("trying again")
            fault.lift()
            await queue.enqueue({})
            await queue.settle(await queue.claim(), "dead", error="after the outage")
            await screen.shows("after the outage")
            screen.type(CTRL_C)
            assert await screen.ended() == 0


async def test_one_look_is_text_or_json_and_ends(recado: Recado, queue: TestQueue) -> None:
    await queue.enqueue({})
    text = await recado("jobs", "watch", "--once")
    line = next(line for line in text.out.splitlines() if line.startswith(queue.name))
    assert line.split()[:4] == [queue.name, "ok", "1", "0"]
    seen = (await recado("jobs", "watch", "--once", "--json")).json
    assert seen["queues"][queue.name]["waiting"] == 1
    assert {"at", "last_tick_at", "running", "failed"} <= set(seen)


async def test_a_program_reads_a_line_per_look(stack: Stack, queue: TestQueue) -> None:
    process = await asyncio.create_subprocess_exec(
        *COMMAND, "jobs", "watch", "--json", "--interval", "0.2s",
        env=environment(stack),
        cwd=ROOT,
        stdout=asyncio.subprocess.PIPE,
        limit=1_000_000,
    )  # fmt: skip
    assert process.stdout
    try:
        looks = [orjson.loads(await process.stdout.readline()) for _ in range(3)]
        assert looks[0]["at"] < looks[1]["at"] < looks[2]["at"]
        process.send_signal(signal.SIGINT)
        assert await process.wait() == 0
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def test_where_room_is_short_the_busiest_queues_are_shown(db: Database) -> None:
    stats = await Queue(db).queue_stats()
    busy = sorted(stats)[-1]
    stats[busy] |= {"running": 1_000_000}
    _, first, more = queues_table(Output(as_json=False), stats, room=2)
    assert first.split()[0] == busy
    assert more == f"{len(stats) - 1} more queues"
    assert len(queues_table(Output(as_json=False), stats)) == len(stats) + 1
