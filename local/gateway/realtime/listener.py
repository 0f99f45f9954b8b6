"""Broadcasts from the database: tails the log of committed rows and fans them out in its order.

The log is a table, so what is committed while the connection is down, or while Postgres restarts,
is read from it afterwards: every row once. (Hosted would not deliver those. A client must survive
that as well; the fault `drop` shows whether it does.)
"""

import asyncio
import contextlib
import logging

import asyncpg

from local.gateway.context import Gateway
from local.gateway.realtime import messages
from local.gateway.realtime.hub import Hub
from local.gateway.realtime.outage import UNREACHABLE

CHANNEL = "realtime_messages"
RECONNECT_SECONDS = 0.2
SWEEP_SECONDS = 3600.0
CONNECT_SECONDS = 5.0

log = logging.getLogger(__name__)


class Listener:
    """`connected` is set while whatever is committed is delivered at once."""

    def __init__(self, gateway: Gateway, hub: Hub) -> None:
        self._gateway = gateway
        self._hub = hub
        self._position: int | None = None  # all up to here is delivered
        self._tasks: list[asyncio.Task[None]] = []
        self.connected = asyncio.Event()

    def start(self) -> None:
        self._tasks = [asyncio.create_task(loop) for loop in (self._tail(), self._sweep())]

    async def stop(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _tail(self) -> None:
        while True:
            try:
                await self._tail_one_connection()
            except UNREACHABLE as error:
                log.debug("no listening connection: %s", type(error).__name__)
            except Exception:
                log.exception("reading the log of commits failed")
            self.connected.clear()
            await asyncio.sleep(RECONNECT_SECONDS)

    async def _tail_one_connection(self) -> None:
        """Returns or raises when the connection is lost."""
        connection = await asyncpg.connect(
            self._gateway.database_url,
            timeout=CONNECT_SECONDS,
            server_settings={"application_name": CHANNEL},
        )
        woken = asyncio.Event()
        try:
            connection.add_termination_listener(lambda _: woken.set())
            await connection.add_listener(CHANNEL, lambda *_: woken.set())
            if self._position is None:
                self._position = await messages.last_position(connection)
            while not connection.is_closed():
                woken.clear()
                await self._deliver_new(connection)
                self.connected.set()
                await woken.wait()
        finally:
            connection.terminate()

    async def _deliver_new(self, connection: asyncpg.Connection) -> None:
        while entries := await messages.committed_after(connection, self._position or 0):
            for position, address, broadcast in entries:
                if address is not None and broadcast is not None:
                    self._hub.publish(address, broadcast)
                self._position = position

    async def _sweep(self) -> None:
        while True:
            with contextlib.suppress(*UNREACHABLE, asyncpg.PostgresError):
                await messages.sweep(self._gateway.admin)
            await asyncio.sleep(SWEEP_SECONDS)
