"""A client that watches a company's inbox and every conversation in it, whatever happens."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

from functions.realtime import topics
from functions.realtime.ledger import Status
from functions.realtime.subscriber import Subscriber
from tests.faults.site import Site
from tests.faults.versions import TABLES
from tests.fixtures import until
from tests.realtime.following import FAST
from tests.tenants import Tenant


class Follower:
    """`told` is what a screen shows that knows nothing but the changes it was given."""

    def __init__(self, site: Site, tenant: Tenant, subscriber: Subscriber) -> None:
        self._site = site
        self._tenant = tenant
        self._subscriber = subscriber
        self.told: dict[str, dict[str, int]] = {}

    @property
    def inbox(self) -> str:
        return topics.inbox(UUID(self._tenant.company_id))

    async def read(self) -> None:
        self._subscriber.follow(self.inbox)
        async for change in self._subscriber.changes():
            rows = self.told.setdefault(change.scope, {})
            if change.reset:
                rows.clear()
            for row in change.rows:
                rows[row["id"]] = row["rev"]
                if change.scope == self.inbox:
                    self._subscriber.follow(topics.conversation(UUID(row["id"])))

    async def until_equal(self) -> None:
        """Every scope of the company is live, and shows the rows of the database."""
        scopes = await self._site.look(
            "select scope from versions where company_id = $1::text::uuid", self._tenant.company_id
        )
        for (scope,) in (row.values() for row in scopes):
            kind, _, id = str(scope).partition(":")
            rows = await self._site.look(TABLES[kind], id)
            truth = {row["id"]: row["rev"] for row in rows}
            await until(lambda s=scope, t=truth: self._shows(s, t), what=f"{scope} as {truth}")  # type: ignore[misc]

    async def _shows(self, scope: str, truth: dict[str, int]) -> bool:
        with contextlib.suppress(KeyError):
            ledger = self._subscriber.ledger(scope)
            held = {id: int(row["rev"]) for id, row in ledger.rows.items()}
            return ledger.status is Status.LIVE and held == truth == self.told.get(scope, {})
        return False


@contextlib.asynccontextmanager
async def following(site: Site, tenant: Tenant) -> AsyncIterator[Follower]:
    """A running follower, with an agent's eyes."""
    agent = tenant.people["agent"]

    async def token() -> str:
        return agent.token

    async def rpc(name: str, params: dict[str, Any]) -> Any:
        return await site.project.rpc(name, params, agent.token)

    key = site.settings.publishable_key
    async with Subscriber(site.stack.url, key, token=token, rpc=rpc, pace=FAST) as subscriber:
        follower = Follower(site, tenant, subscriber)
        reading = asyncio.create_task(follower.read())
        try:
            yield follower
        finally:
            reading.cancel()
