"""Whatever WhatsApp shows can be sent, and what a provider has not fails with that reason."""

from typing import Any
from uuid import uuid4

import httpx
import pytest

from tests.fixtures import until
from tests.messaging import bodies
from tests.messaging.conftest import Company, Phones
from tests.messaging.test_provider_faults_end_in_the_right_status import becomes, number, send
from tests.tenants import Number

__all__ = ["number"]

Json = dict[str, Any]

ANA = "5511987654321"
FILE = {"url": "https://files.test/a", "mime_type": "image/webp"}
REPLY = {"type": "reply", "reply": {"id": "1", "title": "Sim"}}
PLACE = {"latitude": -23.56, "longitude": -46.65, "name": "Masp", "address": "Av. Paulista"}
CARD = {"name": {"formatted_name": "Bia", "first_name": "Bia"}, "phones": [{"phone": "+551188"}]}

TYPES: dict[str, Json] = {
    "text": {"body": "oi"},
    "image": {"media": FILE, "body": "legenda"},
    "audio": {"media": {"url": "https://files.test/a", "voice": True}, "body": None},
    "video": {"media": FILE},
    "document": {"media": FILE | {"file_name": "nota.pdf"}},
    "sticker": {"media": FILE, "body": None},
    "location": {"content": PLACE, "body": None},
    "contacts": {"content": {"contacts": [CARD]}, "body": None},
    "interactive": {
        "content": {
            "type": "button",
            "body": {"text": "Quer?"},
            "action": {"buttons": [REPLY]},
        },
        "body": None,
    },
    "template": {"template": {"name": "aviso", "language": "pt_BR"}, "body": None},
}


@pytest.mark.parametrize("type", TYPES)
async def test_it_reaches_the_phone_as_what_it_is(
    type: str, connected_company: Company, number: Number, phones: Phones
) -> None:
    id = await send(connected_company, number, type=type, **TYPES[type])
    await becomes(connected_company, id, "read")
    (shown,) = await phones.received(number)
    own_name = {"interactive": "buttons"} if number.provider == "evolution" else {}
    assert shown["type"] == own_name.get(type, type)


async def test_a_poll_is_for_evolution_alone(
    connected_company: Company, number: Number, phones: Phones
) -> None:
    poll = {"name": "Quando?", "options": ["hoje", "amanhã"], "selectable": 1}
    id = await send(connected_company, number, type="poll", content=poll, body=None)
    row = await becomes(connected_company, id, "read", "failed")
    if number.provider == "evolution":
        assert [shown["body"] for shown in await phones.received(number)] == ["Quando?"]
    else:
        assert (row["status"], row["error_code"]) == ("failed", "unsupported")


async def test_a_file_left_with_meta_is_sent_by_its_id(
    connected_company: Company, phones: Phones
) -> None:
    meta = connected_company.tenant.meta
    id = await send(connected_company, meta, type="image", media={"id": "404"}, body=None)
    row = await becomes(connected_company, id, "failed")
    assert row["error_code"] == "100", "the fake has no such file"


async def inbox(whatsapp: httpx.AsyncClient, number: Number) -> list[Json]:
    answer = await whatsapp.get("/_fake/inbox", params={"number": number.external_id})
    rows: list[Json] = answer.json()
    return rows


async def hear(company: Company, whatsapp: httpx.AsyncClient, number: Number, count: int) -> str:
    """The contact writes so often; the id of the last message."""
    id = ""

    async def has_come() -> bool:
        return bool(await company.rows("messages", provider_message_id=f"eq.{id}"))

    for n in range(count):
        message = {"number": number.external_id, "from": ANA, "body": f"oi {n}"}
        id = (await whatsapp.post("/_fake/inbound", json=message)).json()["id"]
        await until(has_come, what=f"message {n} in")
    return id


async def test_an_answer_quotes_and_a_reaction_is_on_what_the_contact_said(
    connected_company: Company, number: Number, phones: Phones, whatsapp: httpx.AsyncClient
) -> None:
    company = connected_company
    target = await hear(company, whatsapp, number, 1)
    (heard,) = await company.rows("messages", direction="eq.in")
    agent = company.tenant.people["agent"]
    to = {"conversation_id": heard["conversation_id"]}
    for message in (
        {"id": str(uuid4()), "body": "eu também", "reply_to": target, **to},
        {"id": str(uuid4()), "type": "reaction", "body": "👍", "target": target, **to},
    ):
        answer = await company.api.send(agent, message)
        assert answer.status_code == 202, answer.text
        await becomes(company, message["id"], "accepted", "sent", "delivered", "read")
    assert (await phones.received(number))[0]["reply_to"] == target
    assert [row["reaction"] for row in await inbox(whatsapp, number)] == ["👍"]


async def test_a_reaction_on_our_own_message_says_that_it_is_ours(
    connected_company: Company, database: Any
) -> None:
    company, evolution = connected_company, connected_company.tenant.evolution
    said = await becomes(company, await send(company, evolution), "read")
    reaction = {"type": "reaction", "body": "👍", "target": said["provider_message_id"]}
    id = await send(company, evolution, **reaction)
    order = await database.fetchval(
        "select private.send_order(message, 1) from messages as message where id = $1::text::uuid",
        id,
    )
    assert '"target_ours" : true' in order


async def test_the_contact_sees_that_it_was_read(
    connected_company: Company, number: Number, whatsapp: httpx.AsyncClient
) -> None:
    company = connected_company
    await hear(company, whatsapp, number, 3)
    assert [row["read"] for row in await inbox(whatsapp, number)] == [False] * 3
    (conversation,) = await company.rows("conversations")
    await company.project.update("conversations", {"unread": 0}, id=f"eq.{conversation['id']}")
    await company.api.tick()
    assert [row["read"] for row in await inbox(whatsapp, number)] == [True] * 3


INVALID: dict[str, tuple[Json, str]] = {
    "two files": ({"type": "image", "media": {"url": "https://x.y", "id": "1"}}, "of the file"),
    "no file": ({"type": "image", "media": {}}, "of the file"),
    "a place without a latitude": (
        {"type": "location", "content": {"longitude": 1}},
        "needs latitude",
    ),
    "contacts without any": ({"type": "contacts"}, "needs contacts"),
    "content of a text": ({"content": {"a": 1}}, "type text has no content"),
    "too much content": (
        {"type": "poll", "content": {"name": "x" * 40_000, "options": []}},
        "over 32768 bytes",
    ),
}


@pytest.mark.parametrize("what", INVALID)
async def test_what_lacks_its_content_is_refused(what: str, shop: Company) -> None:
    change, reason = INVALID[what]
    message = {"id": str(uuid4()), "conversation_id": str(uuid4()), "body": "oi"} | change
    answer = await shop.api.send(shop.tenant.people["agent"], message)
    problem = answer.json()
    assert (answer.status_code, problem["code"]) == (422, "invalid_request"), answer.text
    assert reason in problem["detail"]


async def test_a_closed_window_refuses_all_but_templates_before_the_call(
    connected_company: Company, phones: Phones
) -> None:
    company, meta = connected_company, connected_company.tenant.meta
    await company.post(meta, bodies.text(meta, ANA, at=bodies.NOON))
    await company.settled()
    message = {"id": str(uuid4()), "instance_id": meta.instance_id, "to": f"+{ANA}", "body": "oi"}
    answer = await company.api.send(company.tenant.people["agent"], message)
    assert (answer.status_code, answer.json()["code"]) == (422, "window_closed")
    assert await company.rows("messages", direction="eq.out") == []
    # Row level security lets a message in by another door; nobody is called for it either.
    (conversation,) = await company.rows("conversations")
    own = {"company_id": company.id, "conversation_id": conversation["id"], "body": "oi"}
    await company.project.insert("messages", own | {"id": message["id"]})
    await company.api.tick()
    row = await becomes(company, message["id"], "failed")
    assert row["error_code"] == "window_closed"
    assert await company.rows("send_attempts") == []
    template = {"type": "template", "template": TYPES["template"]["template"], "body": None}
    await becomes(company, await send(company, meta, to=f"+{ANA}", **template), "read")
    assert len(await phones.received(meta)) == 1


async def test_evolution_has_no_window(connected_company: Company, phones: Phones) -> None:
    company, evolution = connected_company, connected_company.tenant.evolution
    await company.post(evolution, bodies.text(evolution, ANA, at=bodies.NOON))
    await company.settled()
    await becomes(company, await send(company, evolution, to=f"+{ANA}"), "read")


async def test_a_click_on_an_advertisement_opens_three_days(
    connected_company: Company, database: Any
) -> None:
    company, meta = connected_company, connected_company.tenant.meta
    conversation = await company.conversation(meta, ANA)
    for hours, referral, closed in (
        (23, None, False),
        (25, None, True),
        (71, {"referral": {"source_id": "1"}}, False),
        (73, {"referral": {"source_id": "1"}}, True),
    ):
        await database.execute(
            "update messages set occurred_at = now() - make_interval(hours => $2), payload = $3"
            " where conversation_id = $1::text::uuid",
            conversation,
            hours,
            None if referral is None else '{"referral": {"source_id": "1"}}',
        )
        await database.execute(
            "update conversations set last_inbound_at = now() - make_interval(hours => $2)"
            " where id = $1::text::uuid",
            conversation,
            hours,
        )
        query = "select private.window_is_closed($1::text::uuid, 'text')"
        assert await database.fetchval(query, conversation) is closed, hours
