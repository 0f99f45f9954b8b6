"""The realtime part of the gateway alone, in this process, on a port that survives a restart."""

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Self

import asyncpg
import uvicorn
from starlette.applications import Starlette

from local.gateway.auth.config import AuthConfig
from local.gateway.context import Gateway
from local.gateway.realtime import Faults, Realtime
from local.stack import choose_port
from tests.realtime.probe import Probe


class Server:
    """`start` and `stop` as often as wanted; also an async context manager."""

    def __init__(self, probe: Probe, faults: Faults | None = None) -> None:
        self._project = probe
        self._faults = faults or Faults()
        self.port = choose_port(0)
        self._uvicorn: _Uvicorn | None = None
        self._task: asyncio.Task[None] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def start(self) -> None:
        realtime = Realtime(faults=self._faults)

        @asynccontextmanager
        async def lifespan(_: Starlette) -> AsyncIterator[None]:
            async with asyncpg.create_pool(self._project.database_url, min_size=1) as pool:
                await realtime.start(
                    Gateway(
                        keys=self._project.keys,
                        rest=pool,
                        admin=pool,
                        database_url=self._project.database_url,
                        public_url=self.url,
                        auth=AuthConfig(),
                        storage_folder=Path(os.devnull),
                    )
                )
                yield
                await realtime.stop()

        app = Starlette(routes=realtime.routes(), lifespan=lifespan)
        config = uvicorn.Config(app, port=self.port, log_level="error", timeout_graceful_shutdown=2)
        self._uvicorn = _Uvicorn(config)
        self._task = asyncio.create_task(self._uvicorn.serve())
        while not self._uvicorn.started:
            if self._task.done():
                raise RuntimeError("the server ended at its start")
            await asyncio.sleep(0.01)

    async def stop(self) -> None:
        if self._uvicorn is not None and self._task is not None:
            self._uvicorn.should_exit = True
            await self._task

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()


class _Uvicorn(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Ctrl-C belongs to pytest."""
        yield
