"""What the local gateway costs: an empty function through it, beside the same transaction over the
gateway's own connections and beside a bare call by asyncpg, in the same interleaved rounds; and a
profile of the gateway without HTTP, which shows where its time goes."""

import asyncio
import cProfile
import os
import pstats
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import asyncpg

from bench import cpu
from bench.figures import Cell, Report, Table, median, percentile
from bench.machine import LoadMeter
from bench.options import Options
from bench.product import Product, running
from bench.wire import Client, request
from local.gateway.context import Gateway
from local.gateway.rest.app import Rest
from local.gateway.rest.catalog import Catalog
from local.gateway.rest.pool import Pool
from local.gateway.rest.request import understand
from local.gateway.rest.tokens import Caller
from local.gateway.rest.transaction import Statement, run

CLIENTS = (1, 16)
# Of one measurement; the rounds repeat it.
SECONDS = 2.0
PARTS = ("benchmark", "gateway", "Postgres")
PROFILED_CALLS = 2000
PROFILED_FUNCTIONS = 12
CALL = "select public.health()"
# What the gateway sends for it, the settings aside.
STATEMENT = Statement(
    "select coalesce(to_json(called)::text, 'null') as body, 1 as page, null as total,"
    " null as headers, null as status, null as inserted, null as location"
    " from (select public.health() as called) as call",
    (),
)
CALLER = Caller("service_role", '{"role":"service_role"}', float("inf"))
HEADERS = {"content-type": "application/json"}

Call = Callable[[], Awaitable[object]]


@dataclass(frozen=True, slots=True)
class Measured:
    """`rate`: calls a second. `cpu`: seconds per call, by part. `slow`: p99 in seconds."""

    rate: float
    cpu: dict[str, float]
    slow: float


async def measure(options: Options) -> Report:
    runs: dict[tuple[str, int], list[Measured]] = {}
    async with running() as product:
        url = product.stack.database_url
        pool = Pool(url, max(CLIENTS))
        bare = await asyncpg.create_pool(url, min_size=max(CLIENTS), max_size=max(CLIENTS))
        calls = {
            "gateway": _through_gateway(product),
            "its transaction": _transaction(pool),
            "bare call": lambda: bare.fetchval(CALL),
        }
        with LoadMeter() as meter:
            for _ in range(options.rounds):
                for clients in CLIENTS:
                    for way, call in calls.items():
                        runs.setdefault((way, clients), []).append(await _measure(call, clients))
        await bare.close()
        pool.close()
        profile = await _profile(product)
    rows = [_row(runs, way, clients) for way, clients in runs]
    parts = (f"{part} µs/call" for part in PARTS)
    columns = ("way", "clients", "calls/s", "of bare", "p99 ms", *parts)
    title = f"gateway: an empty function, median of {options.rounds} rounds"
    return Report("gateway", [Table(title, columns, rows), profile], load=meter.load)


def _row(runs: dict[tuple[str, int], list[Measured]], way: str, clients: int) -> list[Cell]:
    measured = runs[way, clients]
    rate = median([one.rate for one in measured])
    bare = median([one.rate for one in runs["bare call", clients]])
    spent = [round(median([one.cpu[part] for one in measured]) * 1e6) for part in PARTS]
    slow = round(median([one.slow for one in measured]) * 1000, 1)
    return [way, clients, round(rate), round(rate / bare, 2), slow, *spent]


def _through_gateway(product: Product) -> Call:
    client = Client(product.stack.url)
    headers = product.project.headers() | HEADERS
    raw = request(product.stack.url, "POST", "/rest/v1/rpc/health", headers, b"{}")

    async def call() -> None:
        reply = await client.send(raw)
        if reply.status != 200:
            raise RuntimeError(f"the gateway answered {reply.status} {reply.body!r}")

    return call


def _transaction(pool: Pool) -> Call:
    catalog = Catalog()
    asked = understand(catalog, "POST", "/rpc/health", HEADERS, b"", b"{}")

    async def call() -> object:
        return await run(pool, catalog, CALLER, asked, STATEMENT)

    return call


async def _measure(call: Call, clients: int) -> Measured:
    taken: list[float] = []
    before, began = cpu.usage(), time.monotonic()
    mine = sum(os.times()[:2])

    async def repeat() -> None:
        started = time.monotonic()
        while started - began < SECONDS:
            await call()
            ended = time.monotonic()
            taken.append(ended - started)
            started = ended

    await asyncio.gather(*(repeat() for _ in range(clients)))
    seconds, done = time.monotonic() - began, len(taken)
    spent = cpu.since(before) | {"benchmark": sum(os.times()[:2]) - mine}
    shares = {part: spent.get(part, 0.0) / done for part in PARTS}
    return Measured(done / seconds, shares, percentile(taken, 0.99))


async def _profile(product: Product) -> Table:
    """The functions that take most of the service's own time, called here without HTTP."""
    stack = product.stack
    pool = await asyncpg.create_pool(stack.database_url, min_size=1, max_size=1)
    rest = Rest()
    shared = SimpleNamespace(keys=stack.keys, admin=pool, database_url=stack.database_url)
    await rest.start(cast(Gateway, shared))
    token = stack.keys.role_token("service_role")
    headers = HEADERS | {"authorization": f"Bearer {token}", "user-agent": "bench"}
    scope: Any = {
        "type": "http",
        "method": "POST",
        "path": "/rest/v1/rpc/health",
        "query_string": b"",
        "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
    }

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"{}"}

    async def send(message: Any) -> None:
        if message.get("status", 200) != 200:
            raise RuntimeError(f"the gateway answered {message['status']}")

    await rest(scope, receive, send)
    profiler = cProfile.Profile()
    profiler.enable()
    for _ in range(PROFILED_CALLS):
        await rest(scope, receive, send)
    profiler.disable()
    await rest.stop()
    await pool.close()
    return _hottest(profiler)


def _hottest(profiler: cProfile.Profile) -> Table:
    """By own time; waiting for Postgres counts for the poll of the event loop."""
    stats = cast(dict[tuple[str, int, str], Any], pstats.Stats(profiler).stats)  # type: ignore[attr-defined]
    hottest = sorted(stats.items(), key=lambda entry: -entry[1][2])[:PROFILED_FUNCTIONS]
    rows: list[list[Cell]] = []
    for (file, line, function), (_, called, own, total, _) in hottest:
        where = f"{Path(file).name}:{line} " if line else ""
        per_call = [round(seconds / PROFILED_CALLS * 1e6, 1) for seconds in (own, total)]
        rows.append([f"{where}{function}", round(called / PROFILED_CALLS, 1), *per_call])
    title = f"gateway: where its time goes, {PROFILED_CALLS} calls under cProfile, no HTTP"
    return Table(title, ("function", "calls", "own µs/call", "with callees µs/call"), rows)
