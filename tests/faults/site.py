"""A project of these tests' own: they break its database, and end leases as time would."""

import asyncio
import contextlib
import os
import signal
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from typing import Any

import asyncpg
import httpx

from functions.app import create_app, create_runner
from functions.core.db import Database
from functions.core.http import HttpClient
from functions.core.settings import Settings
from functions.jobs.models import DrainReport
from local.stack import Stack
from tests.faults.history import log
from tests.fixtures import CRON_SECRET, Api, serving
from tests.tenants import CREDENTIALS_KEY, Project, Tenant

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Site:
    stack: Stack
    project: Project
    whatsapp: httpx.AsyncClient
    settings: Settings

    def through(self, url: str, **changes: Any) -> Settings:
        """Settings of a deployment that reaches the project at `url`."""
        return replace(self.settings, supabase_url=url, **changes)

    async def look(self, query: str, *arguments: Any) -> list[Json]:
        """Rows, as a superuser sees them."""
        connection = await asyncpg.connect(self.stack.database_url)
        try:
            return [dict(row) for row in await connection.fetch(query, *arguments)]
        finally:
            await connection.close()

    async def connect(self, tenant: Tenant, api: Api, **faults: Any) -> None:
        """The tenant's numbers at the fake WhatsApp, their webhooks to `api`."""
        for number in tenant.numbers:
            answer = await self.whatsapp.post("/_fake/numbers", json=number.registration(api.url))
            assert answer.status_code == 201, answer.text
            if faults:
                await self.set_faults(number.external_id, **faults)

    async def set_faults(self, external_id: str, **faults: Any) -> None:
        answer = await self.whatsapp.post(f"/_fake/numbers/{external_id}/faults", json=faults)
        assert answer.status_code == 200, answer.text

    async def drain(
        self, budget_seconds: float = 20.0, *, queues: list[str] | None = None, url: str = ""
    ) -> DrainReport:
        """A drain in this process; without faults, unless they are at `url`."""
        settings, http = self.through(url or self.stack.url), HttpClient()
        try:
            runner = create_runner(settings, Database(settings, http), http)
            return await runner.drain(budget_seconds, queues)
        finally:
            await http.close()

    async def end_leases(self) -> None:
        """What a minute does: leases of workers that died have run out, pauses are over."""
        await self.look(
            "update instances set cooldown_until = null where cooldown_until is not null"
        )
        ended = await self.look(
            "update queue_jobs set run_at = least(run_at, now()), "
            "lease_until = least(lease_until, now() - interval '1 second') "
            "where completed_at is null and (lease_until > now() or run_at > now()) "
            "returning id, type, claims, attempts"
        )
        log.info("leases and pauses end: %s", [(job["id"], job["type"]) for job in ended])

    async def quiet_phones(self, tenant: Tenant) -> None:
        """Calls that the fake was given are done; a minute is longer than they take."""
        for number in tenant.numbers:
            # Any path with the number in it waits as long as those that came before.
            await self.whatsapp.get(f"/barrier/{number.external_id}")

    async def quiet(self, tenant: Tenant) -> None:
        """Nothing is under way at the fake: calls are done, webhooks answered."""
        await self.quiet_phones(tenant)
        async with asyncio.timeout(30):
            while (await self.whatsapp.get("/_fake/deliveries")).json()["pending"]:
                await asyncio.sleep(0.02)

    async def settle(self, tenant: Tenant) -> None:
        """Everything that is due is done, and what follows from it too."""
        for _ in range(40):
            await self.quiet(tenant)
            await self.drain()
            await self.quiet(tenant)
            left = await self.look(
                "select id, type, attempts, lease_until, run_at, error from queue_jobs "
                "where completed_at is null"
            )
            if not left:
                return
            await self.end_leases()
        raise AssertionError(f"jobs that never end: {left}")

    async def restart_postgres(self) -> None:
        """A fast shutdown and a start: what an upgrade of the project does."""
        log.info("Postgres stops")
        await self.stack.postgres.stop()
        await self.stack.postgres.__aenter__()
        log.info("Postgres is back")

    async def kill_postgres(self) -> None:
        """SIGKILL to the postmaster; the next start recovers from the log."""
        pid = int((self.stack.postgres.data / "postmaster.pid").read_text().split()[0])
        os.kill(pid, signal.SIGKILL)
        log.info("Postgres is killed")
        await self.stack.postgres.stop()
        await self.stack.postgres.__aenter__()
        log.info("Postgres is back")


@contextlib.asynccontextmanager
async def deployed(settings: Settings) -> AsyncIterator[Api]:
    """An API of its own with these settings, on a free port."""
    async with (
        serving(create_app(settings)) as url,
        httpx.AsyncClient(base_url=url, timeout=60.0) as http,
    ):
        yield Api(url, http)


def settings_of(stack: Stack) -> Settings:
    """The stack's, without work after the answer: tests say who works."""
    return Settings(
        supabase_url=stack.url,
        secret_key=stack.keys.secret_key,
        publishable_key=stack.keys.publishable_key,
        cron_secret=CRON_SECRET,
        credentials_key=CREDENTIALS_KEY,
        allow_private_servers=True,
        queue_budget_seconds=20.0,
        inbound_drain_seconds=0.0,
    )
