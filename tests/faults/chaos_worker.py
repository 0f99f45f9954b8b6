"""Workers of the chaos: the real runner over HTTP, with handlers that keep a book as ours do.

An order to `python -m tests.faults.chaos_worker` also has: name, provider, lease_seconds.
"""

import asyncio
import os
from collections.abc import Mapping, Sequence
from typing import Any

import httpx

import functions.jobs.runner
from functions.core.db import Database
from functions.core.http import HttpClient
from functions.core.settings import Settings
from functions.jobs.context import JobContext
from functions.jobs.models import BatchHandler, Handler, Job, Json, RateLimited, RetryLater
from functions.jobs.rpc import Queue
from functions.jobs.runner import Runner
from tests.faults.worker import IDLE_SECONDS, main

# Less than the provider hangs.
PROVIDER_SECONDS = 1.0


class Handlers:
    """One effect at a provider that recognises nothing, one in the database."""

    def __init__(self, db: Database, provider: str, worker: str) -> None:
        self._rpc = db.as_service()
        self._provider = httpx.AsyncClient(base_url=provider, timeout=PROVIDER_SECONDS)
        self._worker = worker

    async def send(self, job: Job, context: JobContext) -> Json:
        """The attempt is written before the call: whoever finds one open does not call again."""
        claim = {"p_job_id": job.id, "p_claim": job.claim, "p_worker": self._worker}
        begun = await self._rpc.call("begin_effect", claim)
        if begun != "go":
            return {"effect": begun}
        status = await self._call(job)
        outcome = {200: "done", 0: "unknown"}.get(status, "not_done")
        await self._rpc.call("record_effect", claim | {"p_outcome": outcome})
        if status == 429:
            raise RateLimited(0.3)
        if outcome == "not_done":
            raise RetryLater(f"provider_failed: {status}", 0.2)
        return {"effect": outcome}

    async def _call(self, job: Job) -> int:
        """The status; 0 where the answer is missing."""
        try:
            answer = await self._provider.post(
                "/effects", json={"job": job.id}, headers={"x-worker": self._worker}
            )
        except httpx.HTTPError:
            return 0
        return answer.status_code

    async def count(self, jobs: Sequence[Job]) -> Mapping[int, str]:
        ids = [job.id for job in jobs]
        await self._rpc.call("add_counts", {"p_ids": ids, "p_worker": self._worker})
        return {}


async def work(order: dict[str, Any], parent: int) -> None:
    functions.jobs.runner.LEASE_SECONDS = order["lease_seconds"]
    settings = Settings(
        supabase_url=order["url"],
        secret_key=order["secret_key"],
        publishable_key=order["publishable_key"],
    )
    db = Database(settings, HttpClient())
    handlers = Handlers(db, order["provider"], order["name"])
    table: dict[str, Handler | BatchHandler] = {
        "chaos.send": Handler(handlers.send, timeout_seconds=4.0, concurrency=8),
        "chaos.count": BatchHandler(handlers.count, timeout_seconds=4.0),
    }
    runner = Runner(Queue(db, worker=order["name"]), table, order["batch"])
    while os.getppid() == parent:
        await runner.drain(30.0, order["queues"])
        await asyncio.sleep(IDLE_SECONDS)


if __name__ == "__main__":
    main(work)
