"""Ticks: a bounded number works at once, one that was killed blocks nobody, and each tells."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from uuid import UUID, uuid4

import httpx

from functions.app import create_app
from functions.core.db import Database
from functions.core.settings import Settings
from functions.jobs.queue_bodies import QueueHealth, Tick
from functions.jobs.rpc import Queue
from tests.fixtures import CRON_SECRET, Api, serving
from tests.jobs.conftest import Calendar, TestQueue

SLOTS = 4


@asynccontextmanager
async def taken(rpc: Queue, lease_seconds: int = 600) -> AsyncIterator[list[UUID]]:
    """All slots, by ticks that work elsewhere."""
    ticks = [uuid4() for _ in range(SLOTS)]
    try:
        slots = [await rpc.begin_tick(tick, SLOTS, lease_seconds) for tick in ticks]
        assert None not in slots
        yield ticks
    finally:
        for tick in ticks:
            await rpc.end_tick(tick)


async def test_each_tick_has_a_slot_of_its_own_and_gives_it_back(db: Database) -> None:
    rpc = Queue(db)
    ticks = [uuid4() for _ in range(SLOTS)]
    slots = await asyncio.gather(*(rpc.begin_tick(tick, SLOTS, 600) for tick in ticks))
    assert sorted(slot or 0 for slot in slots) == list(range(1, SLOTS + 1))
    assert await rpc.begin_tick(uuid4(), SLOTS, 600) is None
    await rpc.end_tick(ticks[1])
    assert await rpc.begin_tick(ticks[1], SLOTS, 600) == slots[1]
    for tick in ticks:
        await rpc.end_tick(tick)


async def test_a_beginning_that_is_repeated_takes_one_slot(db: Database) -> None:
    rpc, tick = Queue(db), uuid4()
    assert await rpc.begin_tick(tick, SLOTS, 600) == await rpc.begin_tick(tick, SLOTS, 600)
    assert (await rpc.queue_health())["ticks"] == 1
    await rpc.end_tick(tick)
    assert (await rpc.queue_health())["ticks"] == 0


async def test_a_killed_tick_frees_its_slot_by_time(db: Database) -> None:
    rpc = Queue(db)
    async with taken(rpc, lease_seconds=0):
        tick = uuid4()
        assert await rpc.begin_tick(tick, SLOTS, 600) is not None
        await rpc.end_tick(tick)


async def test_a_tick_without_a_slot_runs_schedules_and_leaves_jobs_to_the_others(
    calendar: Calendar, api: Api
) -> None:
    name = await calendar.due_since(2020)
    async with taken(calendar.rpc):
        answer = await api.tick()
    Tick.model_validate(answer)
    assert (answer["slot"], answer["claimed"], answer["scheduled"]) == (None, 0, 1)
    assert answer["remaining"] >= 1
    assert [job["status"] for job in await calendar.jobs(name)] == ["pending"]
    assert (await api.tick())["slot"] == 1


async def test_ticks_at_once_do_each_job_once(queue: TestQueue, api: Api) -> None:
    ids = await queue.enqueue(*({"type": "no.such"} for _ in range(300)))
    answers = await asyncio.gather(*(api.tick() for _ in range(SLOTS)))
    assert sorted(answer["slot"] for answer in answers) == list(range(1, SLOTS + 1))
    jobs = [await queue.job(job_id) for job_id in (ids[0], ids[-1])]
    assert [(job["status"], job["claims"]) for job in jobs] == [("failed", 1)] * 2
    assert sum(answer["failed"] for answer in answers) >= 300
    assert sum(answer["stale"] for answer in answers) == 0


async def test_one_slot_is_enough_where_the_setting_says_so(settings: Settings) -> None:
    one = replace(settings, queue_ticks=1)
    async with serving(create_app(one)) as url, httpx.AsyncClient(timeout=60) as http:
        headers = {"authorization": f"Bearer {CRON_SECRET}"}
        answer = await http.post(f"{url}/api/queue/process", headers=headers)
    assert answer.json()["slot"] == 1


async def test_what_is_left_is_counted(queue: TestQueue, api: Api) -> None:
    await queue.project.rpc("pause_queue", {"p_name": queue.name})
    await queue.enqueue(*({} for _ in range(200)))
    answer = await api.tick()
    assert answer["remaining"] >= 200
    assert answer["drained"] is True
    assert answer["reinvoked"] is False


async def test_health_tells_of_a_backlog_and_that_ticks_come(
    queue: TestQueue, api: Api, db: Database
) -> None:
    await api.tick()
    await queue.enqueue(*({"type": "no.such"} for _ in range(101)))
    headers = {"authorization": f"Bearer {CRON_SECRET}"}
    answer = await api.http.get("/api/queue/health", headers=headers)
    assert answer.status_code == 200
    health = QueueHealth.model_validate(answer.json())
    assert health.last_tick_at is not None
    assert health.queues[queue.name].health == "warning"
    assert health.health in ("warning", "critical")
    await queue.enqueue(*({"type": "no.such"} for _ in range(400)))
    assert (await Queue(db).queue_health())["health"] == "critical"
    await queue.project.rpc("pause_queue", {"p_name": queue.name})
    assert (await Queue(db).queue_health())["queues"][queue.name]["health"] == "paused"
    await queue.project.rpc("cancel_jobs", {"p_queue": queue.name})
    assert (await Queue(db).queue_health())["queues"][queue.name]["health"] == "ok"
