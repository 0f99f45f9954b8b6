"""/rest/v1: the path of a request from bytes to bytes."""

from collections.abc import Mapping

from starlette.types import Receive, Scope, Send

from local.gateway.context import Gateway
from local.gateway.rest.errors import Answer, RestError
from local.gateway.rest.plan import plan
from local.gateway.rest.pool import Pool
from local.gateway.rest.request import understand
from local.gateway.rest.schema_cache import SchemaCache
from local.gateway.rest.tokens import Caller, Tokens
from local.gateway.rest.transaction import run

PREFIX = "/rest/v1"
# Postgres has 60 connections; tests and psql want some too.
CONNECTIONS = 16
# Refusals that may come from a catalog older than the last DDL.
MAYBE_STALE = ("PGRST106", "PGRST200", "PGRST202", "PGRST203", "PGRST204", "PGRST205")


class Rest:
    """The ASGI app mounted at /rest/v1."""

    def __init__(self) -> None:
        self._schema = SchemaCache()
        self._pool: Pool
        self._tokens: Tokens

    async def start(self, gateway: Gateway) -> None:
        """Reads the schema; requests may come after this."""
        self._tokens = Tokens(gateway.keys)
        self._pool = Pool(gateway.database_url, CONNECTIONS)
        await self._schema.start(gateway.admin, gateway.database_url)

    async def stop(self) -> None:
        """Stops following the schema."""
        await self._schema.stop()
        self._pool.close()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        body = b"" if scope["method"] in ("GET", "HEAD") else await _read(receive)
        try:
            answer = await self._answer(scope, body)
        except RestError as error:
            answer = error.answer()
        await _send(send, answer, scope["method"])

    async def _answer(self, scope: Scope, body: bytes) -> Answer:
        headers = _headers(scope)
        caller = self._tokens.caller(headers.get("authorization", ""))
        try:
            return await self._attempt(scope, headers, body, caller)
        except RestError as error:
            if error.code not in MAYBE_STALE or not await self._schema.reload():
                raise
        return await self._attempt(scope, headers, body, caller)

    async def _attempt(
        self, scope: Scope, headers: Mapping[str, str], body: bytes, caller: Caller
    ) -> Answer:
        """The answer by the catalog as it is."""
        catalog = self._schema.current
        path = scope["path"].removeprefix(PREFIX)
        request = understand(catalog, scope["method"], path, headers, scope["query_string"], body)
        planned = plan(catalog, request)
        result = await run(self._pool, catalog, caller, request, planned.statement)
        return planned.answer(result)


def _headers(scope: Scope) -> dict[str, str]:
    """By their names in lower case; one sent twice is one with both values."""
    headers: dict[str, str] = {}
    for raw, value in scope["headers"]:
        name, text = raw.decode("latin-1"), value.decode("latin-1")
        headers[name] = f"{headers[name]},{text}" if name in headers else text
    return headers


async def _read(receive: Receive) -> bytes:
    parts = []
    while True:
        message = await receive()
        parts.append(message.get("body", b""))
        if not message.get("more_body"):
            return b"".join(parts)


async def _send(send: Send, answer: Answer, method: str) -> None:
    body = b"" if method == "HEAD" else answer.body
    headers = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in answer.headers]
    if method != "HEAD" and answer.status != 204:
        headers.append((b"content-length", str(len(body)).encode()))
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
