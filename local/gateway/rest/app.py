"""/rest/v1: the path of a request from bytes to bytes."""

from typing import Any

from starlette.datastructures import Headers
from starlette.requests import Request as HttpRequest
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from local.gateway.context import Gateway
from local.gateway.rest import answers
from local.gateway.rest.call import call
from local.gateway.rest.catalog import SCHEMA, Catalog, nearest
from local.gateway.rest.errors import RestError, not_implemented
from local.gateway.rest.querystring import parse
from local.gateway.rest.read import read, single_row
from local.gateway.rest.request import Request, understand
from local.gateway.rest.schema_cache import SchemaCache
from local.gateway.rest.tokens import Tokens
from local.gateway.rest.transaction import Statement, run
from local.gateway.rest.write import write

PREFIX = "/rest/v1"
# Refusals that may come from a catalog older than the last DDL.
MAYBE_STALE = ("PGRST200", "PGRST202", "PGRST203", "PGRST204", "PGRST205", "42703")


class Rest:
    """The ASGI app mounted at /rest/v1."""

    def __init__(self) -> None:
        self._schema = SchemaCache()
        self._gateway: Gateway | None = None
        self._tokens: Tokens | None = None

    async def start(self, gateway: Gateway) -> None:
        """Reads the schema; requests may come after this."""
        self._gateway = gateway
        self._tokens = Tokens(gateway.keys)
        await self._schema.start(gateway.rest, gateway.database_url)

    async def stop(self) -> None:
        """Stops following the schema."""
        await self._schema.stop()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        http = HttpRequest(scope, receive)
        body = await http.body() if scope["method"] not in ("GET", "HEAD") else b""
        try:
            response = await self._answer(scope, http.headers, body)
        except RestError as error:
            response = error.response(without_body=scope["method"] == "HEAD")
        await response(scope, receive, send)

    async def _answer(self, scope: Scope, headers: Headers, body: bytes) -> Response:
        assert self._gateway is not None
        assert self._tokens is not None
        caller = self._tokens.caller(headers.get("authorization", ""))
        path = scope["path"].removeprefix(PREFIX)
        request = understand(scope["method"], path, headers, scope["query_string"], body)
        statement, answer = await self._plan(request)
        settings = self._schema.current.role_settings.get(caller.role, ())
        row = await run(self._gateway.rest, caller, request.facts(), settings, statement)
        return answer(row)

    async def _plan(self, request: Request) -> tuple[Statement, answers.Answer]:
        """The statement and what turns its row into the answer; once again with a fresh schema."""
        try:
            return _plan(self._schema.current, request)
        except RestError as error:
            if error.code not in MAYBE_STALE or not await self._schema.reload():
                raise
        return _plan(self._schema.current, request)


def _plan(catalog: Catalog, request: Request) -> tuple[Statement, answers.Answer]:
    first, _, rest = request.path.strip("/").partition("/")
    if first == "rpc" and rest and "/" not in rest:
        if request.method not in ("GET", "HEAD", "POST"):
            raise RestError(405, "PGRST101", f"Cannot use the {request.method} method on RPC")
        return call(catalog, request, rest)
    if not first:
        raise not_implemented("The OpenAPI root is not served by the local gateway")
    if rest:
        raise RestError(404, "PGRST125", "Invalid path specified in request URL")
    return _plan_table(catalog, request, first)


def _plan_table(catalog: Catalog, request: Request, name: str) -> tuple[Statement, answers.Answer]:
    relation = catalog.relations.get(name)
    if relation is None:
        message = f"Could not find the table '{SCHEMA}.{name}' in the schema cache"
        near = nearest(name, catalog.relations)
        hint = f"Perhaps you meant the table '{SCHEMA}.{near}'" if near else None
        raise RestError(404, "PGRST205", message, None, hint)
    query = parse(request.query)
    if request.method in ("GET", "HEAD"):
        sql, values = read(catalog, request, relation, query)

        def check(row: Any) -> None:
            single_row(request, row)

        return Statement(sql, values.texts, True, (), check), answers.found(request, query, name)
    if request.method in ("POST", "PATCH", "DELETE", "PUT"):
        return write(catalog, request, relation, query), answers.written(request, relation, query)
    raise RestError(405, "PGRST117", f"Unsupported HTTP method: {request.method}")
