"""Plays the rounds: in each, every contestant fills and drains its queue, in the same order."""

import os
import shutil
import tempfile
from asyncio.subprocess import PIPE, Process, create_subprocess_exec
from collections.abc import Iterator
from pathlib import Path
from time import monotonic
from typing import Any

import asyncpg
import orjson

from bench import cpu
from bench.figures import Report
from bench.machine import LoadMeter
from bench.options import Options
from bench.product import ROOT, settings_of
from bench.queue.contestants import PROJECT, Contestant, contestants
from bench.queue.tables import Case, Results, Run, report
from local.stack import Stack

# What a job of the product carries.
DATA = {"message_id": "5eed0000-0000-4000-8000-000000000001", "note": "x" * 120}
FILL_SIZE = 1000
# One commit each: so many tell enough.
SINGLE_JOBS = 400
QUICK_SHARE = 0.4
PARTS = ("worker", "gateway", "Postgres")


async def measure(options: Options) -> Report:
    present, absent = await contestants()
    folder = Path(tempfile.mkdtemp(prefix="recado-bench-"))
    try:
        async with Stack(folder) as stack:
            contest = Contest(stack, options)
            for contestant in present:
                await contest.install(contestant)
            with LoadMeter() as meter:
                for _ in range(options.rounds):
                    for contestant in present:
                        await contest.play(contestant)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return report(contest.results, present, absent, options, meter.load)


class Contest:
    """The rounds on one stack; `results` grow with each."""

    def __init__(self, stack: Stack, options: Options) -> None:
        self._stack = stack
        self._options = options
        self._installed: set[str] = set()
        self.results = Results()

    async def install(self, contestant: Contestant) -> None:
        """Its database and schema, once."""
        if contestant.database in self._installed:
            return
        self._installed.add(contestant.database)
        if contestant.database != PROJECT:
            await self._execute(PROJECT, f"create database {contestant.database}")
        await self._work(contestant, 1, {"do": "install"})

    async def play(self, contestant: Contestant) -> None:
        """One round of it."""
        for case in self._cases(contestant):
            filled = await self._fill(contestant, self._jobs(contestant), FILL_SIZE)
            self.results.enqueues[contestant.name, FILL_SIZE].append(filled)
            await self._execute(contestant.database, f"vacuum analyze {contestant.tables}")
            order = {"do": "drain", "size": case.size}
            run = await self._work(contestant, case.workers, order)
            if run.jobs != filled.jobs:
                raise RuntimeError(f"{case}: {run.jobs} jobs were done")
            self.results.drains[case].append(run)
        singles = await self._fill(contestant, SINGLE_JOBS, 1)
        self.results.enqueues[contestant.name, 1].append(singles)

    def _cases(self, contestant: Contestant) -> Iterator[Case]:
        for workers, sizes in contestant.sizes.items():
            for size in sizes:
                if not self._options.quick or (workers < 3 and size == sizes[len(sizes) // 2]):
                    yield Case(contestant.name, contestant.group, size, workers)

    def _jobs(self, contestant: Contestant) -> int:
        share = contestant.share * (QUICK_SHARE if self._options.quick else 1)
        return round(self._options.jobs * share / FILL_SIZE) * FILL_SIZE or FILL_SIZE

    async def _fill(self, contestant: Contestant, jobs: int, size: int) -> Run:
        await self._execute(contestant.database, f"truncate {contestant.tables} cascade")
        order = {"do": "enqueue", "count": jobs, "size": size, "job": DATA}
        return await self._work(contestant, 1, order)

    async def _work(self, contestant: Contestant, count: int, order: dict[str, Any]) -> Run:
        order |= {"url": self._stack.postgres.url("supabase_admin", contestant.database)}
        workers = [await self._start(contestant, order) for _ in range(count)]
        before, began = cpu.usage(), monotonic()
        for worker in workers:
            _stdin(worker).write(b"go\n")
        # Until the last job is settled; processes take a while longer to end themselves.
        answers = [orjson.loads(await _line(worker)) for worker in workers]
        spent = cpu.since(before)
        for worker in workers:
            await worker.communicate(b"")
        jobs = sum(answer["jobs"] for answer in answers)
        seconds = max(answer["at"] for answer in answers) - began
        per_job = {part: spent.get(part, 0.0) / max(1, jobs) * 1e6 for part in PARTS}
        return Run(jobs, jobs / seconds, per_job)

    async def _start(self, contestant: Contestant, order: dict[str, Any]) -> Process:
        environment = os.environ | settings_of(self._stack) | {"NO_LOG_SUCCESS": "1"}
        worker = await create_subprocess_exec(
            *contestant.command, stdin=PIPE, stdout=PIPE, cwd=ROOT, env=environment
        )
        _stdin(worker).write(orjson.dumps(order) + b"\n")
        if await _line(worker) != b"ready\n":
            raise RuntimeError(f"a worker of {contestant.name} did not start")
        return worker

    async def _execute(self, database: str, statement: str) -> None:
        url = self._stack.postgres.url("supabase_admin", database)
        connection = await asyncpg.connect(url)
        try:
            await connection.execute(statement)
        finally:
            await connection.close()


def _stdin(worker: Process) -> Any:
    assert worker.stdin is not None
    return worker.stdin


async def _line(worker: Process) -> bytes:
    assert worker.stdout is not None
    return await worker.stdout.readline()
