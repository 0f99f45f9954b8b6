"""A person's screen, in a process of its own: the product's Subscriber on one inbox.

Told what to follow in one line of JSON; answers "ready" once the inbox is live; at the end of its
input it writes what it saw: [seen at, conversation id, rev, preview] of every row of every change.
"""

import asyncio
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import httpx
import orjson

from bench.product import Product
from functions.realtime import topics
from functions.realtime.ledger import Status
from functions.realtime.subscriber import Subscriber


@dataclass(frozen=True, slots=True)
class Seen:
    """A conversation's row as it came to the screen, at epoch seconds `at`."""

    at: float
    conversation_id: str
    rev: int
    preview: str | None


@dataclass(slots=True)
class Watch:
    seen: list[Seen] = field(default_factory=list)


@asynccontextmanager
async def watching(product: Product) -> AsyncIterator[Watch]:
    """Watches the tenant's inbox; `seen` is filled at the end."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "bench.watcher", stdin=-1, stdout=-1, limit=2**30
    )
    assert process.stdin is not None
    assert process.stdout is not None
    order = {
        "url": product.stack.url,
        "key": product.stack.keys.publishable_key,
        "token": product.tenant.people["agent"].token,
        "company_id": product.tenant.company_id,
    }
    process.stdin.write(orjson.dumps(order) + b"\n")
    if await process.stdout.readline() != b"ready\n":
        raise RuntimeError("the subscriber did not become live")
    watch = Watch()
    try:
        yield watch
    finally:
        output, _ = await process.communicate(b"")
        watch.seen += [Seen(*row) for row in orjson.loads(output)]


async def _watch(order: dict[str, Any]) -> None:
    async with httpx.AsyncClient(timeout=30.0) as http:

        async def rpc(name: str, params: dict[str, Any]) -> Any:
            headers = {"apikey": order["key"], "authorization": f"Bearer {order['token']}"}
            url = f"{order['url']}/rest/v1/rpc/{name}"
            answer = await http.post(url, json=params, headers=headers)
            return answer.raise_for_status().json()

        async def token() -> str:
            return str(order["token"])

        subscriber = Subscriber(order["url"], order["key"], token=token, rpc=rpc)
        inbox = subscriber.follow(topics.inbox(UUID(order["company_id"])))
        seen: list[tuple[float, str, int, str | None]] = []

        async def note() -> None:
            async for change in subscriber.changes():
                now = time.time()
                seen.extend(
                    (now, row["id"], row["rev"], row["last_message_preview"]) for row in change.rows
                )

        async with subscriber:
            noting = asyncio.create_task(note())
            while inbox.status is not Status.LIVE:
                await asyncio.sleep(0.02)
            sys.stdout.buffer.write(b"ready\n")
            sys.stdout.buffer.flush()
            await asyncio.to_thread(sys.stdin.buffer.read)
            noting.cancel()
        sys.stdout.buffer.write(orjson.dumps(seen))


if __name__ == "__main__":
    asyncio.run(_watch(orjson.loads(sys.stdin.buffer.readline())))
