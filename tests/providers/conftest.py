"""The fake WhatsApp as a process of its own, and numbers in it that no other test uses."""

import asyncio
import itertools
import socket
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from functions.providers.base import Instance, Json
from local.processes import Child

ROOT = Path(__file__).parents[2]
_serial = itertools.count(1)


@dataclass(frozen=True)
class FakeWhatsApp:
    url: str
    http: httpx.AsyncClient

    async def connect(self, provider: str, **number: Any) -> Instance:
        """A fresh number and the instance to reach it with."""
        identity = (
            f"loja-{next(_serial)}" if provider == "evolution" else f"{10**14 + next(_serial)}"
        )
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
        return Instance(identity, provider, self.url, identity, credentials)

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


@pytest.fixture(scope="session")
async def whatsapp(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[FakeWhatsApp]:
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    log = tmp_path_factory.mktemp("whatsapp") / "log"
    command = [
        sys.executable,
        "-m",
        "local.whatsapp",
        "--port",
        str(port),
        "--retry-seconds",
        "0.02",
    ]
    child = Child("fake WhatsApp", command, log=log, cwd=ROOT)
    async with httpx.AsyncClient(base_url=url, timeout=10.0) as http:

        async def answers() -> bool:
            try:
                return (await http.get("/_fake/health")).status_code == 200
            except httpx.TransportError:
                return False

        try:
            await child.until_ready(answers)
            yield FakeWhatsApp(url, http)
        finally:
            await child.stop()


@pytest.fixture(scope="session")
async def http() -> AsyncIterator[httpx.AsyncClient]:
    """The client that a sender gets."""
    async with httpx.AsyncClient() as client:
        yield client
