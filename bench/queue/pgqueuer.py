"""PgQueuer: asyncpg and uvloop, as its documentation recommends."""

from typing import Any

import asyncpg
from pgqueuer.db import AsyncpgDriver  # type: ignore[import-not-found]
from pgqueuer.qm import QueueManager  # type: ignore[import-not-found]
from pgqueuer.queries import Queries  # type: ignore[import-not-found]
from pgqueuer.types import QueueExecutionMode  # type: ignore[import-not-found]

from bench.queue.worker import Data, packed


async def nothing(job: Any) -> None:
    """Does a job."""


class Contestant:
    def __init__(self, url: str) -> None:
        self._url = url

    async def install(self) -> None:
        await self.open()
        await self._queries.install()

    async def open(self) -> None:
        self._queries = Queries(AsyncpgDriver(await asyncpg.connect(self._url)))

    async def enqueue(self, jobs: list[Data]) -> None:
        count = len(jobs)
        await self._queries.enqueue(["bench"] * count, [packed(job) for job in jobs], [0] * count)

    async def drain(self, size: int) -> int:
        manager = QueueManager(self._queries)
        manager.entrypoint("bench")(nothing)
        await manager.run(mode=QueueExecutionMode.drain, batch_size=size)
        return int(manager.jobs_logged)
