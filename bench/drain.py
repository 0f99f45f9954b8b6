"""The queue: enqueueing, and draining no-op jobs with the product's Runner over HTTP, beside a bare
loop of the same SQL over a database connection, in the same interleaved rounds."""

import asyncio
import os
import sys
import time
from dataclasses import dataclass
from typing import Any

import orjson

from bench import cpu
from bench.figures import Cell, Report, Table, median
from bench.machine import LoadMeter
from bench.options import Options
from bench.product import Product, running, settings_of

BATCHES = (10, 100, 500, 1000)
WORKERS = (1, 2)
BARE, RUNNER, BATCHED = "bare", "runner", "runner, batch handler"
# Small batches are slow; a fifth of the jobs tells as much.
FEWER_BELOW = 100
# What a job of the product carries.
DATA = {"message_id": "5eed0000-0000-4000-8000-000000000001", "note": "x" * 120}


@dataclass(frozen=True, slots=True)
class Case:
    kind: str
    batch: int
    workers: int


@dataclass(frozen=True, slots=True)
class Drained:
    """Jobs a second, and CPU microseconds per job of worker, gateway and Postgres."""

    rate: float
    spent: dict[str, float]


async def measure(options: Options) -> Report:
    cases = [
        Case(kind, batch, workers)
        for workers in WORKERS
        for batch in BATCHES
        for kind in (BARE, RUNNER, BATCHED)
        if kind != BATCHED or batch >= FEWER_BELOW
    ]
    runs: dict[Case, list[Drained]] = {case: [] for case in cases}
    async with running() as product:
        with LoadMeter() as meter:
            for _ in range(options.rounds):
                for case in cases:
                    runs[case].append(await _drain(product, case, options.jobs))
            enqueued = await _enqueue(product, options)
    return Report("drain", [_drained(runs, options), _enqueued(enqueued)], load=meter.load)


async def _drain(product: Product, case: Case, jobs: int) -> Drained:
    jobs = jobs if case.batch >= FEWER_BELOW else jobs // 5
    await product.database.execute("truncate public.queue_jobs")
    await _fill(product, jobs)
    await product.database.execute("vacuum analyze public.queue_jobs")
    workers = [await _start_worker(product, case) for _ in range(case.workers)]
    before, began = cpu.usage(), time.monotonic()
    for worker in workers:
        worker.stdin.write(b"go\n")
    # Until the last job has ended; processes take a while longer to end themselves.
    counts = [int(await worker.stdout.readline()) for worker in workers]
    seconds = time.monotonic() - began
    spent = cpu.since(before)
    for worker in workers:
        await worker.communicate(b"")
    if sum(counts) != jobs:
        raise RuntimeError(f"{case}: {sum(counts)} jobs were settled, not {jobs}")
    parts = ("worker", "gateway", "Postgres")
    return Drained(jobs / seconds, {part: spent.get(part, 0.0) / jobs * 1e6 for part in parts})


async def _fill(product: Product, jobs: int) -> None:
    await product.database.execute(
        """insert into public.queue_jobs (type, data)
           select 'bench', $2::text::jsonb from generate_series(1, $1)""",
        jobs,
        orjson.dumps(DATA).decode(),
    )


async def _start_worker(product: Product, case: Case) -> Any:
    worker = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "bench.worker",
        stdin=-1,
        stdout=-1,
        env=os.environ | settings_of(product.stack),
    )
    assert worker.stdin is not None
    assert worker.stdout is not None
    order = {
        "kind": case.kind,
        "batch": case.batch,
        "database_url": product.stack.database_url,
    }
    worker.stdin.write(orjson.dumps(order) + b"\n")
    if await worker.stdout.readline() != b"ready\n":
        raise RuntimeError("a worker did not start")
    return worker


async def _enqueue(product: Product, options: Options) -> dict[str, float]:
    """Jobs a second by the way they are enqueued, over HTTP."""
    job = {"type": "bench", "data": DATA}
    ways = {
        "one by one": ([job], 200),
        "one by one, with an order key": ([job | {"order_key": "chat"}], 200),
        "1000 at once": ([job] * 1000, 10),
        "1000 at once, with order keys": (
            [job | {"order_key": f"chat {n % 100}"} for n in range(1000)],
            10,
        ),
    }
    rates: dict[str, list[float]] = {way: [] for way in ways}
    for _ in range(options.rounds):
        for way, (jobs, times) in ways.items():
            began = time.monotonic()
            for _ in range(times):
                await product.call("enqueue_jobs", {"p_jobs": jobs})
            rates[way].append(times * len(jobs) / (time.monotonic() - began))
    return {way: median(rate) for way, rate in rates.items()}


def _drained(runs: dict[Case, list[Drained]], options: Options) -> Table:
    rows: list[list[Cell]] = []
    for case, drained in runs.items():
        rate = median([one.rate for one in drained])
        bare = median([one.rate for one in runs[Case(BARE, case.batch, case.workers)]])
        cells: list[Cell] = [case.kind, case.workers, case.batch, round(rate)]
        spent = [median([one.spent[part] for one in drained]) for part in drained[0].spent]
        rows.append([*cells, round(rate / bare, 2), *(round(each) for each in spent)])
    return Table(
        f"drain: {options.jobs} no-op jobs, median of {options.rounds} rounds",
        (
            "kind",
            "workers",
            "batch",
            "jobs/s",
            "of bare",
            "worker µs/job",
            "gateway µs/job",
            "Postgres µs/job",
        ),
        rows,
    )


def _enqueued(rates: dict[str, float]) -> Table:
    rows = [(way, round(rate)) for way, rate in rates.items()]
    return Table("drain: enqueueing over HTTP, one client", ("way", "jobs/s"), rows)
