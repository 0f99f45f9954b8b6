"""People's screens, in a process of their own: the product's Subscriber, one for each scope given.

Told what to follow in one line of JSON; answers "ready" once all are live; at the end of its input
it writes what it saw: [seen at, scope, rev, preview] of every row of every change of every screen.
"""

import asyncio
import sys
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import httpx
import orjson

from bench.product import Product
from functions.realtime import topics
from functions.realtime.ledger import Ledger, Status
from functions.realtime.subscriber import Subscriber


@dataclass(frozen=True, slots=True)
class Seen:
    """A row as it came to a screen, at epoch seconds `at`; `preview` is that of a conversation."""

    at: float
    scope: str
    rev: int
    preview: str | None


@dataclass(slots=True)
class Watch:
    seen: list[Seen] = field(default_factory=list)


@asynccontextmanager
async def watching(product: Product, scopes: Sequence[str] | None = None) -> AsyncIterator[Watch]:
    """A screen for each of the scopes, else one for the tenant's inbox; `seen` is filled at the
    end."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "bench.watcher", stdin=-1, stdout=-1, limit=2**30
    )
    assert process.stdin is not None
    assert process.stdout is not None
    order = {
        "url": product.stack.url,
        "key": product.stack.keys.publishable_key,
        "token": product.tenant.people["agent"].token,
        "scopes": scopes or [topics.inbox(UUID(product.tenant.company_id))],
    }
    process.stdin.write(orjson.dumps(order) + b"\n")
    if await process.stdout.readline() != b"ready\n":
        raise RuntimeError("a subscriber did not become live")
    watch = Watch()
    try:
        yield watch
    finally:
        output, _ = await process.communicate(b"")
        watch.seen += [Seen(*row) for row in orjson.loads(output)]


async def _watch(order: dict[str, Any]) -> None:
    seen: list[tuple[float, str, int, str | None]] = []
    async with AsyncExitStack() as running:
        http = await running.enter_async_context(httpx.AsyncClient(timeout=30.0))
        # One after the other: a socket each, and the gateway signs each of them in.
        ledgers = [await _follow(running, http, order, scope, seen) for scope in order["scopes"]]
        while any(ledger.status is not Status.LIVE for ledger in ledgers):
            await asyncio.sleep(0.02)
        sys.stdout.buffer.write(b"ready\n")
        sys.stdout.buffer.flush()
        await asyncio.to_thread(sys.stdin.buffer.read)
    sys.stdout.buffer.write(orjson.dumps(seen))


async def _follow(
    running: AsyncExitStack,
    http: httpx.AsyncClient,
    order: dict[str, Any],
    scope: str,
    seen: list[tuple[float, str, int, str | None]],
) -> Ledger:
    async def rpc(name: str, params: dict[str, Any]) -> Any:
        headers = {"apikey": order["key"], "authorization": f"Bearer {order['token']}"}
        url = f"{order['url']}/rest/v1/rpc/{name}"
        answer = await http.post(url, json=params, headers=headers)
        return answer.raise_for_status().json()

    async def token() -> str:
        return str(order["token"])

    async def note() -> None:
        async for change in subscriber.changes():
            now = time.time()
            seen.extend(
                (now, scope, row["rev"], row.get("last_message_preview")) for row in change.rows
            )

    subscriber = Subscriber(order["url"], order["key"], token=token, rpc=rpc)
    ledger = subscriber.follow(scope)
    await running.enter_async_context(subscriber)
    running.callback(asyncio.create_task(note()).cancel)
    return ledger


if __name__ == "__main__":
    asyncio.run(_watch(orjson.loads(sys.stdin.buffer.readline())))
