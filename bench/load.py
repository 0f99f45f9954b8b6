"""The load generator, in a process of its own: reads a plan file, writes a file of samples.

Open loop: requests leave at their time whatever the answers do, and waiting counts from that
time, so a server that stalls is not spared. Closed loop: each client asks again after its answer.
"""

import asyncio
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import orjson
import uvloop

from bench.wire import Client, request


@dataclass(frozen=True, slots=True)
class Plan:
    """What to send: each of `requests` {method, path, headers, body} once, `rate` a second (open);
    or, over and over for `seconds`, by that many `clients` (closed)."""

    url: str
    requests: Sequence[dict[str, Any]]
    rate: float | None = None
    clients: int = 0
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Sample:
    """One answer: seconds from its time to its end, and how late it left. Status 0: none came."""

    index: int
    at: float
    waited: float
    late: float
    status: int


async def generate(plan: Plan) -> list[Sample]:
    """Runs the plan in a process of its own."""
    with tempfile.TemporaryDirectory(prefix="recado-bench-") as folder:
        given, answer = Path(folder, "plan.json"), Path(folder, "samples.json")
        given.write_bytes(orjson.dumps(plan))
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "bench.load", str(given), str(answer)
        )
        if await process.wait():
            raise RuntimeError(f"the load generator ended with {process.returncode}")
        return [Sample(**row) for row in orjson.loads(answer.read_bytes())]


async def _run(plan: Plan) -> list[Sample]:
    raws = [
        request(plan.url, one["method"], one["path"], one["headers"], one.get("body", "").encode())
        for one in plan.requests
    ]
    client = Client(plan.url)
    if plan.rate:
        return await _open_loop(client, raws, plan.rate)
    return await _closed_loop(client, raws, plan.clients, plan.seconds)


async def _open_loop(client: Client, raws: Sequence[bytes], rate: float) -> list[Sample]:
    began = time.time() + 0.2
    tasks = []
    for index, raw in enumerate(raws):
        due = began + index / rate
        if (pause := due - time.time()) > 0:
            await asyncio.sleep(pause)
        tasks.append(asyncio.create_task(_sample(client, index, raw, due)))
    return await asyncio.gather(*tasks)


async def _closed_loop(
    client: Client, raws: Sequence[bytes], clients: int, seconds: float
) -> list[Sample]:
    until = time.time() + seconds
    samples: list[Sample] = []

    async def ask(first: int) -> None:
        index = first
        while (now := time.time()) < until:
            samples.append(await _sample(client, index, raws[index % len(raws)], now))
            index += clients

    await asyncio.gather(*(ask(first) for first in range(clients)))
    return samples


async def _sample(client: Client, index: int, raw: bytes, due: float) -> Sample:
    left = time.time()
    try:
        status = (await client.send(raw)).status
    except OSError:
        status = 0
    return Sample(index, due, time.time() - due, left - due, status)


if __name__ == "__main__":
    outcome = uvloop.run(_run(Plan(**orjson.loads(Path(sys.argv[1]).read_bytes()))))
    Path(sys.argv[2]).write_bytes(orjson.dumps([asdict(sample) for sample in outcome]))
