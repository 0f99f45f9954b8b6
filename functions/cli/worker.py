"""jobs work: the runner that the API uses, here, until Ctrl-C. For development, or to help out."""

import asyncio
import logging
import signal
import socket
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

from functions.cli.command import Call, Commands, add_command
from functions.cli.times import seconds
from functions.core.errors import Unavailable
from functions.core.http import HttpClient
from functions.core.storage import Storage
from functions.jobs.models import DrainReport
from functions.jobs.schedules import Schedules

if TYPE_CHECKING:
    from functions.jobs.runner import Runner

# How long one drain claims: Ctrl-C takes effect within this.
SLICE_SECONDS = 5.0
# Between looks at queues where nothing is due.
IDLE_SECONDS = 1.0
# Between rounds of housekeeping, as a cron would do it.
SWEEP_SECONDS = 60.0
COUNTS = ("completed", "retried", "failed", "cancelled", "released", "stale")


def add(commands: Commands) -> None:
    work = add_command(commands, "work", work_jobs, "run due jobs here until Ctrl-C")
    work.add_argument("--queues", metavar="A,B", help="of these queues; default all")
    work.add_argument("--for", type=seconds, dest="duration", metavar="TIME", help="10m, then end")
    work.add_argument("--once", action="store_true", help="end when nothing is due")


async def work_jobs(call: Call) -> None:
    # The whole application: other commands do without.
    from functions.app import create_runner, provider_client

    await call.db.as_service().call("health", {})
    _log_to_stderr()
    outside, to_storage = provider_client(call.settings), HttpClient()
    settings = replace(call.settings, worker_name=socket.gethostname())
    storage = Storage(settings, to_storage)
    worker = _Worker(call, create_runner(settings, call.db, outside, storage))
    try:
        await worker.run()
    finally:
        await outside.close()
        await to_storage.close()


class _Worker:
    """Drains one after the other; one that still has jobs running does not hold up the next."""

    def __init__(self, call: Call, runner: "Runner") -> None:
        self._call = call
        self._runner = runner
        self._schedules = Schedules(call.queue)
        names = call.options.queues
        self._queues = [name.strip() for name in names.split(",")] if names else None
        self._until = time.monotonic() + (call.options.duration or float("inf"))
        self._swept_at = float("-inf")
        self._stopping = asyncio.Event()

    async def run(self) -> None:
        """Ends after Ctrl-C when what runs has finished; a second Ctrl-C does not wait for that."""
        loop, me = asyncio.get_running_loop(), asyncio.current_task()
        assert me is not None

        def interrupted() -> None:
            if self._stopping.is_set():
                me.cancel()
            else:
                self._stopping.set()
                self._call.out.remark("Finishing what runs; Ctrl-C once more leaves it to others.")

        loop.add_signal_handler(signal.SIGINT, interrupted)
        running: set[asyncio.Task[DrainReport]] = set()
        try:
            while not self._is_over():
                running.add(asyncio.create_task(self._drain()))
                await self._pause(running, SLICE_SECONDS)
                done = {task for task in running if task.done()}
                running -= done
                if not self._report([task.result() for task in done]) and not running:
                    if self._call.options.once:
                        break
                    await self._pause(set(), IDLE_SECONDS)
            self._report(await asyncio.gather(*running))
        finally:
            loop.remove_signal_handler(signal.SIGINT)

    def _is_over(self) -> bool:
        return self._stopping.is_set() or time.monotonic() >= self._until

    async def _drain(self) -> DrainReport:
        await self._look_after()
        budget = max(0.1, min(SLICE_SECONDS, self._until - time.monotonic()))
        return await self._runner.drain(budget, self._queues)

    async def _look_after(self) -> None:
        """What a tick does beside draining."""
        await self._schedules.run_due()
        if time.monotonic() - self._swept_at >= SWEEP_SECONDS:
            self._swept_at = time.monotonic()
            try:
                await self._call.queue.sweep_jobs()
            except Unavailable as error:
                self._call.out.remark(error.detail)

    async def _pause(self, running: set[asyncio.Task[DrainReport]], longest: float) -> None:
        """Until a drain or everything ends, at most so many seconds."""
        stopping = asyncio.create_task(self._stopping.wait())
        await asyncio.wait(
            [*running, stopping], timeout=longest, return_when=asyncio.FIRST_COMPLETED
        )
        stopping.cancel()

    def _report(self, reports: Sequence[DrainReport]) -> bool:
        """Says what was done; whether there was anything."""
        busy = [asdict(report) for report in reports if report.claimed]
        for report in busy:
            if self._call.out.as_json:
                self._call.out.answer(report, one_line=True)
            else:
                self._call.out.write(_sentence(report))
        sys.stdout.flush()
        return bool(busy)


def _sentence(report: dict[str, Any]) -> str:
    counted = ", ".join(f"{report[name]} {name}" for name in COUNTS if report[name])
    return f"{report['claimed']} jobs: {counted or 'none settled'}; {report['duration_seconds']:g}s"


def _log_to_stderr() -> None:
    logger = logging.getLogger("recado")
    logger.addHandler(logging.StreamHandler())
    logger.setLevel(logging.INFO)
