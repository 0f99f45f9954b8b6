"""The main job, end to end: a customer writes, it is seen live, the answer goes out and is read."""

from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest

from functions.realtime import topics
from functions.realtime.subscriber import Subscriber
from local.stack import Stack
from tests.fixtures import Api, until
from tests.tenants import Project, Tenant


@pytest.mark.parametrize("provider", ["evolution", "meta"])
async def test_a_customer_writes_and_reads_the_answer(
    provider: str,
    connected: Tenant,
    api: Api,
    project: Project,
    stack: Stack,
    whatsapp: httpx.AsyncClient,
) -> None:
    number = getattr(connected, provider)
    agent = connected.people["agent"]

    async def token() -> str:
        return agent.token

    async def rpc(name: str, params: dict[str, Any]) -> Any:
        return await project.rpc(name, params, agent.token)

    seen: dict[str, Any] = {}
    subscriber = Subscriber(stack.url, stack.keys.publishable_key, token=token, rpc=rpc)
    inbox = subscriber.follow(topics.inbox(UUID(connected.company_id)))
    async with subscriber:
        await whatsapp.post(
            "/_fake/inbound",
            json={
                "number": number.external_id,
                "from": "5511987654321",
                "name": "Beatriz",
                "body": "Bom dia!",
            },
        )

        async def arrived() -> Any:
            return list(inbox.rows.values())

        (conversation,) = await until(arrived, what="the conversation in the inbox")
        assert conversation["last_message_preview"] == "Bom dia!"
        assert conversation["unread"] == 1

        ledger = subscriber.follow(topics.conversation(UUID(conversation["id"])))
        answer_id = str(uuid4())
        answer = await api.send(
            agent, {"id": answer_id, "conversation_id": conversation["id"], "body": "Bom dia, Bia!"}
        )
        assert answer.status_code == 202, answer.text
        assert answer.json()["status"] == "queued"

        async def read() -> Any:
            seen.update(ledger.rows)
            return seen.get(answer_id, {}).get("status") == "read"

        await until(read, what="the answer read")

    assert [row["body"] for row in sorted(seen.values(), key=lambda row: row["seq"])] == [
        "Bom dia!",
        "Bom dia, Bia!",
    ]
    phone = (await whatsapp.get("/_fake/ledger", params={"number": number.external_id})).json()
    assert [message["body"] for message in phone] == ["Bom dia, Bia!"]
