"""A queue of its own for each test, and schedules that are gone after it."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import pytest

from functions.core.db import Database
from functions.jobs.models import NewSchedule
from functions.jobs.rpc import Queue
from functions.jobs.schedules import Schedules
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


# Once a year, so that no slot comes while a test runs.
YEARLY = "0 0 1 1 *"


@dataclass(slots=True)
class Calendar:
    """Schedules of one test, and the means to let their time come."""

    queue: TestQueue
    rpc: Queue
    schedules: Schedules
    names: list[str] = field(default_factory=list)

    def new(self, **fields: Any) -> NewSchedule:
        name = f"test.{uuid4().hex}"
        self.names.append(name)
        given = {"type": "test", "cron": YEARLY, "time_zone": "UTC", "queue": self.queue.name}
        return NewSchedule(**{"name": name} | given | fields)

    async def add(self, **fields: Any) -> str:
        schedule = self.new(**fields)
        await self.schedules.set(schedule)
        return schedule.name

    async def due_since(self, year: int, **fields: Any) -> str:
        """A schedule that no tick has run since the beginning of `year`."""
        name = await self.add(**fields)
        await self.change(name, next_run_at=f"{year}-01-01T00:00:00Z")
        return name

    async def change(self, name: str, **values: Any) -> None:
        await self.queue.project.update("queue_schedules", values, name=f"eq.{name}")

    async def row(self, name: str) -> Json:
        (row,) = await self.queue.project.rows("queue_schedules", name=f"eq.{name}")
        found: Json = row
        return found

    async def jobs(self, name: str) -> list[Json]:
        return await self.queue.project.rows("queue_jobs", unique_key=f"like.{name}@*", order="id")

    async def slots(self, name: str) -> list[str]:
        return [job["unique_key"].removeprefix(f"{name}@") for job in await self.jobs(name)]


def this_year() -> int:
    return datetime.now(UTC).year


def new_years(first: int) -> list[str]:
    return [f"{year}-01-01T00:00:00Z" for year in range(first, this_year() + 1)]


@pytest.fixture
async def calendar(queue: TestQueue, db: Database) -> AsyncIterator[Calendar]:
    calendar = Calendar(queue, Queue(db), Schedules(Queue(db)))
    yield calendar
    for name in calendar.names:
        await calendar.schedules.delete(name)
