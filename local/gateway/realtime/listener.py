"""Broadcasts from the database: committed rows of realtime.messages, read by id and fanned out in
commit order. Rows committed while the connection is down are not delivered, as on hosted."""

import asyncio
import contextlib
import logging
from collections import deque

import asyncpg

from local.gateway.context import Gateway
from local.gateway.realtime import messages
from local.gateway.realtime.frames import Broadcast
from local.gateway.realtime.hub import Hub

CHANNEL = "realtime_messages"
BATCH = 500  # rows read at once
RECONNECT_SECONDS = 0.2
SWEEP_SECONDS = 3600.0

log = logging.getLogger(__name__)


class Listener:
    """`connected` is set while notifications arrive."""

    def __init__(self, gateway: Gateway, hub: Hub) -> None:
        self._gateway = gateway
        self._hub = hub
        self._ids: deque[str] = deque()
        self._arrived = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []
        self.connected = asyncio.Event()

    def start(self) -> None:
        loops = (self._listen(), self._pump(), self._sweep())
        self._tasks = [asyncio.create_task(loop) for loop in loops]

    async def stop(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _listen(self) -> None:
        while True:
            try:
                await self._listen_once()
            except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
                log.debug("no listening connection: %s", type(error).__name__)
            self.connected.clear()
            await asyncio.sleep(RECONNECT_SECONDS)

    async def _listen_once(self) -> None:
        connection = await asyncpg.connect(self._gateway.database_url)
        try:
            lost = asyncio.Event()
            connection.add_termination_listener(lambda _: lost.set())
            await connection.add_listener(CHANNEL, self._on_notification)
            self.connected.set()
            await lost.wait()
        finally:
            connection.terminate()

    def _on_notification(self, *arguments: object) -> None:
        self._ids.append(str(arguments[-1]))
        self._arrived.set()

    async def _pump(self) -> None:
        while True:
            await self._arrived.wait()
            self._arrived.clear()
            while self._ids:
                ids = [self._ids.popleft() for _ in range(min(BATCH, len(self._ids)))]
                for address, broadcast in await self._read(ids):
                    self._hub.publish(address, broadcast)

    async def _read(self, ids: list[str]) -> list[tuple[messages.Address, Broadcast]]:
        while True:
            try:
                return await messages.read(self._gateway.admin, ids)
            except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError):
                await asyncio.sleep(RECONNECT_SECONDS)

    async def _sweep(self) -> None:
        while True:
            with contextlib.suppress(OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
                await messages.sweep(self._gateway.admin)
            await asyncio.sleep(SWEEP_SECONDS)
