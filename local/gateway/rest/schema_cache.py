"""Keeps the catalog fresh: reads it again on NOTIFY pgrst and when somebody misses a name."""

import asyncio
from contextlib import suppress
from typing import Any

import asyncpg

from local.gateway.rest import introspection
from local.gateway.rest.catalog import Catalog
from local.gateway.rest.errors import RestError

CHANNEL = "pgrst"
RECONNECT_SECONDS = 0.2


class SchemaCache:
    """`current` is the latest catalog; start and stop belong to the gateway's lifespan."""

    def __init__(self) -> None:
        self.current = Catalog()
        self._pool: Any = None
        self._database_url = ""
        self._asked = asyncio.Event()
        self._reading = asyncio.Lock()
        self._begun = 0
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self, pool: Any, database_url: str) -> None:
        """Reads the catalog through `pool` and keeps it fresh, by a connection of its own."""
        self._pool = pool
        self._database_url = database_url
        await self.reload()
        self._tasks = [asyncio.create_task(self._listen()), asyncio.create_task(self._follow())]

    async def stop(self) -> None:
        """Ends the listening."""
        for task in self._tasks:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    async def reload(self) -> bool:
        """Reads the catalog now; whether it differs from the one before.

        Raises: RestError 503 PGRST002 when the database does not answer.
        """
        before, begun = self.current, self._begun
        async with self._reading:
            if self._begun == begun:  # nobody has begun to read since this was asked
                self._begun += 1
                found = await self._read()
                # The same object while nothing changes: connections keep their plans for it.
                self.current = found if found != self.current else self.current
        return self.current != before

    async def _read(self) -> Catalog:
        try:
            async with self._pool.acquire(timeout=10) as connection:
                return await introspection.load(connection)
        except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
            message = "Could not query the database for the schema cache. Retrying."
            raise RestError(503, "PGRST002", message) from error

    async def _follow(self) -> None:
        while True:
            await self._asked.wait()
            self._asked.clear()
            with suppress(RestError):  # the listener asks again when it is connected again
                await self.reload()

    async def _listen(self) -> None:
        """Stays connected; after a lost connection the schema may have changed unheard."""
        while True:
            with suppress(OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError):
                connection = await asyncpg.connect(self._database_url, ssl=False)
                try:
                    lost = asyncio.Event()
                    connection.add_termination_listener(lambda *_, lost=lost: lost.set())
                    await connection.add_listener(CHANNEL, lambda *_: self._asked.set())
                    self._asked.set()
                    await lost.wait()
                finally:
                    connection.terminate()
            await asyncio.sleep(RECONNECT_SECONDS)
