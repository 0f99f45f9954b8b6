"""Connections race to enqueue, claim, settle, cancel and replay: nothing stuck, doubled or early.

Few lanes and keys, so that everybody is in everybody's way; some workers die with their leases.
RACE_SEEDS=20 races so many times, each with another seed.
"""

import asyncio
import json
import os
import random
from collections import Counter
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

import asyncpg
import pytest

from local.stack import Stack

Json = dict[str, Any]

SEEDS = range(int(os.environ.get("RACE_SEEDS", "2")))
JOBS = 1200
PRODUCERS, WORKERS = 3, 4
# A lane whose first job is leased is looked at every five seconds, after slow claims every fifteen.
FREED_WITHIN_SECONDS = 40.0
REFUSED = {"job_running", "job_ended", "job_not_failed", "order_key_busy", "unique_key_taken"}


@dataclass(slots=True)
class Race:
    """The truth as those who take part know it."""

    url: str
    seed: int
    queues: list[str]
    chance: random.Random
    enqueued: int = 0
    running: dict[tuple[str, str], dict[int, int]] = field(default_factory=dict)
    """Per order key, the jobs and claims of living workers: from the answer to the settlement."""
    completed: Counter[int] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)

    async def connect(self) -> asyncpg.Connection:
        connection = await asyncpg.connect(self.url)
        await connection.execute("set role service_role")
        return connection

    async def call(self, connection: asyncpg.Connection, query: str, *arguments: Any) -> Any:
        """What PostgREST's clients do: again, when Postgres asks for it; refusals are answers."""
        try:
            answer = await connection.fetchval(query, *arguments)
        except asyncpg.SerializationError:
            return None
        except asyncpg.PostgresError as error:
            if error.args[0] not in REFUSED:
                self.faults.append(f"{query}: {error!r}")
            return None
        return json.loads(answer)


def new_job(race: Race) -> Json:
    chance = race.chance
    job: Json = {"type": "race", "queue": chance.choice(race.queues), "max_attempts": 3}
    if chance.random() < 0.7:
        job["order_key"] = f"k{chance.randrange(6)}"
    if chance.random() < 0.4:
        job["limit_key"] = f"{race.queues[0]}-{chance.randrange(2)}"
    if chance.random() < 0.3:
        job["unique_key"] = f"u{chance.randrange(8)}"
        job["if_exists"] = chance.choice(["keep", "replace"])
    if chance.random() < 0.3:
        job["delay_seconds"] = chance.choice([0.01, 0.1, 0.5])
    return job | {"priority": chance.choice([0, 5, 5, 9])}


async def produce(race: Race) -> None:
    connection = await race.connect()
    while race.enqueued < JOBS:
        jobs = [new_job(race) for _ in range(race.chance.choice([1, 1, 3, 60]))]
        ids = await race.call(connection, "select public.enqueue_jobs($1)", json.dumps(jobs))
        race.enqueued += len(ids or ())
        await asyncio.sleep(race.chance.random() * 0.02)
    await connection.close()


def settlement(race: Race, job: Json, over: bool) -> Json:
    outcomes = ["ok"] * 12 + ["retry", "snooze", "release", "rate_limited", "dead", "cancelled"]
    outcome = "ok" if over else race.chance.choice(outcomes)
    settled: Json = {"id": job["id"], "claim": job["claim"], "outcome": outcome}
    if outcome in ("retry", "snooze"):
        settled["delay_seconds"] = race.chance.choice([0, 0.02, 0.2])
    if outcome == "rate_limited":
        settled["delay_seconds"] = 0.1
    return settled


async def started(race: Race, connection: asyncpg.Connection, jobs: list[Json]) -> None:
    for job in jobs:
        if job["order_key"] is None:
            continue
        key = (job["queue"], job["order_key"])
        others = race.running.setdefault(key, {})
        for id, claim in [*others.items()]:
            # A job that was cancelled while it ran does not keep its key.
            held = "select claims = $2 and lease_until > now() from public.queue_jobs where id = $1"
            if await connection.fetchval(held, id, claim):
                race.faults.append(f"{key}: {job['id']} runs beside {id}")
        others[job["id"]] = job["claim"]


def ended(race: Race, jobs: list[Json]) -> None:
    """Before the settlement is sent: what it frees may start before its answer is here."""
    for job in jobs:
        if job["order_key"] is not None:
            running = race.running[job["queue"], job["order_key"]]
            if running.get(job["id"]) == job["claim"]:
                del running[job["id"]]


async def work(race: Race, over: asyncio.Event, done: asyncio.Event) -> None:
    connection = await race.connect()
    results: list[Json] = []
    held: list[Json] = []
    while results or not done.is_set():
        ended(race, held)
        dying = not over.is_set() and race.chance.random() < 0.05
        answer = await race.call(
            connection,
            "select public.exchange_jobs($1, $2, $3, $4)",
            json.dumps(results),
            race.chance.choice([1, 5, 20, 100]),
            1 if dying else 60,
            race.queues,
        )
        if answer is None:
            continue
        stale = set(answer["settled"]["stale"])
        race.completed.update(
            result["id"]
            for result in results
            if result["outcome"] == "ok" and result["id"] not in stale
        )
        jobs = answer["jobs"]
        if dying:  # its leases end by themselves
            held, results = [], []
            continue
        await started(race, connection, jobs)
        await asyncio.sleep(race.chance.random() * 0.01 if jobs else 0.02)
        held, results = jobs, [settlement(race, job, over.is_set()) for job in jobs]
    await connection.close()


async def operate(race: Race, over: asyncio.Event) -> None:
    connection = await race.connect()
    while not over.is_set():
        rows = await connection.fetch(
            "select id from public.queue_jobs where queue = any ($1) order by random() limit 5",
            race.queues,
        )
        for (id,) in (row.values() for row in rows):
            if race.chance.random() < 0.5:
                await race.call(connection, "select public.cancel_job($1, true)", id)
            else:
                await race.call(connection, "select public.replay_job($1)", id)
        queue = race.chance.choice(race.queues)
        limits = race.chance.choice([{"concurrency": 20}, {"concurrency": None}])
        for query, arguments in (
            ("select public.set_queue_limits($1, $2)", (queue, json.dumps(limits))),
            ("select public.pause_queue($1)", (queue,)),
            ("select public.resume_queue($1)", (queue,)),
            (
                "select public.set_key_limits($1, $2)",
                (f"{race.queues[0]}-0", json.dumps({"rate_per_second": 300, "burst": 20})),
            ),
            ("select public.replay_jobs(p_queue => $1, p_limit => 20)", (queue,)),
            ("select public.sweep_jobs()", ()),
        ):
            if race.chance.random() < 0.3:
                await race.call(connection, query, *arguments)
        await asyncio.sleep(race.chance.random() * 0.05)
    for queue in race.queues:
        await race.call(connection, "select public.resume_queue($1)", queue)
    await race.call(connection, "select public.sweep_jobs()")
    await connection.close()


UNFINISHED = """
select job.id, job.run_at, job.lease_until, job.parked, job.order_key, job.attempts, lane.turn_at,
  lane.blocked_until, lane.floors is not null as floored, queues.concurrency, queues.running
from public.queue_jobs as job join private.queue_lanes as lane on lane.id = job.lane_id
join public.queues on queues.name = job.queue
where job.queue = any ($1) and job.completed_at is null order by job.id
"""


async def until_finished(race: Race) -> None:
    """As long as one job after the other ends. Ticks sweep: workers that died may have had all the
    slots of a queue."""
    connection = await race.connect()
    left = await connection.fetch(UNFINISHED, race.queues)
    try:
        while left:
            async with asyncio.timeout(FREED_WITHIN_SECONDS):
                before = left
                while left and len(left) == len(before):
                    await asyncio.sleep(0.1)
                    await race.call(connection, "select public.sweep_jobs()")
                    left = await connection.fetch(UNFINISHED, race.queues)
    except TimeoutError:
        race.faults.append(f"{len(left)} jobs are stuck: {[dict(row) for row in left[:3]]}")
    await connection.close()


@pytest.mark.parametrize("seed", SEEDS)
async def test_a_race(seed: int, stack: Stack) -> None:
    names = [f"race-{uuid4().hex[:8]}" for _ in range(2)]
    race = Race(stack.database_url, seed, names, random.Random(seed))
    connection = await race.connect()
    await connection.executemany(
        "insert into public.queues (name) values ($1)", [(name,) for name in names]
    )
    over, done = asyncio.Event(), asyncio.Event()
    async with asyncio.TaskGroup() as tasks:
        for _ in range(WORKERS):
            tasks.create_task(work(race, over, done))
        operating = tasks.create_task(operate(race, over))
        await asyncio.gather(*(produce(race) for _ in range(PRODUCERS)))
        over.set()
        await operating
        await until_finished(race)
        done.set()
    for id, times in race.completed.items():
        if times > 1 + await replays(connection, id):
            race.faults.append(f"job {id} was completed {times} times")
    await connection.close()
    assert not race.faults, f"seed {seed}: " + "\n".join(race.faults[:10])


async def replays(connection: asyncpg.Connection, id: int) -> int:
    found: int = await connection.fetchval(
        "select replays from public.queue_jobs where id = $1", id
    )
    return found
