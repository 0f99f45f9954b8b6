"""procrastinate: the psycopg connector; what succeeded is deleted."""

from typing import Any

import procrastinate  # type: ignore[import-not-found]

from bench.queue.worker import Data


class Contestant:
    def __init__(self, url: str) -> None:
        connector = procrastinate.PsycopgConnector(conninfo=url)
        self._app = procrastinate.App(connector=connector)
        self._task = self._app.task(name="bench")(self._nothing)
        self._done = 0

    async def _nothing(self, **_: Any) -> None:
        self._done += 1

    async def install(self) -> None:
        async with self._app.open_async():
            await self._app.schema_manager.apply_schema_async()

    async def open(self) -> None:
        await self._app.connector.open_async()

    async def enqueue(self, jobs: list[Data]) -> None:
        if len(jobs) == 1:
            await self._task.defer_async(**jobs[0])
        else:
            await self._task.batch_defer_async(*jobs)

    async def drain(self, size: int) -> int:
        await self._app.run_worker_async(
            wait=False,
            concurrency=size,
            delete_jobs="successful",
            listen_notify=False,
            install_signal_handlers=False,
        )
        return self._done
