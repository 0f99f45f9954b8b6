"""A number in the fake WhatsApp, and waiting for what happens there."""

import asyncio
import itertools
import socket
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import httpx

from functions.providers.base import Instance
from functions.providers.events import Json

_serial = itertools.count(1)


@dataclass(frozen=True)
class FakeWhatsApp:
    url: str
    http: httpx.AsyncClient

    async def connect(self, provider: str, id: str | None = None, **number: Any) -> Instance:
        """A fresh number and the instance to reach it with."""
        serial = next(_serial)
        identity = id or (f"loja-{serial}" if provider == "evolution" else str(10**14 + serial))
        order = {
            "provider": provider,
            "id": identity,
            "key": f"key-of-{identity}",
            "phone": "5511900000001",
            **number,
        }
        answer = await self.http.post("/_fake/numbers", json=order)
        assert answer.status_code == 201, answer.text
        name = "api_key" if provider == "evolution" else "access_token"
        credentials = {name: f"key-of-{identity}"}
        account = str(number.get("waba", ""))
        return Instance(identity, provider, self.url, identity, credentials, account)

    async def faults(self, instance: Instance, **faults: Any) -> None:
        path = f"/_fake/numbers/{instance.external_id}/faults"
        answer = await self.http.post(path, json=faults)
        assert answer.status_code == 200, answer.text

    async def ledger(self, instance: Instance) -> list[Json]:
        answer = await self.http.get("/_fake/ledger", params={"number": instance.external_id})
        rows: list[Json] = answer.json()
        return rows


async def eventually(check: Callable[[], Awaitable[bool]], seconds: float = 10.0) -> None:
    """Returns as soon as `check` answers True."""
    async with asyncio.timeout(seconds):
        while not await check():
            await asyncio.sleep(0.01)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
