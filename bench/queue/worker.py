"""One contestant at work, in a process of its own: `python -m bench.queue.worker <module> <class>`.

Takes an order as one line of JSON: {"url": ..., "job": ..., "do": "install" | "enqueue" | "drain",
"count": ..., "size": ...}. Answers "ready", begins at the next line, and answers {"jobs": how many
are done, "at": when the last was, on the clock that all processes of the machine share}. Ends when
its input does, so that its CPU time can be read before. graphile.mjs speaks the same.
"""

import asyncio
import importlib
import json
import logging
import sys
import time
from collections.abc import Callable
from typing import Any, Protocol

import uvloop

Data = dict[str, Any]


class Contestant(Protocol):
    """Made with the URL of its database."""

    async def open(self) -> None:
        """Before the clock runs: connect, prepare."""

    async def install(self) -> None:
        """Once per database: the schema."""

    async def enqueue(self, jobs: list[Data]) -> None:
        """Adds jobs with these data, in one call."""

    async def drain(self, size: int) -> int:
        """Does all jobs there are, `size` at a time, and answers how many it did. Returns when the
        last is settled."""


def packed(job: Data) -> bytes:
    """For contestants that store bytes."""
    return json.dumps(job).encode()


async def _work(make: Callable[[str], Contestant], order: dict[str, Any]) -> int:
    contestant = make(order["url"])
    if order["do"] == "install":
        await contestant.install()
    await contestant.open()
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    await asyncio.to_thread(sys.stdin.readline)
    if order["do"] == "drain":
        return await contestant.drain(int(order["size"]))
    jobs: list[Data] = [order.get("job", {})] * order.get("size", 0)
    calls: int = order.get("count", 0) // order.get("size", 1)
    for _ in range(calls):
        await contestant.enqueue(jobs)
    return calls * len(jobs)


if __name__ == "__main__":
    logging.disable(logging.WARNING)
    contestant = getattr(importlib.import_module(f"bench.queue.{sys.argv[1]}"), sys.argv[2])
    done = uvloop.run(_work(contestant, json.loads(sys.stdin.readline())))
    sys.stdout.write(json.dumps({"jobs": done, "at": time.monotonic()}) + "\n")
    sys.stdout.flush()
    sys.stdin.read()
