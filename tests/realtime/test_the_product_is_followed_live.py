"""The whole stack with the product's own migrations: what people do is seen by who may see it."""

from typing import Any
from uuid import UUID, uuid4

import pytest

from functions.realtime import topics
from functions.realtime.ledger import Ledger, Status
from functions.realtime.subscriber import Subscriber
from local.stack import Stack
from tests.realtime.following import FAST, until
from tests.realtime.phoenix import dial
from tests.tenants import Person, Project, Tenant


def subscriber(project: Project, person: Person) -> Subscriber:
    async def token() -> str:
        return person.token

    async def rpc(name: str, params: dict[str, Any]) -> Any:
        return await project.rpc(name, params, person.token)

    return Subscriber(project.url, project.publishable_key, token=token, rpc=rpc, pace=FAST)


async def send(project: Project, tenant: Tenant, body: str) -> str:
    """An agent writes to one contact; the conversation's id."""
    message = await project.rpc(
        "send_message",
        {
            "p_id": str(uuid4()),
            "p_body": body,
            "p_instance_id": tenant.evolution.instance_id,
            "p_to": "+5511987654321",
        },
        tenant.people["agent"].token,
    )
    return str(message["conversation_id"])


def bodies(ledger: Ledger) -> list[str]:
    return [str(row["body"]) for row in ledger.rows.values()]


async def test_a_viewer_sees_messages_and_inbox_as_they_change(
    project: Project, tenant: Tenant
) -> None:
    async with subscriber(project, tenant.people["viewer"]) as following:
        inbox = following.follow(topics.inbox(UUID(tenant.company_id)))
        await until(lambda: inbox.status is Status.LIVE)
        conversation = await send(project, tenant, "primeira")
        await until(lambda: conversation in inbox.rows)
        thread = following.follow(topics.conversation(UUID(conversation)))
        await send(project, tenant, "segunda")
        await until(lambda: bodies(thread) == ["primeira", "segunda"])
        await until(
            lambda: (
                inbox.rows[conversation]["last_message_preview"] == "segunda"
                and thread.status is inbox.status is Status.LIVE
            )
        )


async def test_the_followed_rows_are_those_the_api_reads(project: Project, tenant: Tenant) -> None:
    agent = tenant.people["agent"]
    conversation = await send(project, tenant, "antes")
    async with subscriber(project, agent) as following:
        thread = following.follow(topics.conversation(UUID(conversation)))
        for number in range(30):
            await send(project, tenant, f"mensagem {number}")
        await until(lambda: len(thread.rows) == 31 and thread.status is Status.LIVE)
    rows = await project.rows(
        "messages", agent.token, conversation_id=f"eq.{conversation}", order="rev"
    )
    assert thread.version == max(row["rev"] for row in rows)
    assert list(thread.rows.values()) == rows


@pytest.mark.parametrize("kind", ["inbox", "conversation"])
async def test_another_company_hears_nothing(
    project: Project, tenant: Tenant, stack: Stack, kind: str
) -> None:
    conversation = await send(project, tenant, "segredo")
    other = (await project.new_tenant(stack.whatsapp_url)).people["owner"]
    scope = {"inbox": f"inbox:{tenant.company_id}", "conversation": f"conversation:{conversation}"}
    async with dial(stack, project.publishable_key) as socket:
        answer = await socket.ask_join(f"realtime:{scope[kind]}", other.token, private=True)
        assert answer["response"]["reason"].startswith("Unauthorized: ")
        answer = await socket.ask_join(
            f"realtime:{scope[kind]}", tenant.people["viewer"].token, private=True
        )
        assert answer["status"] == "ok"


async def test_nobody_but_the_database_may_speak_on_a_scope(
    project: Project, tenant: Tenant, stack: Stack
) -> None:
    topic = f"realtime:inbox:{tenant.company_id}"
    config = {"private": True, "broadcast": {"self": True, "ack": True}}
    async with dial(stack, project.publishable_key) as socket:
        await socket.join(topic, tenant.people["owner"].token, **config)
        await socket.push(topic, "broadcast", {"event": "change", "payload": {"v": 1}})
        await socket.heartbeat()
