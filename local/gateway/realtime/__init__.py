"""Realtime as a hosted project speaks it: websocket channels, broadcast over HTTP, and broadcasts
from the database. Left out, and refused or answered empty: postgres_changes, presence, quotas.

In the order of reading:
  frames     the wire format                 hub        who listens to what
  socket     one websocket                   rest       broadcast over HTTP
  channel    one joined topic                listener   broadcasts from the database
  options    what a join asks for            messages   stored rows, replay, retention
  grant      what a channel's token allows   outbox     frames waiting for a slow reader
  policies   what the policies allow         limits     numbers
  tokens     who speaks                      outage     what a lost database raises
  runtime    what all of them share          faults     faults on request
"""

import asyncio

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route, WebSocketRoute
from starlette.websockets import WebSocket

from local.gateway.context import Gateway
from local.gateway.realtime.faults import Faults
from local.gateway.realtime.frames import negotiate
from local.gateway.realtime.hub import Hub
from local.gateway.realtime.listener import Listener
from local.gateway.realtime.rest import broadcast_batch, broadcast_single
from local.gateway.realtime.runtime import Runtime
from local.gateway.realtime.socket import RESTARTING, Socket
from local.gateway.realtime.tokens import Expired, Refused, claims_of

__all__ = ["Faults", "Realtime"]


class Realtime:
    """The part under /realtime/v1. Routes may be built first; they answer 503 until `start`.

    The gateway is given here or to `start`. Faults come from the environment unless given.
    """

    def __init__(self, gateway: Gateway | None = None, *, faults: Faults | None = None) -> None:
        self._gateway = gateway
        self._faults = faults if faults is not None else Faults.from_environment()
        self._runtime: Runtime | None = None
        self._sockets: dict[Socket, asyncio.Future[None]] = {}

    async def start(self, gateway: Gateway | None = None) -> None:
        """Returns at once; broadcasts from the database begin when the database answers."""
        gateway = gateway or self._gateway
        if gateway is None:
            raise ValueError("Realtime needs the gateway, here or in its constructor")
        hub = Hub()
        self._runtime = Runtime(gateway, hub, Listener(gateway, hub), self._faults)
        self._runtime.listener.start()

    async def stop(self) -> None:
        """Close every socket and leave no task behind."""
        for socket in self._sockets:
            socket.cut(RESTARTING)
        await asyncio.gather(*self._sockets.values())
        if self._runtime is not None:
            await self._runtime.listener.stop()
            self._runtime = None

    def routes(self) -> list[BaseRoute]:
        prefix = "/realtime/v1"
        return [
            WebSocketRoute(f"{prefix}/websocket", self._websocket),
            Route(f"{prefix}/api/broadcast", self._batch, methods=["POST"]),
            Route(f"{prefix}/api/broadcast/{{rest:path}}", self._single, methods=["POST"]),
        ]

    async def _websocket(self, websocket: WebSocket) -> None:
        runtime = self._runtime
        if runtime is None:
            await _deny(websocket, 503, "Realtime is starting")
            return
        version = negotiate(websocket.query_params.get("vsn", "1.0.0"))
        token = websocket.headers.get("x-api-key") or websocket.query_params.get("apikey")
        if version is None:
            await websocket.send_denial_response(Response(status_code=403))
            return
        if not token:
            await _deny(websocket, 401, "API key is missing")
            return
        try:
            claims_of(runtime.gateway.keys, token)
        except Refused as refusal:
            expired = isinstance(refusal, Expired)
            await _deny(websocket, 401, "Token has expired" if expired else refusal.message)
            return
        headers = {k: v for k, v in websocket.headers.items() if k.startswith("x-")}
        socket = Socket(runtime, websocket, version, token, headers)
        finished: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._sockets[socket] = finished
        try:
            await socket.serve()
        finally:
            del self._sockets[socket]
            finished.set_result(None)

    async def _batch(self, request: Request) -> Response:
        if self._runtime is None:
            return _starting()
        return await broadcast_batch(self._runtime, request)

    async def _single(self, request: Request) -> Response:
        if self._runtime is None:
            return _starting()
        return await broadcast_single(self._runtime, request)


async def _deny(websocket: WebSocket, status: int, message: str) -> None:
    """Refuse the handshake with a plain HTTP answer."""
    await websocket.send_denial_response(JSONResponse({"error": message}, status))


def _starting() -> Response:
    return JSONResponse({"message": "Realtime is starting"}, 503)
