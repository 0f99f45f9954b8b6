"""Workers that settle and claim over queues with limits lock them in one order."""

import asyncio
from typing import Any
from uuid import uuid4

from tests.jobs.conftest import result
from tests.tenants import Project

QUEUES = 4
WORKERS = 8
JOBS = 40


async def test_exchanges_over_limited_queues_all_succeed(project: Project) -> None:
    names = [f"test-{uuid4().hex[:12]}" for _ in range(QUEUES)]
    for name in names:
        await project.insert("queues", {"name": name, "concurrency": 5})
    jobs = [{"type": "test", "queue": name} for name in names for _ in range(JOBS)]
    await project.rpc("enqueue_jobs", {"p_jobs": jobs})
    done: list[int] = []

    async def exchange(results: list[dict[str, Any]], turn: int) -> list[dict[str, Any]]:
        # Each worker asks for its queues in another order, and sees all of them.
        queues = names[turn:] + names[:turn]
        params = {"p_results": results, "p_limit": 6, "p_lease_seconds": 60, "p_queues": queues}
        answer = await project.rpc("exchange_jobs", params)
        assert answer["settled"]["stale"] == []
        claimed: list[dict[str, Any]] = answer["jobs"]
        return claimed

    async def work(turn: int) -> None:
        held: list[dict[str, Any]] = []
        while len(done) < QUEUES * JOBS:
            held = await exchange([result(job, "ok") for job in held], turn % QUEUES)
            done.extend(job["id"] for job in held)
        await exchange([result(job, "ok") for job in held], 0)

    async def sweep() -> None:
        while len(done) < QUEUES * JOBS:
            await project.rpc("sweep_jobs", {})

    await asyncio.gather(*(work(turn) for turn in range(WORKERS)), sweep())
    assert len(done) == len(set(done)) == QUEUES * JOBS
