"""Claims and settlements in a full table beside an empty one: a million finished jobs, a million
delayed ones, a hundred thousand behind one order key, a snapshot held all the time. The tables are
never analysed, and each state is measured in turn with the empty one."""

import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import asyncpg
import orjson

from bench.figures import Report, Table, Wall, median
from bench.machine import LoadMeter
from bench.options import Options
from local.lint.scratch import scratch_database
from local.migrations import migrate

MIGRATIONS = Path(__file__).parent.parent / "supabase" / "migrations"
BATCH = 500
EXCHANGES = 40
# As many jobs as a queue works through while somebody keeps a transaction open.
HELD = 100_000
ADD = """
  insert into public.queue_jobs (lane_id, type, data, run_at, status, completed_at, order_key)
  select lane_id, 'bench', '{"message_id": "5eed0000-0000-4000-8000-000000000001"}',
    now() + $1 * interval '1 second' + n * interval '1 millisecond', $2::text,
    case when $2 <> 'pending' then now() end, $3
  from generate_series(1, $4) as n, (select lane_id from public.queue_jobs limit 1) as lane
"""


async def measure(options: Options) -> Report:
    million = 1_000_000 if not options.quick else 100_000
    states: dict[str, Callable[[Any], Awaitable[None]]] = {
        f"{million:,} finished": lambda db: _add(db, million, status="completed"),
        f"{million:,} delayed": lambda db: _add(db, million, in_seconds=3600.0),
        f"{million // 10:,} behind one key": lambda db: _add(
            db, million // 10, in_seconds=-60.0, order_key="hot"
        ),
        f"snapshot held for {HELD:,} jobs": _hold,
    }
    rows, walls = [], []
    with LoadMeter() as meter:
        for name, prepare in states.items():
            empty, full, first = await _compare(prepare)
            rows.append((name, empty, full, first, round(full / empty, 2)))
            walls.append(Wall(f"{name}: times an empty table", full / empty, 2.0))
    title = f"flat: enqueue {BATCH}, settle {BATCH} and claim {BATCH}; of the exchange"
    columns = ("state", "empty ms", "full ms", "first claim ms", "ratio")
    return Report("flat", [Table(title, columns, rows)], walls, load=meter.load)


async def _compare(prepare: Callable[[Any], Awaitable[None]]) -> tuple[float, float, float]:
    """Milliseconds of an exchange: median on an empty table and a full one, and the first there."""
    async with _database() as empty, _database() as full:
        await _exchange(empty, 1)
        await _exchange(full, 1)
        await prepare(full)
        first = (await _exchange(full, 1))[0]
        times: tuple[list[float], list[float]] = ([], [])
        for _ in range(EXCHANGES // 10):
            for database, taken in zip((empty, full), times, strict=True):
                taken += await _exchange(database, 10)
        return (
            round(median(times[0]) * 1000, 2),
            round(median(times[1]) * 1000, 2),
            round(first * 1000, 1),
        )


async def _exchange(database: Any, rounds: int) -> list[float]:
    """Seconds of each exchange; as many jobs come as go."""
    new = orjson.dumps([{"type": "bench", "data": {"n": 1}}] * BATCH).decode()
    results, taken = "[]", []
    for _ in range(rounds):
        await database.fetchval("select public.enqueue_jobs($1)", new)
        began = time.perf_counter()
        answer = await database.fetchval("select public.exchange_jobs($1, $2, 60)", results, BATCH)
        taken.append(time.perf_counter() - began)
        jobs = orjson.loads(answer)["jobs"]
        if len(jobs) != BATCH:
            raise RuntimeError(f"{len(jobs)} jobs were claimed, not {BATCH}")
        results = orjson.dumps(
            [{"id": job["id"], "claim": job["claim"], "outcome": "ok"} for job in jobs]
        ).decode()
    await database.fetchval("select public.complete_jobs($1)", results)
    return taken


async def _add(database: Any, jobs: int, **where: Any) -> None:
    given = {"in_seconds": 0.0, "status": "pending", "order_key": None} | where
    await database.execute(ADD, *given.values(), jobs)
    # As enqueue_jobs does for times in the past.
    await database.execute("update private.queue_lanes set floors = null, turn_at = now()")


async def _hold(database: Any) -> None:
    """Keeps a snapshot from before the first of many jobs; it ends with the server."""
    holder = await asyncpg.connect(database.url)
    await holder.execute("begin isolation level repeatable read")
    await holder.fetchval("select count(*) from public.queue_jobs")
    database.holder = holder
    await _exchange(database, HELD // BATCH)


@asynccontextmanager
async def _database() -> AsyncIterator[Any]:
    async with scratch_database() as postgres:
        await migrate(postgres.url("postgres"), MIGRATIONS)
        url = postgres.url("supabase_admin")
        connection = await asyncpg.connect(url, connection_class=_Connection)
        connection.url = url
        # Statistics would come at a moment of their own.
        await connection.execute("alter table public.queue_jobs set (autovacuum_enabled = false)")
        yield connection
        if connection.holder is not None:
            await connection.holder.close()
        await connection.close()


class _Connection(asyncpg.Connection):  # type: ignore[misc]
    url: str
    holder: Any = None
