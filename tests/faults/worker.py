"""Workers to be killed: `python -m tests.faults.worker` forks one for every line that it reads.

A line is a JSON object: {url, secret_key, publishable_key, batch}; the answer is the pid. Forked
after the imports, a worker starts in milliseconds. It runs the real runner with the real
handlers until it is killed, or its parent is gone; the parent ends with its standard input.
"""

import asyncio
import contextlib
import json
import os
import signal
import sys
from collections.abc import Callable, Coroutine
from typing import Any

from functions.app import create_runner
from functions.core.db import Database
from functions.core.http import HttpClient
from functions.core.settings import Settings
from tests.tenants import CREDENTIALS_KEY

IDLE_SECONDS = 0.02


async def work(order: dict[str, Any], parent: int) -> None:
    """Drains again and again, as ticks that follow each other without a gap."""
    settings = Settings(
        supabase_url=order["url"],
        secret_key=order["secret_key"],
        publishable_key=order["publishable_key"],
        credentials_key=CREDENTIALS_KEY,
        queue_batch=order["batch"],
    )
    http = HttpClient()
    runner = create_runner(settings, Database(settings, http), http)
    while os.getppid() == parent:
        await runner.drain(30.0)
        await asyncio.sleep(IDLE_SECONDS)


def main(work: Callable[[dict[str, Any], int], Coroutine[Any, Any, None]] = work) -> None:
    # Whoever is killed leaves at once: nobody waits for exit codes here.
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    parent = os.getpid()
    pids = []
    for line in sys.stdin:
        pid = os.fork()
        if pid == 0:
            asyncio.run(work(json.loads(line), parent))
            os._exit(0)
        pids.append(pid)
        sys.stdout.write(f"{pid}\n")
        sys.stdout.flush()
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


if __name__ == "__main__":
    main()
