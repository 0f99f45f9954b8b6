"""Chaos: workers that die at every step and at any moment, outages, a provider with bad moods.

    make chaos                       a minute, any seed
    make chaos SECONDS=300 SEED=7    the same dice; what falls between them is the machine's

Prints what happened and what was checked; exit code 1 where something is lost, doubled or early.
"""

import asyncio
import itertools
import os
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import asyncpg
import httpx

from local.stack import Stack
from tests.faults.chaos_feed import LEFT, Feed
from tests.faults.chaos_proof import Lost, Report, prove
from tests.faults.chaos_provider import BOOK, Hold, Mood, Provider
from tests.faults.chaos_provider import Place as ProviderPlace
from tests.faults.proxy import Place, Proxy
from tests.faults.site import Site, settings_of
from tests.faults.workers import Workers
from tests.fixtures import serving
from tests.tenants import Project

WORKERS = 4
LEASE_SECONDS = 3
MOODS: list[Mood] = ["well", "well", "failing", "slow", "limiting", "hanging"]
STEP_SECONDS = 3.0


@dataclass(frozen=True, slots=True)
class Step:
    """A step of a worker, as the call at which it stands still and dies."""

    name: str
    function: str
    place: Place

    def is_of(self, worker: str, params: Any) -> bool:
        idle = self.function == "exchange_jobs" and self.place == "request"
        return params["p_worker"] == worker and not (idle and not params["p_results"])


STEPS = [
    Step("claimed and never told so", "exchange_jobs", "answer"),
    Step("claimed and not begun", "begin_effect", "request"),
    Step("begun and not called", "begin_effect", "answer"),
    Step("called and not recorded", "record_effect", "request"),
    Step("recorded and never told so", "record_effect", "answer"),
    Step("counted and never told so", "add_counts", "answer"),
    Step("done and not settled", "exchange_jobs", "request"),
]
CALLS: list[ProviderPlace] = ["before the effect", "after the effect"]


@dataclass(slots=True)
class Chaos:
    site: Site
    proxy: Proxy
    workers: Workers
    provider: Provider
    provider_url: str
    chance: random.Random
    report: Report
    feed: Feed
    names: dict[str, int] = field(default_factory=dict)
    """The workers that live, and their pids."""
    lost: list[Lost] = field(default_factory=list)
    outages: list[tuple[datetime, datetime]] = field(default_factory=list)
    kills: "Counter[str]" = field(default_factory=Counter)
    count: "itertools.count[int]" = field(default_factory=itertools.count)
    began: float = field(default_factory=time.monotonic)

    @property
    def seconds(self) -> float:
        return time.monotonic() - self.began

    def note(self, what: str) -> None:
        self.report.lines.append(f"{self.seconds:7.1f} s  {what}")

    async def start_worker(self) -> None:
        name = f"w{next(self.count)}"
        self.names[name] = await self.workers.start(
            self.site.through(self.proxy.url),
            batch=self.chance.randint(5, 60),
            name=name,
            provider=self.provider_url,
            lease_seconds=LEASE_SECONDS,
            queues=self.feed.queues,
        )

    # Trouble ----------------------------------------------------------------------------------

    async def kill(self, name: str, where: str) -> None:
        await self.workers.kill(self.names.pop(name))
        held = await self.site.look(
            "select id, claims, lease_until from queue_jobs "
            "where worker = $1 and completed_at is null and lease_until > now()",
            name,
        )
        now = datetime.now(UTC)
        self.lost += [Lost(job["id"], job["claims"], now, job["lease_until"]) for job in held]
        self.kills[where] += 1
        self.note(f"{name} is killed {where}, holding {len(held)} jobs")
        await self.start_worker()

    async def kill_at_any_moment(self) -> None:
        await asyncio.sleep(self.chance.random() * 0.5)
        await self.kill(self.chance.choice([*self.names]), "at any moment")

    async def kill_at_a_step(self) -> None:
        name, step = self.chance.choice([*self.names]), self.chance.choice(STEPS)
        fault = self.proxy.hold(step.function, step.place, lambda p: step.is_of(name, p))
        met = await self.comes(fault.has(1))
        await self.kill(name, step.name if met else "at any moment")
        fault.lift()

    async def kill_at_a_call(self) -> None:
        name, place = self.chance.choice([*self.names]), self.chance.choice(CALLS)
        hold = self.provider.hold = Hold(name, place)
        met = await self.comes(hold.has)
        await self.kill(name, f"called, {place}" if met else "at any moment")
        hold.lift()

    async def comes(self, condition: Any) -> bool:
        """Whether a worker gets there; it may have nothing of the kind to do."""
        for _ in range(int(STEP_SECONDS / 0.02)):
            if await condition():
                return True
            await asyncio.sleep(0.02)
        return False

    async def cut_an_answer(self) -> None:
        step, times = self.chance.choice(STEPS), self.chance.choice([1, 2])
        self.proxy.cut(step.function, step.place, times)
        self.note(f"the next {step.place} of {step.function} is lost, {times} times")

    async def change_mood(self) -> None:
        self.provider.mood = self.chance.choice(MOODS)
        self.note(f"the provider is {self.provider.mood}")

    async def break_postgres(self) -> None:
        begin = datetime.now(UTC)
        if self.chance.random() < 0.5:
            await self.site.restart_postgres()
            self.note("Postgres was restarted")
        else:
            await self.site.kill_postgres()
            self.note("Postgres was killed, and is back")
        # The gateway's connections need a moment, too.
        self.outages.append((begin, datetime.now(UTC)))

    async def run(self, seconds: float) -> None:
        trouble = [
            *[self.kill_at_any_moment] * 2,
            *[self.kill_at_a_step] * 5,
            *[self.kill_at_a_call] * 2,
            *[self.cut_an_answer] * 2,
            *[self.change_mood] * 3,
        ]
        for _ in range(WORKERS):
            await self.start_worker()
        feeding = asyncio.create_task(self.feed.run())
        outages = 1
        while self.seconds < seconds:
            await self.chance.choice(trouble)()
            if self.seconds > outages * max(10.0, seconds / 10):
                await self.break_postgres()
                outages += 1
        self.feed.over = True
        await feeding
        self.provider.mood = "well"
        self.note(f"no more trouble, {self.feed.asked} jobs asked for")
        await self.finish()

    async def finish(self) -> None:
        for _ in range(600):
            if not await self.feed.until_answered(LEFT):
                self.note("every job has ended")
                return
            await asyncio.sleep(0.1)
        self.note("jobs are left")


async def chaos(site: Site, seconds: float, seed: int) -> Report:
    """Runs for about so long, and as long as the jobs take after that; what it found."""
    report = Report(lines=[f"chaos of {seconds:g} s, seed {seed}, leases of {LEASE_SECONDS} s"])
    chance = random.Random(seed)
    provider = Provider(chance)
    await write_book(site)
    feed = Feed(site, chance, [f"chaos-{uuid4().hex[:6]}" for _ in range(2)])
    for name in feed.queues:
        await site.look("insert into queues (name) values ($1)", name)
    async with (
        serving(provider.app()) as url,
        Proxy(site.stack.url) as proxy,
        Workers("tests.faults.chaos_worker") as workers,
    ):
        run = Chaos(site, proxy, workers, provider, url, chance, report, feed)
        await run.run(seconds)
        await workers.kill_all()
        await prove(
            site,
            provider,
            report,
            queues=feed.queues,
            asked=feed.asked,
            lost=run.lost,
            outages=run.outages,
        )
    report.checked.append(f"kills: {dict(run.kills)}; outages of Postgres: {len(run.outages)}")
    report.checked.append(f"answers of the provider: {dict(sorted(provider.answers.items()))}")
    return report


async def write_book(site: Site) -> None:
    connection = await asyncpg.connect(site.stack.database_url)
    await connection.execute(BOOK)
    await connection.close()


@asynccontextmanager
async def own_site() -> AsyncIterator[Site]:
    with tempfile.TemporaryDirectory(prefix="recado-chaos-", ignore_cleanup_errors=True) as folder:
        async with Stack(Path(folder)) as stack, httpx.AsyncClient(timeout=30.0) as http:
            project = Project(http, stack.url, stack.keys.secret_key, stack.keys.publishable_key)
            yield Site(stack, project, http, settings_of(stack))


async def main() -> int:
    seconds = float(os.environ.get("SECONDS") or 60)
    seed = int(os.environ.get("SEED") or random.randrange(1_000_000))
    async with own_site() as site:
        report = await chaos(site, seconds, seed)
    sys.stdout.write(f"{report}\n")
    return 1 if report.faults else 0


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
