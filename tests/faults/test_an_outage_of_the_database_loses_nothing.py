"""Postgres goes away and comes back, by a restart or by SIGKILL, while messages flow."""

import asyncio
import contextlib
import itertools
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest

from tests.faults.follower import following
from tests.faults.proof import Outcome, prove
from tests.faults.site import Site, deployed
from tests.faults.traffic import Traffic
from tests.fixtures import Api, until
from tests.tenants import Person, Tenant

# Enough is said for an outage to meet every step of the way.
PACE_SECONDS = 0.05


@dataclass(slots=True)
class Reader:
    """Asks for the inbox all the time; the lists by their ETags, and the refusals."""

    api: Api
    person: Person
    seen: dict[str, Any] = field(default_factory=dict)
    versions: list[int] = field(default_factory=list)
    epochs: set[str] = field(default_factory=set)
    refusals: int = 0

    async def read(self, over: asyncio.Event) -> None:
        while not over.is_set():
            answer = await self.api.get("/api/conversations", self.person)
            if answer.status_code == 503:
                self.refusals += 1
                continue
            assert answer.status_code == 200, answer.text
            etag = answer.headers["etag"]
            epoch, _, version = etag.strip('"').partition(".")
            self.epochs.add(epoch)
            self.versions.append(int(version))
            assert self.seen.setdefault(etag, answer.json()) == answer.json(), "one ETag, two lists"


async def agents_write(traffic: Traffic, over: asyncio.Event) -> None:
    for place in itertools.cycle(range(6)):
        number = traffic.tenant.numbers[place % 2]
        await traffic.say(number, traffic.contact(number, place))
        if await happens(over):
            return


async def customers_write(traffic: Traffic, over: asyncio.Event) -> None:
    """Whatever happens to us: WhatsApp does not wait."""
    for place in itertools.cycle(range(6)):
        number = traffic.tenant.numbers[place % 2]
        await traffic.hear(number, traffic.contact(number, place))
        if await happens(over):
            return


async def ticks_come(site: Site, over: asyncio.Event) -> None:
    while not await happens(over):
        await site.drain(10)


async def happens(over: asyncio.Event) -> bool:
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(over.wait(), PACE_SECONDS)
    return over.is_set()


@pytest.mark.parametrize("outage", [Site.restart_postgres, Site.kill_postgres])
async def test_messages_flow_through_an_outage(
    outage: Callable[[Site], Awaitable[None]], site: Site
) -> None:
    tenant = await site.project.new_tenant(site.stack.whatsapp_url)
    async with deployed(site.through(site.stack.url, inbound_drain_seconds=10.0)) as api:
        await site.connect(tenant, api)
        traffic, over = Traffic(site, tenant, api), asyncio.Event()
        reader = Reader(api, tenant.people["viewer"])
        async with following(site, tenant) as follower:
            talking = asyncio.gather(
                agents_write(traffic, over),
                customers_write(traffic, over),
                ticks_come(site, over),
                reader.read(over),
            )

            async def flows_beyond(version: int) -> bool:
                if talking.done():
                    talking.result()
                return bool(reader.versions) and reader.versions[-1] >= version

            await until(lambda: flows_beyond(20), what="messages flow")
            await outage(site)
            head = reader.versions[-1]
            await until(lambda: flows_beyond(head + 20), what="messages flow again")
            over.set()
            await talking
            await site.settle(tenant)
            await follower.until_equal()
        await prove(traffic)
        await _webhooks_were_refused_and_came_again(site, tenant)
        assert reader.refusals > 0
        assert len(reader.epochs) == 1
        assert reader.versions == sorted(reader.versions)


async def _webhooks_were_refused_and_came_again(site: Site, tenant: Tenant) -> None:
    answer = await site.whatsapp.get("/_fake/deliveries")
    numbers = {number.external_id for number in tenant.numbers}
    ours = [each for each in answer.json()["deliveries"] if each["number"] in numbers]
    assert any(503 in each["statuses"] for each in ours)
    assert [each for each in ours if not each["done"]] == []


async def test_a_drain_remembers_through_an_outage_what_the_provider_said(
    site: Site, traffic: Traffic
) -> None:
    """The answers come while nobody can write them down; they are written down afterwards."""
    for number in traffic.tenant.numbers:
        await site.set_faults(
            number.external_id, delay_seconds=0.5, drop_echoes=True, drop_statuses=True
        )
    await traffic.say_much(traffic.tenant.numbers, contacts=3, each=1)
    draining = asyncio.create_task(site.drain(20))

    async def called() -> bool:
        return (await Outcome.read(traffic)).statuses() == {"sending": 6}

    await until(called, what="the provider called for all")
    await site.stack.postgres.stop()
    await site.quiet_phones(traffic.tenant)
    await site.stack.postgres.__aenter__()
    report = await draining
    assert (report.completed, report.stale, report.drained) == (6, 0, True)
    outcome = await prove(traffic)
    assert outcome.statuses() == {"accepted": 6}


async def test_a_drain_that_finds_no_database_ends_within_its_budget(
    site: Site, traffic: Traffic
) -> None:
    await traffic.say_much(traffic.tenant.numbers, contacts=1, each=1)
    await site.stack.postgres.stop()
    try:
        report = await asyncio.wait_for(site.drain(1.5), 10)
        answer = await traffic.api.http.get("/api/health")
    finally:
        await site.stack.postgres.__aenter__()
    assert (report.claimed, report.drained) == (0, False)
    assert answer.status_code == httpx.codes.SERVICE_UNAVAILABLE
    await site.settle(traffic.tenant)
    outcome = await prove(traffic)
    assert outcome.statuses() == {"read": 2}
