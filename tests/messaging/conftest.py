"""One company as its operator looks into it, and the database behind the API."""

import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import asyncpg
import httpx
import pytest

from local.stack import Stack
from tests.fixtures import Api, until
from tests.messaging.desk import Desk
from tests.tenants import Number, Project, Tenant

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Company:
    """A tenant whose webhooks are posted by the test itself, and what the database holds of it."""

    tenant: Tenant
    api: Api
    project: Project

    @property
    def id(self) -> str:
        return self.tenant.company_id

    async def post(self, number: Number, *bodies: Any) -> None:
        """Each body is taken; what becomes of it, `settled` waits for."""
        for body in bodies:
            answer = await self.api.post_webhook(number, body)
            assert answer.status_code == 200, answer.text

    async def settled(self) -> None:
        """Returns when no job of the company is due or running any more."""

        async def nothing_is_due() -> bool:
            due = {"status": "eq.pending", "run_at": "lte.now", "limit": "1", "select": "id"}
            return not await self.project.rows("queue_jobs", company_id=f"eq.{self.id}", **due)

        await until(nothing_is_due, seconds=60, what="the company's jobs done")

    async def idle(self) -> None:
        """Returns when no job of the company is running; some may wait for their turn or time."""

        async def none_is_leased() -> bool:
            leased = {"status": "eq.pending", "lease_until": "not.is.null", "select": "id"}
            return not await self.project.rows("queue_jobs", company_id=f"eq.{self.id}", **leased)

        await until(none_is_leased, seconds=60, what="the company's running jobs done")

    async def rows(self, table: str, **filters: str) -> list[Json]:
        return await self.project.rows(table, company_id=f"eq.{self.id}", **filters)

    async def message(self, id: str) -> Json:
        (row,) = await self.rows("messages", id=f"eq.{id}")
        return row

    async def events(self, number: Number) -> list[Json]:
        """Everything stored of what was posted to the number's address, oldest first."""
        (instance,) = await self.rows("instances", id=f"eq.{number.instance_id}")
        return await self.project.rows(
            "inbound_events", endpoint_id=f"eq.{instance['endpoint_id']}", order="id"
        )

    async def conversation(self, number: Number, sender: str) -> str:
        """The id of a conversation that this sender has opened by writing, a moment ago."""
        from tests.messaging import bodies

        id = bodies.new_id()
        await self.post(number, bodies.text(number, sender, id=id, at=int(time.time())))
        await self.settled()
        (message,) = await self.rows("messages", provider_message_id=f"eq.{id}")
        found: str = message["conversation_id"]
        return found

    async def make_due(self) -> None:
        """What time does: pauses of the company's numbers and jobs are over."""
        past = {"run_at": "2000-01-01T00:00:00Z"}
        await self.project.update("instances", {"cooldown_until": None}, company_id=f"eq.{self.id}")
        await self.project.update(
            "queue_jobs", past, company_id=f"eq.{self.id}", status="eq.pending"
        )
        await self.api.tick()


@pytest.fixture
def company(tenant: Tenant, api: Api, project: Project) -> Company:
    return Company(tenant, api, project)


@pytest.fixture
def connected_company(connected: Tenant, api: Api, project: Project) -> Company:
    """A company whose numbers exist at the fake WhatsApp."""
    return Company(connected, api, project)


@pytest.fixture(scope="module")
async def shop(project: Project, stack: Stack, api: Api) -> Company:
    """A company that the tests of one file share."""
    assert stack.whatsapp_url
    return Company(await project.new_tenant(stack.whatsapp_url), api, project)


@pytest.fixture
async def database(stack: Stack) -> AsyncIterator[asyncpg.Connection]:
    """The SQL editor: what no address of the API offers."""
    connection = await asyncpg.connect(stack.database_url)
    yield connection
    await connection.close()


@dataclass(frozen=True, slots=True)
class Phones:
    """The fake WhatsApp of one number: its faults, and what has reached the contacts' phones."""

    whatsapp: httpx.AsyncClient

    async def faults(self, number: Number, **faults: Any) -> None:
        answer = await self.whatsapp.post(
            f"/_fake/numbers/{number.external_id}/faults", json=faults
        )
        assert answer.status_code == 200, answer.text

    async def received(self, number: Number) -> list[Json]:
        answer = await self.whatsapp.get("/_fake/ledger", params={"number": number.external_id})
        rows: list[Json] = answer.json()
        return rows


@pytest.fixture
def phones(whatsapp: httpx.AsyncClient) -> Phones:
    return Phones(whatsapp)


@pytest.fixture
def desk(api: Api, tenant: Tenant, stack: Stack) -> Desk:
    return Desk(api, tenant, stack)
