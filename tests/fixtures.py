"""Fixtures of the product: the project, the API on a real port, the fake WhatsApp, tenants."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvicorn
from fastapi import FastAPI

from functions.app import create_app
from functions.core.db import Database
from functions.core.http import HttpClient
from functions.core.settings import Settings
from local import npm
from local.stack import Stack
from tests.tenants import CREDENTIALS_KEY, Number, Person, Project, Tenant, body

CRON_SECRET = "a-cron-secret-for-tests"


@dataclass(frozen=True, slots=True)
class Api:
    """The API as its callers reach it."""

    url: str
    http: httpx.AsyncClient = field(repr=False)

    async def post_webhook(self, number: Number, content: Any) -> httpx.Response:
        """Posts a body as the number's provider does."""
        raw = content if isinstance(content, bytes) else body(content)
        return await self.http.post(number.path, content=raw, headers=number.headers(raw))

    async def get(self, path: str, person: Person, **params: str) -> httpx.Response:
        headers = {"authorization": f"Bearer {person.token}"}
        return await self.http.get(path, params=params, headers=headers)

    async def send(self, person: Person, message: dict[str, Any]) -> httpx.Response:
        headers = {"authorization": f"Bearer {person.token}"}
        return await self.http.post("/api/messages", json=message, headers=headers)

    async def tick(self) -> dict[str, Any]:
        """Works through the queue; what the tick answers."""
        headers = {"authorization": f"Bearer {CRON_SECRET}"}
        answer = await self.http.post("/api/queue/process", headers=headers)
        assert answer.status_code == 200, answer.text
        done: dict[str, Any] = answer.json()
        return done


class _Server(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Ctrl-C belongs to pytest."""
        yield


@contextlib.asynccontextmanager
async def serving(app: FastAPI) -> AsyncIterator[str]:
    """The address of `app` on a free port of this machine, while inside."""
    server = _Server(uvicorn.Config(app, port=0, lifespan="auto", log_level="warning"))
    task = asyncio.create_task(server.serve())
    while not server.started:
        await asyncio.sleep(0.01)
    try:
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        await task


async def until(
    condition: Callable[[], Awaitable[Any]], *, seconds: float = 60.0, what: str = ""
) -> Any:
    """The first true answer of `condition`; fails the test when none comes in time: what a machine
    needs that does much else, since a time is nothing that tests measure."""
    try:
        async with asyncio.timeout(seconds):
            while not (answer := await condition()):
                await asyncio.sleep(0.03)
    except TimeoutError:
        pytest.fail(f"not within {seconds:g} s: {what or condition}")
    return answer


@pytest.fixture(scope="session")
def settings(stack: Stack) -> Settings:
    return Settings(
        supabase_url=stack.url,
        secret_key=stack.keys.secret_key,
        publishable_key=stack.keys.publishable_key,
        cron_secret=CRON_SECRET,
        credentials_key=CREDENTIALS_KEY,
        allow_private_servers=True,
        queue_budget_seconds=20.0,
    )


@pytest.fixture(scope="session")
async def db(settings: Settings) -> AsyncIterator[Database]:
    http = HttpClient()
    yield Database(settings, http)
    await http.close()


@pytest.fixture(scope="session")
async def project(stack: Stack) -> AsyncIterator[Project]:
    async with httpx.AsyncClient(timeout=30.0) as http:
        yield Project(http, stack.url, stack.keys.secret_key, stack.keys.publishable_key)


@pytest.fixture(scope="session")
async def api(settings: Settings) -> AsyncIterator[Api]:
    async with (
        serving(create_app(settings)) as url,
        httpx.AsyncClient(base_url=url, timeout=60.0) as http,
    ):
        yield Api(url, http)


@pytest.fixture(scope="session")
async def whatsapp(stack: Stack) -> AsyncIterator[httpx.AsyncClient]:
    """The control of the fake WhatsApp."""
    assert stack.whatsapp_url
    async with httpx.AsyncClient(base_url=stack.whatsapp_url, timeout=30.0) as http:
        yield http


@pytest.fixture(scope="session")
async def javascript() -> Path:
    """node_modules with the official JavaScript client; skips where there is no Node.js."""
    try:
        return await npm.install("@supabase/supabase-js@2.109.0", "ws@8.18.3")
    except npm.NodeUnavailable as reason:
        pytest.skip(str(reason))


@pytest.fixture
async def tenant(project: Project, stack: Stack) -> Tenant:
    assert stack.whatsapp_url
    return await project.new_tenant(stack.whatsapp_url)


@pytest.fixture
async def connected(tenant: Tenant, api: Api, whatsapp: httpx.AsyncClient) -> Tenant:
    """A tenant whose numbers exist at the fake WhatsApp, with webhooks to the API."""
    for number in tenant.numbers:
        answer = await whatsapp.post("/_fake/numbers", json=number.registration(api.url))
        assert answer.status_code == 201, answer.text
    return tenant


@pytest.fixture
async def rival(project: Project, stack: Stack) -> Tenant:
    """Another company, for what companies must not do to each other."""
    assert stack.whatsapp_url
    return await project.new_tenant(stack.whatsapp_url)
