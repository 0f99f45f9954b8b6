"""Connections to Postgres, kept open and lent out one request at a time."""

import asyncio
from urllib.parse import urlsplit

from local.gateway.rest.wire import Connection

# The role PostgREST logs in as; it may only become the roles that requests name.
AUTHENTICATOR = "authenticator"


class Pool:
    """At most `size` sessions of the authenticator at the database of `database_url`."""

    def __init__(self, database_url: str, size: int) -> None:
        address = urlsplit(database_url)
        self._place = (str(address.hostname), address.port or 5432)
        self._database = address.path.strip("/")
        self._free = asyncio.Semaphore(size)
        self._idle: list[Connection] = []

    async def acquire(self, seconds: float) -> Connection:
        """An open connection. Raises TimeoutError, and what Connection.open raises."""
        async with asyncio.timeout(seconds):
            await self._free.acquire()
            try:
                while self._idle:
                    connection = self._idle.pop()
                    if connection.idle:
                        return connection
                return await Connection.open(*self._place, AUTHENTICATOR, self._database)
            except BaseException:
                self._free.release()
                raise

    def release(self, connection: Connection) -> None:
        """Takes the connection back; one left inside a transaction is closed."""
        if connection.idle:
            self._idle.append(connection)
        elif not connection.lost:
            connection.close()
        self._free.release()

    def close(self) -> None:
        """Closes what is idle."""
        for connection in self._idle:
            connection.close()
        self._idle.clear()
