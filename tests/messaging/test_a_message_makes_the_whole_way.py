"""The main job, end to end: a customer writes, it is seen live, the answer goes out and is read."""

from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest

from functions.realtime import topics
from functions.realtime.subscriber import Subscriber
from local.stack import Stack
from tests.fixtures import Api, until
from tests.tenants import Project, Tenant


@pytest.fixture
async def subscriber(
    connected: Tenant, stack: Stack, project: Project
) -> AsyncIterator[Subscriber]:
    """What an agent's screen is fed by."""
    agent = connected.people["agent"]

    async def token() -> str:
        return agent.token

    async def rpc(name: str, params: dict[str, Any]) -> Any:
        return await project.rpc(name, params, agent.token)

    watching = Subscriber(stack.url, stack.keys.publishable_key, token=token, rpc=rpc)
    async with watching:
        yield watching


@pytest.mark.parametrize("provider", ["evolution", "meta"])
async def test_a_customer_writes_and_reads_the_answer(
    provider: str,
    connected: Tenant,
    api: Api,
    subscriber: Subscriber,
    whatsapp: httpx.AsyncClient,
) -> None:
    number = getattr(connected, provider)
    inbox = subscriber.follow(topics.inbox(UUID(connected.company_id)))
    greeting = {"from": "5511987654321", "name": "Beatriz", "body": "Bom dia!"}
    await whatsapp.post("/_fake/inbound", json=greeting | {"number": number.external_id})

    async def arrived() -> list[Any]:
        return list(inbox.rows.values())

    (conversation,) = await until(arrived, what="the conversation in the inbox")
    assert (conversation["last_message_preview"], conversation["unread"]) == ("Bom dia!", 1)

    thread = subscriber.follow(topics.conversation(UUID(conversation["id"])))
    answer = {"id": str(uuid4()), "conversation_id": conversation["id"], "body": "Bom dia, Bia!"}
    queued = await api.send(connected.people["agent"], answer)
    assert (queued.status_code, queued.json()["status"]) == (202, "queued")

    async def read() -> bool:
        return bool(thread.rows.get(answer["id"], {}).get("status") == "read")

    await until(read, what="the answer read")
    in_order = sorted(thread.rows.values(), key=lambda row: row["seq"])
    assert [row["body"] for row in in_order] == ["Bom dia!", "Bom dia, Bia!"]
    phone = (await whatsapp.get("/_fake/ledger", params={"number": number.external_id})).json()
    assert [message["body"] for message in phone] == ["Bom dia, Bia!"]
