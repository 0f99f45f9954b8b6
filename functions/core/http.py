"""The outgoing HTTP client: one per event loop, so that connections outlive a request."""

import asyncio
import ssl

import httpx

# Idle connections cost on every request (httpcore scans them), and a handler runs about ten
# calls at once; HTTP/2 stays off, because httpx loses requests when the server recycles it.
LIMITS = httpx.Limits(max_connections=32, max_keepalive_connections=16, keepalive_expiry=30.0)
# Connecting is quick or hopeless; an answer may take as long as the database allows (8 s).
TIMEOUT = httpx.Timeout(10.0, connect=5.0)


class HttpClient:
    """Makes the client at first use and again when the event loop is another one."""

    def __init__(self) -> None:
        self._client: httpx.AsyncClient | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    def get(self) -> httpx.AsyncClient:
        """The client of the running loop. Its owner never closes it: the process ends with it."""
        loop = asyncio.get_running_loop()
        if self._client is None or self._loop is not loop:
            self._client = httpx.AsyncClient(
                http2=False,
                limits=LIMITS,
                timeout=TIMEOUT,
                verify=ssl.create_default_context(),
                trust_env=False,
            )
            self._loop = loop
        return self._client

    async def close(self) -> None:
        """Closes the connections; a later `get` opens new ones."""
        if self._client is not None:
            await self._client.aclose()
            self._client = None
