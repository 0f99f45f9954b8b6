"""Several API processes, one queue: receiving, sending and ticking at once on the same chats."""

import asyncio
import random
import time
from contextlib import AsyncExitStack
from typing import Any
from uuid import uuid4

import httpx

from functions.app import create_app
from functions.core.settings import Settings
from tests.fixtures import Api, serving
from tests.messaging import bodies
from tests.messaging.conftest import Company, Phones
from tests.tenants import Number

Json = dict[str, Any]

PEOPLE = [f"5511960000{n:03d}" for n in range(4)]
EACH = 10
# Within Meta's window, so that what is sent meanwhile is a reply.
AN_HOUR_AGO = int(time.time()) - 3600


def inbound(number: Number) -> list[Json]:
    return [
        bodies.text(number, who, f"de {who} {n}", at=AN_HOUR_AGO + n)
        for who in PEOPLE
        for n in range(EACH)
    ]


def outbound(number: Number) -> list[Json]:
    return [
        {
            "id": str(uuid4()),
            "instance_id": number.instance_id,
            "to": f"+{who}",
            "body": f"para {who} {n}",
        }
        for who in PEOPLE
        for n in range(EACH // 2)
    ]


async def test_everything_arrives_once_and_in_order(
    connected_company: Company, phones: Phones, settings: Settings
) -> None:
    company, agent = connected_company, connected_company.tenant.people["agent"]
    numbers = company.tenant.numbers
    for number in numbers:
        await phones.faults(number, copies=2, shuffle=True)
    received = [(number, content) for number in numbers for content in inbound(number)] * 2
    sent = [message for number in numbers for message in outbound(number)]
    chance = random.Random(7)
    async with AsyncExitStack() as running:
        apis = [company.api]
        for _ in range(2):
            url = await running.enter_async_context(serving(create_app(settings)))
            http = httpx.AsyncClient(base_url=url, timeout=60.0)
            apis.append(Api(url, await running.enter_async_context(http)))
        calls = [chance.choice(apis).post_webhook(number, content) for number, content in received]
        calls += [api.send(agent, message) for message in sent for api in apis[:2]]
        chance.shuffle(calls)
        gate = asyncio.Semaphore(12)

        async def one(call: Any) -> int:
            async with gate:
                answer: httpx.Response = await call
                return answer.status_code

        statuses = await asyncio.gather(*(one(call) for call in calls), apis[1].tick())
        assert set(statuses[:-1]) == {200, 202}
        await company.settled()

    rows = [row for row in await company.rows("messages", limit="1000") if not row["deleted_at"]]
    assert len([row for row in rows if row["direction"] == "in"]) == len(received) // 2
    assert {row["id"] for row in rows if row["direction"] == "out"} == {m["id"] for m in sent}
    for number in numbers:
        phone = [row["body"] for row in await phones.received(number)]
        assert sorted(phone) == sorted(m["body"] for m in outbound(number))
    assert await company.rows("queue_jobs", status="in.(failed,cancelled)") == []
    assert {row["state"] for row in await company.rows("inbound_events")} == {"processed"}
    await assert_conversations_are_whole(company, rows)


async def assert_conversations_are_whole(company: Company, rows: list[Json]) -> None:
    """One for each person and number, each with places and versions of its own."""
    assert len(await company.rows("contacts")) == len(PEOPLE)
    conversations = await company.rows("conversations")
    assert len(conversations) == len(PEOPLE) * 2
    for conversation in conversations:
        (version,) = await company.rows("versions", scope=f"eq.conversation:{conversation['id']}")
        own = [row for row in rows if row["conversation_id"] == conversation["id"]]
        assert len({row["seq"] for row in own}) == len(own)
        assert max(row["rev"] for row in own) <= version["version"]
        assert conversation["unread"] == EACH
