"""Recado's own queue: its Runner over HTTP, and the same SQL over a database connection.

What the benchmark knows of the queue's interface stands here: exchange_jobs, its results, and the
signature of a handler.
"""

from typing import Any

import asyncpg
import orjson

from bench.queue.worker import Data
from functions.core.db import Database
from functions.core.http import HttpClient
from functions.core.settings import Settings
from functions.jobs.models import BatchHandler, Handler, NewJob
from functions.jobs.rpc import Queue
from functions.jobs.runner import LEASE_SECONDS, Runner

TYPE = "bench"
EXCHANGE = "select public.exchange_jobs($1, $2, $3, null)"
BUDGET_SECONDS = 600.0


async def nothing(*_: Any) -> None:
    """Does a job."""


async def nothing_at_once(*_: Any) -> dict[int, str]:
    """Does a batch."""
    return {}


class OverHttp:
    """The Runner as it ships. The environment says where the gateway is."""

    handler: Handler | BatchHandler = Handler(nothing)

    def __init__(self, url: str) -> None:
        self._db = Database(Settings.from_env(), HttpClient())
        self._queue = Queue(self._db)

    async def install(self) -> None:
        """The migrations have been run."""

    async def open(self) -> None:
        await self._db.as_service().call("health", {})

    async def enqueue(self, jobs: list[Data]) -> None:
        await self._queue.enqueue_jobs([NewJob(TYPE, data) for data in jobs])

    async def drain(self, size: int) -> int:
        runner = Runner(self._queue, {TYPE: self.handler}, size)
        return (await runner.drain(BUDGET_SECONDS)).completed


class Batched(OverHttp):
    """The Runner with a handler that takes many jobs at once."""

    handler = BatchHandler(nothing_at_once, size=1000)


class Sql:
    """A loop of exchange_jobs over a database connection, and nothing around it."""

    def __init__(self, url: str) -> None:
        self._url = url

    async def install(self) -> None:
        """The migrations have been run."""

    async def open(self) -> None:
        self._connection = await asyncpg.connect(self._url)
        await self._connection.execute("set role service_role")
        await self._connection.prepare(EXCHANGE)

    async def enqueue(self, jobs: list[Data]) -> None:
        given = orjson.dumps([{"type": TYPE, "data": data} for data in jobs]).decode()
        await self._connection.fetchval("select public.enqueue_jobs($1)", given)

    async def drain(self, size: int) -> int:
        done: int = 0
        results = "[]"
        while True:
            raw = await self._connection.fetchval(EXCHANGE, results, size, LEASE_SECONDS)
            answer = orjson.loads(raw)
            done += answer["settled"]["completed"]
            if not answer["jobs"]:
                return done
            results = orjson.dumps(
                [{"id": j["id"], "claim": j["claim"], "outcome": "ok"} for j in answer["jobs"]]
            ).decode()
