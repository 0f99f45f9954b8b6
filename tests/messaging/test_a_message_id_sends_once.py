"""POST /api/messages: the id makes a call repeatable; nothing is sent twice or mixed up."""

import asyncio
from typing import Any
from uuid import uuid4

import pytest

from tests.fixtures import until
from tests.messaging.conftest import Company, Phones
from tests.tenants import Number

Json = dict[str, Any]


def to_phone(number: Number, phone: str, **more: Any) -> Json:
    return {"id": str(uuid4()), "instance_id": number.instance_id, "to": phone, "body": "oi"} | more


async def sent(company: Company, message: Json) -> Json:
    """The message after it was taken and has left."""
    answer = await company.api.send(company.tenant.people["agent"], message)
    assert answer.status_code == 202, answer.text

    async def has_left() -> Any:
        row = await company.message(message["id"])
        return row if row["status"] not in ("queued", "sending") else None

    row: Json = await until(has_left, what="the message sent")
    return row


@pytest.mark.parametrize("provider", ["evolution", "meta"])
async def test_thirty_calls_at_once_send_once(
    provider: str, connected_company: Company, phones: Phones
) -> None:
    company = connected_company
    number: Number = getattr(company.tenant, provider)
    message = to_phone(number, "+5511987654321")
    agent = company.tenant.people["agent"]
    answers = await asyncio.gather(*(company.api.send(agent, message) for _ in range(30)))
    assert {answer.status_code for answer in answers} == {202}
    assert {answer.json()["id"] for answer in answers} == {message["id"]}
    await company.settled()
    again = await company.api.send(agent, message)
    assert again.status_code == 202
    assert again.json()["status"] in ("accepted", "sent", "delivered", "read")
    await company.settled()
    assert len(await phones.received(number)) == 1
    assert len(await company.rows("messages")) == 1
    assert len(await company.rows("send_attempts")) == 1
    assert len(await company.rows("contacts")) == 1


MEDIA = {"url": "https://example.com/a.png"}
TEMPLATE = {"name": "ola", "language": "pt_BR"}


async def test_another_content_under_the_same_id_is_refused(connected_company: Company) -> None:
    company = connected_company
    agent = company.tenant.people["agent"]
    first, other = company.tenant.meta, company.tenant.evolution
    image = to_phone(first, "+5511987654321", type="image", media=MEDIA)
    template = to_phone(first, "+5511987654321", type="template", template=TEMPLATE, body=None)
    changes: list[tuple[Json, Json]] = [
        (image, {"body": "tchau"}),
        (image, {"body": None}),
        (image, {"media": {"url": "https://example.com/b.png"}}),
        (image, {"media": MEDIA | {"mime_type": "image/png"}}),
        (image, {"type": "video"}),
        (image, {"to": "+5511987654322"}),
        (image, {"instance_id": other.instance_id}),
        (image, {"reply_to": "wamid.x"}),
        (template, {"template": TEMPLATE | {"language": "en"}}),
    ]
    for message in (image, template):
        assert (await company.api.send(agent, message)).status_code == 202
    for message, change in changes:
        answer = await company.api.send(agent, message | change)
        assert (answer.status_code, answer.json()["code"]) == (409, "message_id_reused"), change
    for message in (image, template):
        assert (await company.api.send(agent, message)).status_code == 202
    await company.settled()
    assert len(await company.rows("messages")) == 2


async def test_an_id_of_another_company_is_taken(
    connected_company: Company, company: Company
) -> None:
    message = to_phone(connected_company.tenant.meta, "+5511987654321", body="segredo")
    await sent(connected_company, message)
    stranger = await connected_company.project.new_tenant("http://127.0.0.1:9")
    answer = await company.api.send(
        stranger.people["agent"], message | {"instance_id": stranger.meta.instance_id}
    )
    assert (answer.status_code, answer.json()["code"]) == (409, "message_id_reused")
    assert "segredo" not in answer.text


@pytest.mark.parametrize("provider", ["evolution", "meta"])
async def test_every_form_of_a_phone_leads_to_one_conversation(
    provider: str, connected_company: Company, phones: Phones
) -> None:
    company = connected_company
    number: Number = getattr(company.tenant, provider)
    known = await company.conversation(number, "553187654321")
    forms = ("+5531987654321", "553187654321", "+55 (31) 98765-4321", "5531987654321")
    for form in forms:
        row = await sent(company, to_phone(number, form))
        assert row["conversation_id"] == known
    await company.settled()
    assert len(await company.rows("contacts")) == 1
    received = await phones.received(number)
    assert [row["to"] for row in received] == ["553187654321"] * 4


async def test_a_new_phone_opens_a_conversation_that_the_answer_joins(
    connected_company: Company,
) -> None:
    company = connected_company
    number = company.tenant.meta
    row = await sent(company, to_phone(number, "+5531987654321"))
    assert await company.conversation(number, "553187654321") == row["conversation_id"]
    (contact,) = await company.rows("contacts")
    assert contact["name"] == "Ana"


async def test_a_row_inserted_by_a_member_is_sent_too(
    connected_company: Company, phones: Phones
) -> None:
    company = connected_company
    number = company.tenant.meta
    conversation = await company.conversation(number, "5511987654321")
    agent = company.tenant.people["agent"]
    row = {"company_id": company.id, "conversation_id": conversation, "body": "direto"}
    answer = await company.project.http.post(
        f"{company.project.url}/rest/v1/messages",
        json=row,
        headers=company.project.headers(agent.token),
    )
    assert answer.status_code == 201, answer.text
    await company.api.tick()
    await company.settled()
    assert [received["body"] for received in await phones.received(number)] == ["direto"]
    (message,) = await company.rows("messages", direction="eq.out")
    assert (message["created_by"], message["origin"]) == (agent.id, "agent")
