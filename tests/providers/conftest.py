"""The fake WhatsApp as a process of its own, and an endpoint for its webhooks."""

import asyncio
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
import uvicorn

from local.processes import Child
from tests.providers.fake import FakeWhatsApp, eventually, free_port
from tests.providers.receiver import Receiver

ROOT = Path(__file__).parents[2]


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


@pytest.fixture(scope="session")
async def receiver() -> AsyncIterator[Receiver]:
    """An endpoint of ours for the fake to call."""
    receiver = Receiver(free_port())
    config = uvicorn.Config(
        receiver.app(), port=receiver.port, log_level="critical", lifespan="off", ws="none"
    )
    server = uvicorn.Server(config)
    running = asyncio.create_task(server.serve())

    async def started() -> bool:
        return server.started

    await eventually(started)
    yield receiver
    server.should_exit = True
    await running
