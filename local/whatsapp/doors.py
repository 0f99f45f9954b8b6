"""Who may call Evolution's routes, and how it refuses."""

from collections.abc import Awaitable, Callable
from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from local.whatsapp.network import Json, Network, Number

Handler = Callable[[Number, Json], Awaitable[Response]]


class Door:
    def __init__(self, network: Network, api_key: str) -> None:
        self._network = network
        self._api_key = api_key

    def is_global(self, request: Request) -> bool:
        return request.headers.get("apikey") == self._api_key

    def route(self, path: str, handler: Handler, method: str = "POST") -> Route:
        """A route with `{instance}`, for its own key or the global one."""

        async def guarded(request: Request) -> Response:
            name = request.path_params["instance"]
            number = self._network.number(name, "evolution")
            if number is None:
                return refuse(404, "Not Found", [f'The "{name}" instance does not exist'])
            if not self.is_global(request) and request.headers.get("apikey", "") != number.key:
                return refuse(401, "Unauthorized", "Unauthorized")
            raw = await request.body()
            body = orjson.loads(raw) if raw else {}
            return await handler(number, body if isinstance(body, dict) else {})

        return Route(path, guarded, methods=[method])


def refuse(status: int, error: str, message: Any) -> Response:
    content = {"status": status, "error": error, "response": {"message": message}}
    return JSONResponse(content, status)


def failure(status: int, body: Any, headers: dict[str, str]) -> Response:
    """The failure that a fault asks for."""
    if body is None:
        return Response(status_code=status, headers=headers)
    return JSONResponse(body, status, headers)
