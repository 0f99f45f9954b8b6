"""The work of the chaos: jobs of few keys, each with a number, queued once whatever breaks."""

import asyncio
import json
import random
from dataclasses import dataclass
from typing import Any

import asyncpg

from tests.faults.site import Site

BACKLOG = 600
AWAY = (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError)
# A connection that Postgres was killed under may never say so.
ANSWERS_SECONDS = 5.0
LEFT = "select id from queue_jobs where queue = any ($1) and completed_at is null"
THERE = "select data from queue_jobs where queue = any ($1)"


@dataclass(slots=True)
class Feed:
    """`asked` jobs so far, in two queues: one for effects at a provider, one for the database's."""

    site: Site
    chance: random.Random
    queues: list[str]
    asked: int = 0
    over: bool = False

    def new_job(self) -> dict[str, Any]:
        sends = self.chance.random() < 0.4
        job: dict[str, Any] = {
            "type": "chaos.send" if sends else "chaos.count",
            "queue": self.queues[sends],
            "data": {"n": self.asked},
            "priority": self.chance.choice([0, 5, 9]),
            "max_attempts": 1000,
        }
        if self.chance.random() < 0.8:
            job["order_key"] = f"k{self.chance.randrange(60)}"
        if self.chance.random() < 0.5:
            job["limit_key"] = f"{self.queues[0]}-{self.chance.randrange(3)}"
        self.asked += 1
        return job

    async def run(self) -> None:
        """Keeps a backlog. Where an answer is lost, it looks which jobs are there."""
        while not self.over:
            if len(await self.until_answered(LEFT)) < BACKLOG:
                await self.enqueue([self.new_job() for _ in range(100)])
            await asyncio.sleep(0.1)

    async def enqueue(self, jobs: list[dict[str, Any]]) -> None:
        while jobs:
            try:
                async with asyncio.timeout(ANSWERS_SECONDS):
                    await self.site.look("select public.enqueue_jobs($1)", json.dumps(jobs))
                    return
            except AWAY:
                await asyncio.sleep(0.3)
            rows = await self.until_answered(THERE)
            there = {json.loads(row["data"])["n"] for row in rows}
            jobs = [job for job in jobs if job["data"]["n"] not in there]

    async def until_answered(self, query: str) -> list[dict[str, Any]]:
        while True:
            try:
                async with asyncio.timeout(ANSWERS_SECONDS):
                    return await self.site.look(query, self.queues)
            except AWAY:
                await asyncio.sleep(0.3)
