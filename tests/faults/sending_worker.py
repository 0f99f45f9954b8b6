"""Workers of the chaos of sending: the real runner and handlers, with short leases and little
patience, so that what takes minutes elsewhere takes seconds."""

import asyncio
import os
from dataclasses import replace
from typing import Any

import httpx

import functions.jobs.runner
import functions.providers.calls
from functions.app import create_runner
from functions.core.db import Database
from functions.core.http import HttpClient
from functions.core.settings import Settings
from functions.jobs.rpc import Queue
from functions.jobs.runner import Runner
from tests.faults.worker import IDLE_SECONDS, main
from tests.tenants import CREDENTIALS_KEY

LEASE_SECONDS = 6
HANDLER_SECONDS = 4.0
# Less than the fake hangs.
PROVIDER_SECONDS = 1.0


async def work(order: dict[str, Any], parent: int) -> None:
    functions.jobs.runner.LEASE_SECONDS = LEASE_SECONDS
    vars(functions.providers.calls)["TIMEOUT"] = httpx.Timeout(PROVIDER_SECONDS)
    settings = Settings(
        supabase_url=order["url"],
        secret_key=order["secret_key"],
        publishable_key=order["publishable_key"],
        credentials_key=CREDENTIALS_KEY,
    )
    http = HttpClient()
    db = Database(settings, http)
    handlers = {
        type: replace(handler, timeout_seconds=HANDLER_SECONDS)
        for type, handler in create_runner(settings, db, http)._handlers.items()
    }
    runner = Runner(Queue(db, worker=order["name"]), handlers, order["batch"])
    while os.getppid() == parent:
        await runner.drain(30.0)
        await asyncio.sleep(IDLE_SECONDS)


if __name__ == "__main__":
    main(work)
