"""Outgoing HTTP: clients that live as long as their event loop, so that connections outlive a
request."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

import httpcore
import httpx

# Enough for what one process can ask of a database 10 ms away. Each more costs CPU on every
# request, because httpcore scans them all.
DATABASE_CONNECTIONS = 8
# Connecting is quick or hopeless; an answer may take as long as the database allows (8 s).
TIMEOUT = httpx.Timeout(10.0, connect=5.0)
# Long enough for a proxy to pass a request on, and for a refusal to come back.
STARTING = httpx.Timeout(2.0, connect=3.0)


class HttpClient:
    """Makes the client at first use and again when the event loop is another one.

    An idle connection is used again for `keepalive_seconds`: less than the server keeps it, or a
    request meets a closing connection, and whether it was taken is unknown. All connections are
    kept, since opening one costs as much as several requests. `network` makes them: for servers
    that others name it is core/open_internet.py.
    """

    def __init__(
        self,
        keepalive_seconds: float = 30.0,
        connections: int = DATABASE_CONNECTIONS,
        network: httpcore.AsyncNetworkBackend | None = None,
    ) -> None:
        self._keepalive_seconds = keepalive_seconds
        self._connections = connections
        self._network = network
        self._client: httpx.AsyncClient | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._free: asyncio.Semaphore

    def get(self) -> httpx.AsyncClient:
        """The client of the running loop. Its owner never closes it: the process ends with it."""
        loop = asyncio.get_running_loop()
        if self._client is None or self._loop is not loop:
            self._client = httpx.AsyncClient(
                transport=self._transport(), timeout=TIMEOUT, trust_env=False
            )
            self._loop = loop
            self._free = asyncio.Semaphore(self._connections)
        return self._client

    def _transport(self) -> httpx.AsyncHTTPTransport:
        context = ssl.create_default_context()
        transport = httpx.AsyncHTTPTransport(verify=context, trust_env=False)
        # httpx has no parameter for the network of its pool.
        transport._pool = httpcore.AsyncConnectionPool(
            ssl_context=context,
            max_connections=self._connections,
            max_keepalive_connections=self._connections,
            keepalive_expiry=self._keepalive_seconds,
            http1=True,
            # httpx loses requests when a server recycles an HTTP/2 connection.
            http2=False,
            network_backend=self._network,
        )
        return transport

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[httpx.AsyncClient]:
        """The client, for one request, once a connection is free; requests wait here in order.

        In httpcore's own queue each that waits would make all others dearer, until nothing moves.
        Raises: httpx.PoolTimeout.
        """
        client, free = self.get(), self._free
        try:
            async with asyncio.timeout(TIMEOUT.pool):
                await free.acquire()
        except TimeoutError:
            raise httpx.PoolTimeout("all connections are busy") from None
        try:
            yield client
        finally:
            free.release()

    async def start(self, url: str, headers: Mapping[str, str]) -> bool:
        """Posts to what works longer than anybody waits: whether it has started, as far as one can
        tell without its answer. Never raises for the network's sake; made once."""
        try:
            async with self.connection() as client:
                answer = await client.post(url, headers=headers, timeout=STARTING)
        except httpx.ReadTimeout:
            return True
        except (httpx.HTTPError, httpx.InvalidURL):
            return False
        return answer.is_success

    async def close(self) -> None:
        """Closes the connections; a later `get` opens new ones."""
        if self._client is not None:
            await self._client.aclose()
            self._client = None
