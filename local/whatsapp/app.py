"""The fake's application: both APIs and the control of it, over one network in memory."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from local.whatsapp.account import AccountApi
from local.whatsapp.chats import Chats
from local.whatsapp.control import Control
from local.whatsapp.courier import Courier
from local.whatsapp.doors import Door
from local.whatsapp.evolution import EvolutionApi
from local.whatsapp.graph import GraphApi
from local.whatsapp.instances import Instances
from local.whatsapp.network import Network


def create_app(
    seed: int = 0, api_key: str = "fake-global-key", retry_seconds: float = 0.2
) -> ASGIApp:
    network = Network(seed)
    courier = Courier(network, retry_seconds)
    door = Door(network, api_key)

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        yield
        await courier.close()

    routes = [
        *Control(network, courier).routes(),
        *Instances(network, courier, door).routes(),
        *EvolutionApi(network, courier, door).routes(),
        *Chats(network, door).routes(),
        *GraphApi(network, courier).routes(),
        *AccountApi(network).routes(),
    ]
    return Slowed(Starlette(routes=routes, lifespan=lifespan), network)


class Slowed:
    """Waits `delay_seconds` of the number in the path before anything else happens."""

    def __init__(self, app: ASGIApp, network: Network) -> None:
        self._app = app
        self._network = network

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and not scope["path"].startswith("/_fake/"):
            for part in Request(scope).url.path.split("/"):
                if number := self._network.numbers.get(part):
                    await asyncio.sleep(number.faults.delay_seconds)
        await self._app(scope, receive, send)
