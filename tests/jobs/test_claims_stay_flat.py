"""What a claim and a settlement read is the same in a full table as in an empty one: measured in
pages that Postgres touches, which are the same on a busy machine. Nothing here is ever analysed, so
the plans are those of a table that was empty when it was made."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncpg
import orjson
import pytest

from local.lint.scratch import scratch_database
from local.migrations import migrate

MIGRATIONS = Path(__file__).parents[2] / "supabase" / "migrations"
# Design: a claim costs at most twice as much as in an empty table.
RATIO = 2.0
BATCH = 100
FILLED = """
  insert into public.queue_jobs (lane_id, type, run_at, status, completed_at, order_key)
  select lane_id, 'test', now() + $1 * interval '1 second' + n * interval '1 millisecond', $2::text,
    case when $2 <> 'pending' then now() end, $3
  from generate_series(1, $4) as n, (select lane_id from public.queue_jobs limit 1) as lane
"""


@dataclass(frozen=True, slots=True)
class Table:
    """The jobs, and nobody else at work. `cost` is the pages of a round on the empty table."""

    database: Any
    url: str
    cost: float

    async def fill(self, jobs: int, **where: Any) -> None:
        given = {"in_seconds": 0.0, "status": "pending", "order_key": None} | where
        await self.database.execute(FILLED, *given.values(), jobs)
        # As enqueue_jobs does for times in the past.
        await self.database.execute("update private.queue_lanes set floors = null, turn_at = now()")

    async def ratio(self, rounds: int = 5) -> float:
        return await cost(self.database, rounds) / self.cost


async def cost(database: Any, rounds: int = 5) -> float:
    """Pages touched per round: what came a moment ago is claimed, and settled in the next round."""
    new = orjson.dumps([{"type": "test"}] * BATCH).decode()
    held: list[Any] = []
    pages = 0
    for _ in range(rounds):
        await database.fetchval("select public.enqueue_jobs($1)", new)
        results = [{"id": j["id"], "claim": j["claim"], "outcome": "ok"} for j in held]
        pages += await touched(database, "public.complete_jobs($1)", orjson.dumps(results).decode())
        # The same claim twice: the explained one is undone, the other stays.
        change = database.transaction()
        await change.start()
        pages += await touched(database, f"public.claim_jobs({BATCH}, 60)")
        await change.rollback()
        held = orjson.loads(await database.fetchval(f"select public.claim_jobs({BATCH}, 60)"))
        assert len(held) == BATCH
    return pages / rounds


async def touched(database: Any, call: str, *values: Any) -> int:
    plan = orjson.loads(
        await database.fetchval(f"explain (analyze, buffers, format json) select {call}", *values)
    )[0]["Plan"]
    pages: int = plan["Shared Hit Blocks"] + plan["Shared Read Blocks"]
    return pages


@pytest.fixture(scope="module")
async def database() -> AsyncIterator[Any]:
    async with scratch_database() as postgres:
        await migrate(postgres.url("postgres"), MIGRATIONS)
        connection = await asyncpg.connect(postgres.url("supabase_admin"))
        # Statistics would come at a moment of their own.
        await connection.execute("alter table public.queue_jobs set (autovacuum_enabled = false)")
        yield connection, postgres.url("supabase_admin")
        await connection.close()


@pytest.fixture
async def table(database: Any) -> Table:
    connection, url = database
    await connection.execute("truncate public.queue_jobs, private.queue_lanes cascade")
    return Table(connection, url, await cost(connection))


async def test_with_finished_jobs(table: Table) -> None:
    await table.fill(100_000, status="completed")
    assert await table.ratio() <= RATIO


async def test_with_delayed_jobs(table: Table) -> None:
    await table.fill(100_000, in_seconds=3600.0)
    assert await table.ratio() <= RATIO


async def test_with_jobs_behind_one_key(table: Table) -> None:
    await table.fill(20_000, in_seconds=-60.0, order_key="hot")
    # The claim that meets the pile puts it out of the way.
    await cost(table.database, 1)
    assert await table.ratio() <= RATIO


async def test_under_a_snapshot_that_is_held(table: Table) -> None:
    reader = await asyncpg.connect(table.url)
    await reader.execute("begin isolation level repeatable read")
    await reader.fetchval("select count(*) from public.queue_jobs")
    # The first jobs leave what all later claims find; from then on it must not become more.
    early = await cost(table.database, 20)
    await cost(table.database, 300)
    assert await cost(table.database, 20) / early <= RATIO
    await reader.close()
