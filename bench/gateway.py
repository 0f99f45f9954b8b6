"""What the local gateway costs: an empty function through it, beside the same transaction recipe
over a database connection, in the same interleaved rounds."""

import asyncio
import os
import time
from collections.abc import Awaitable, Callable

import asyncpg

from bench import cpu
from bench.figures import Cell, Report, Table, median
from bench.machine import LoadMeter
from bench.options import Options
from bench.product import Product, running
from bench.wire import Client, request
from local.gateway.rest.tokens import Caller
from local.gateway.rest.transaction import Facts, Statement, run

CLIENTS = (1, 16)
# Of one measurement; the rounds repeat it.
SECONDS = 2.0
STATEMENT = Statement(
    "select coalesce(to_json(called)::text, 'null') as body"
    " from (select public.health() as called) as call",
    (),
)
FACTS = Facts("POST", "/rpc/health", {"content-type": "application/json"}, {})
CALLER = Caller("service_role", '{"role": "service_role"}', float("inf"))

Call = Callable[[], Awaitable[object]]
Measured = tuple[float, dict[str, float]]


async def measure(options: Options) -> Report:
    runs: dict[tuple[str, int], list[Measured]] = {}
    async with running() as product:
        pool = await asyncpg.create_pool(product.stack.database_url, min_size=16, max_size=16)
        calls = {"gateway": _through_gateway(product), "bare": _bare(pool)}
        with LoadMeter() as meter:
            for _ in range(options.rounds):
                for clients in CLIENTS:
                    for way, call in calls.items():
                        measured = await _measure(call, clients)
                        runs.setdefault((way, clients), []).append(measured)
        await pool.close()
    rows: list[list[Cell]] = []
    for (way, clients), measured_runs in runs.items():
        rate = median([one for one, _ in measured_runs])
        bare = median([one for one, _ in runs["bare", clients]])
        parts = [median([spent[part] for _, spent in measured_runs]) for part in PARTS]
        shown = [round(part * 1e6) for part in parts]
        rows.append([way, clients, round(rate), round(rate / bare, 2), *shown])
    columns = ("way", "clients", "calls/s", "of bare", *(f"{part} µs/call" for part in PARTS))
    title = f"gateway: an empty function, median of {options.rounds} rounds"
    return Report("gateway", [Table(title, columns, rows)], load=meter.load)


PARTS = ("benchmark", "gateway", "Postgres")


def _through_gateway(product: Product) -> Call:
    client = Client(product.stack.url)
    headers = product.project.headers() | {"content-type": "application/json"}
    raw = request(product.stack.url, "POST", "/rest/v1/rpc/health", headers, b"{}")

    async def call() -> None:
        reply = await client.send(raw)
        if reply.status != 200:
            raise RuntimeError(f"the gateway answered {reply.status} {reply.body!r}")

    return call


def _bare(pool: asyncpg.Pool) -> Call:
    async def call() -> object:
        return await run(pool, CALLER, FACTS, (), STATEMENT)

    return call


async def _measure(call: Call, clients: int) -> Measured:
    """Calls a second, and CPU seconds per call by part."""
    done = 0
    before, began = cpu.usage(), time.monotonic()
    mine = sum(os.times()[:2])

    async def repeat() -> None:
        nonlocal done
        while time.monotonic() - began < SECONDS:
            await call()
            done += 1

    await asyncio.gather(*(repeat() for _ in range(clients)))
    seconds = time.monotonic() - began
    spent = cpu.since(before) | {"benchmark": sum(os.times()[:2]) - mine}
    return done / seconds, {part: spent.get(part, 0.0) / done for part in PARTS}
