"""A worker of the drain benchmark, in a process of its own: told {kind, batch} in one line of JSON,
answers "ready", starts at the next line, and writes how many jobs it did.

Both kinds do nothing with a job but settle it: `runner` is the product's, over HTTP; `bare` calls
the same SQL function over a database connection.
"""

import asyncio
import logging
import sys
from typing import Any

import asyncpg
import orjson
import uvloop

from functions.core.db import Database
from functions.core.http import HttpClient
from functions.core.settings import Settings
from functions.jobs.models import BatchHandler, Handler, Handlers, Job
from functions.jobs.rpc import Queue
from functions.jobs.runner import LEASE_SECONDS, Runner

EXCHANGE = "select public.exchange_jobs($1, $2, $3, null)"


async def nothing(job: Job) -> None:
    """Does a job."""


async def nothing_at_once(jobs: Any) -> dict[int, str]:
    """Does a batch."""
    return {}


HANDLERS: dict[str, Handlers] = {
    "runner": {"bench": Handler(nothing)},
    "runner, batch handler": {"bench": BatchHandler(nothing_at_once, size=1000)},
}


async def _work(order: dict[str, Any]) -> int:
    if order["kind"] == "bare":
        return await _work_bare(order)
    db = Database(Settings.from_env(), HttpClient())
    await db.as_service().call("health", {})  # the connection stands before the clock runs
    await _start_signal()
    runner = Runner(Queue(db), HANDLERS[order["kind"]], order["batch"])
    return (await runner.drain(600.0)).completed


async def _work_bare(order: dict[str, Any]) -> int:
    connection = await asyncpg.connect(order["database_url"])
    await connection.execute("set role service_role")
    await connection.prepare(EXCHANGE)
    await _start_signal()
    done: int = 0
    results = "[]"
    while True:
        answer = orjson.loads(
            await connection.fetchval(EXCHANGE, results, order["batch"], LEASE_SECONDS)
        )
        done += answer["settled"]["completed"]
        if not answer["jobs"]:
            return done
        results = orjson.dumps(
            [{"id": job["id"], "claim": job["claim"], "outcome": "ok"} for job in answer["jobs"]]
        ).decode()


async def _start_signal() -> None:
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    await asyncio.to_thread(sys.stdin.readline)


if __name__ == "__main__":
    logging.disable(logging.INFO)
    sys.stdout.write(f"{uvloop.run(_work(orjson.loads(sys.stdin.readline())))}\n")
