"""Re-invocation: bounded hops, one call per tick, only where jobs are left, and never a loop."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from starlette.responses import RedirectResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from functions.app import create_app
from functions.core import http as http_module
from functions.core.settings import Settings
from functions.jobs.ticks import HOP_HEADER, MAX_HOPS
from tests.fixtures import CRON_SECRET, serving, until
from tests.jobs.conftest import TestQueue

SECRET = {"authorization": f"Bearer {CRON_SECRET}"}


@dataclass
class Deployment:
    """An API that knows its own address, and what it was called with."""

    url: str = ""
    app: ASGIApp | None = None
    hops: list[str | None] = field(default_factory=list)
    ended: int = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = dict(scope["headers"])
        self.hops.append(hop.decode() if (hop := headers.get(HOP_HEADER.encode())) else None)
        assert self.app is not None
        await self.app(scope, receive, send)
        self.ended += 1

    async def tick(self, **headers: str) -> httpx.Response:
        async with httpx.AsyncClient(timeout=60.0) as http:
            return await http.post(f"{self.url}/api/queue/process", headers=SECRET | headers)


@asynccontextmanager
async def deployed(settings: Settings, **changes: Any) -> AsyncIterator[Deployment]:
    """With a budget for a few jobs only."""
    deployment = Deployment()
    wrapped: Any = deployment
    async with serving(wrapped) as url:
        deployment.url = url
        small: dict[str, Any] = {"queue_batch": 1, "queue_budget_seconds": 0.2, "public_url": url}
        deployment.app = create_app(replace(settings, **(small | changes)))
        yield deployment


@pytest.fixture
async def backlog(queue: TestQueue) -> AsyncIterator[TestQueue]:
    """More than a few ticks of that budget can do."""
    await queue.enqueue(*({"type": "no.such"} for _ in range(2000)))
    yield queue
    await queue.project.rpc("cancel_jobs", {"p_queue": queue.name, "p_limit": 5000})


async def test_it_goes_on_until_the_last_hop(backlog: TestQueue, settings: Settings) -> None:
    async with deployed(settings, queue_reinvoke_hops=2) as deployment:

        async def all_have_ended() -> bool:
            return deployment.ended == len(deployment.hops) == 3

        answer = (await deployment.tick()).json()
        assert answer["reinvoked"] is True
        assert answer["remaining"] > 0
        await until(all_have_ended, what="two more ticks")
        assert deployment.hops == [None, "1", "2"]


async def test_the_last_hop_calls_nobody(backlog: TestQueue, settings: Settings) -> None:
    async with deployed(settings, queue_reinvoke_hops=2) as deployment:
        answer = (await deployment.tick(**{HOP_HEADER: "2"})).json()
        assert (answer["drained"], answer["reinvoked"]) == (False, False)
        assert deployment.hops == ["2"]


@pytest.mark.parametrize("missing", [{"queue_reinvoke_hops": 0}, {"public_url": ""}])
async def test_it_is_off_without_its_settings(
    missing: dict[str, Any], backlog: TestQueue, settings: Settings
) -> None:
    async with deployed(settings, **{"queue_reinvoke_hops": 5} | missing) as deployment:
        answer = (await deployment.tick()).json()
        assert (answer["drained"], answer["reinvoked"]) == (False, False)
        assert deployment.hops == [None]


async def test_a_tick_that_has_done_everything_calls_nobody(
    queue: TestQueue, settings: Settings
) -> None:
    generous = {"queue_batch": 100, "queue_budget_seconds": 20.0, "queue_reinvoke_hops": 5}
    async with deployed(settings, **generous) as deployment:
        answer = (await deployment.tick()).json()
        assert (answer["drained"], answer["reinvoked"]) == (True, False)
        assert deployment.hops == [None]


async def test_an_address_that_does_not_answer_harms_no_tick(
    backlog: TestQueue, settings: Settings
) -> None:
    gone = {"queue_reinvoke_hops": 5, "public_url": "http://127.0.0.1:9"}
    async with deployed(settings, **gone) as deployment:
        answer = await deployment.tick()
        assert (answer.status_code, answer.json()["reinvoked"]) == (200, False)


async def test_the_end_of_the_next_one_is_not_waited_for(
    backlog: TestQueue, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http_module, "STARTING", httpx.Timeout(0.3))
    slow, over = FastAPI(), asyncio.Event()

    @slow.post("/api/queue/process")
    async def process() -> None:
        await over.wait()

    async with serving(slow) as url:
        changed = {"queue_reinvoke_hops": 5, "public_url": url}
        async with deployed(settings, **changed) as deployment:
            answer = (await deployment.tick()).json()
        over.set()
    assert answer["reinvoked"] is True


async def test_a_refusal_is_no_start_and_the_secret_follows_no_redirect(
    backlog: TestQueue, settings: Settings
) -> None:
    elsewhere = FastAPI()
    seen: list[str] = []

    @elsewhere.post("/api/queue/process")
    async def process() -> None:
        seen.append("redirected")

    async with serving(elsewhere) as other:
        proxy = FastAPI()

        @proxy.post("/api/queue/process")
        async def redirect() -> Any:
            return RedirectResponse(f"{other}/api/queue/process")

        async with serving(proxy) as url:
            changed = {"queue_reinvoke_hops": 5, "public_url": url}
            async with deployed(settings, **changed) as deployment:
                answer = (await deployment.tick()).json()
    assert answer["reinvoked"] is False
    assert seen == []


@pytest.mark.parametrize("hop", ["x", "-1", "1e3", str(MAX_HOPS + 1)])
async def test_a_hop_that_is_none_is_refused(hop: str, settings: Settings) -> None:
    async with deployed(settings, queue_reinvoke_hops=5) as deployment:
        answer = await deployment.tick(**{HOP_HEADER: hop})
        assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request")


async def test_a_hop_without_the_secret_is_nothing(settings: Settings) -> None:
    async with deployed(settings, queue_reinvoke_hops=5) as deployment:
        for hop in ("1", "x"):
            wrong = {"authorization": "Bearer wrong-but-long-enough", HOP_HEADER: hop}
            assert (await deployment.tick(**wrong)).status_code == 401
