"""A queue of its own for each test, so that tests do not take each other's jobs."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import pytest

from tests.tenants import Project

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class TestQueue:
    """One queue, and the functions that workers call, on it alone."""

    __test__ = False

    name: str
    project: Project

    async def enqueue(self, *jobs: Json) -> list[int]:
        ids: list[int] = await self.project.rpc(
            "enqueue_jobs",
            {"p_jobs": [{"type": "test", "queue": self.name} | job for job in jobs]},
        )
        return ids

    async def claim(self, limit: int = 100, lease_seconds: int = 60) -> list[Json]:
        jobs: list[Json] = await self.project.rpc(
            "claim_jobs",
            {"p_limit": limit, "p_lease_seconds": lease_seconds, "p_queues": [self.name]},
        )
        return jobs

    async def complete(self, *results: Json) -> Json:
        settled: Json = await self.project.rpc("complete_jobs", {"p_results": results})
        return settled

    async def settle(self, jobs: Sequence[Json], outcome: str, **more: Any) -> Json:
        return await self.complete(*(result(job, outcome, **more) for job in jobs))

    async def job(self, job_id: int) -> Json:
        (row,) = await self.project.rows("queue_jobs", id=f"eq.{job_id}")
        found: Json = row
        return found

    async def change(self, **values: Any) -> None:
        await self.project.update("queues", values, name=f"eq.{self.name}")

    async def end_lease(self, job_id: int) -> None:
        """What time does: the lease of a worker that died runs out."""
        await self.project.update(
            "queue_jobs", {"lease_until": "2000-01-01T00:00:00Z"}, id=f"eq.{job_id}"
        )

    async def make_due(self, job_id: int) -> None:
        await self.project.update(
            "queue_jobs", {"run_at": "2000-01-01T00:00:00Z"}, id=f"eq.{job_id}"
        )


def result(job: Json, outcome: str, **more: Any) -> Json:
    return {"id": job["id"], "claim": job["claim"], "outcome": outcome} | more


@pytest.fixture
async def queue(project: Project) -> TestQueue:
    name = f"test-{uuid4().hex[:12]}"
    await project.insert("queues", {"name": name})
    return TestQueue(name, project)
