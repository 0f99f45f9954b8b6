"""Messages that become readable later, and edits that say only which message they change."""

import itertools
from typing import Any
from uuid import uuid4

import pytest

from tests.messaging import bodies
from tests.messaging.conftest import Company, Phones
from tests.tenants import Number

Json = dict[str, Any]

SENDER = "5511987654321"


def edit(number: Number, target: str, chat: str, *, from_me: bool, text: str) -> Json:
    """`messages.edited`: a bare ProtocolMessage with the key as the one who edits sees it."""
    key = {"remoteJid": f"{chat}@s.whatsapp.net", "fromMe": from_me, "id": target}
    data = {
        "key": key,
        "type": "MESSAGE_EDIT",
        "editedMessage": {"conversation": text},
        "timestampMs": str(bodies.NOON * 1000),
    }
    return bodies.evolution(number, "messages.edited", data)


def unreadable(number: Number, id: str) -> Json:
    """Somebody wrote, and it could not be decrypted yet."""
    content = bodies.text(number, SENDER, id=id)
    content["data"] |= {"message": None, "messageStubType": "CIPHERTEXT", "messageType": None}
    return content


@pytest.mark.parametrize("readable_first", [False, True])
async def test_a_message_that_becomes_readable_shows_its_text(
    company: Company, readable_first: bool
) -> None:
    number = company.tenant.evolution
    order = [unreadable(number, "LATE"), bodies.text(number, SENDER, "agora sim", id="LATE")]
    for content in reversed(order) if readable_first else order:
        await company.post(number, content)
        await company.settled()
    (message,) = await company.rows("messages")
    assert (message["type"], message["body"], message["payload"]) == ("text", "agora sim", None)
    (conversation,) = await company.rows("conversations")
    assert conversation["last_message_preview"] == "agora sim"
    assert conversation["unread"] == 1


@pytest.mark.parametrize("writer", ["contact", "phone"])
async def test_an_edit_stands_in_the_conversation_of_its_message(
    company: Company, writer: str
) -> None:
    number = company.tenant.evolution
    await company.post(number, bodies.text(number, SENDER, "primeira", id="IN1"))
    written = bodies.text(number, SENDER, "oi", id="CHANGED")
    written["data"]["key"]["fromMe"] = writer == "phone"
    await company.post(number, written)
    await company.settled()
    # A contact who edits sees the chat with us: the address is our own.
    chat = number.phone if writer == "contact" else SENDER
    await company.post(number, edit(number, "CHANGED", chat, from_me=True, text="olá"))
    await company.settled()
    assert len(await company.rows("conversations")) == 1
    assert len(await company.rows("contacts")) == 1
    (changed,) = await company.rows("messages", type="eq.edit")
    assert (changed["target"], changed["body"]) == ("CHANGED", "olá")
    expected = ("in", "contact") if writer == "contact" else ("out", "phone_echo")
    assert (changed["direction"], changed["origin"]) == expected


async def test_an_edit_waits_for_its_message(company: Company) -> None:
    number = company.tenant.evolution
    await company.post(number, edit(number, "LATER", number.phone, from_me=True, text="olá"))
    await company.settled()
    assert await company.rows("conversations") == []
    (waiting,) = await company.rows("inbound_events")
    assert waiting["state"] == "received"
    await company.post(number, bodies.text(number, SENDER, "oi", id="LATER"))
    await company.settled()
    await company.make_due()
    assert [row["type"] for row in await company.rows("messages", order="seq")] == ["text", "edit"]
    assert {row["state"] for row in await company.rows("inbound_events")} == {"processed"}


async def test_an_edit_that_waits_does_not_hold_its_chat(company: Company) -> None:
    number = company.tenant.evolution
    await company.post(number, edit(number, "NEVER", SENDER, from_me=False, text="olá"))
    await company.post(number, bodies.text(number, SENDER, "e mais uma coisa"))
    await company.settled()
    assert [row["body"] for row in await company.rows("messages")] == ["e mais uma coisa"]


async def test_an_edit_of_what_never_came_is_kept_as_unknown(company: Company) -> None:
    number = company.tenant.evolution
    await company.post(number, edit(number, "NEVER", number.phone, from_me=True, text="olá"))
    await company.settled()
    minute = {"received_at": "2026-01-01T00:00:00Z"}
    await company.project.update("inbound_events", minute, company_id=f"eq.{company.id}")
    await company.make_due()
    (kept,) = await company.rows("inbound_events")
    assert (kept["state"], kept["outcome"]) == ("processed", "unknown")
    assert "not known" in kept["error"]
    assert kept["raw"]["data"]["editedMessage"] == {"conversation": "olá"}


async def test_a_late_old_message_does_not_set_an_old_name_back(company: Company) -> None:
    number = company.tenant.meta
    new = bodies.text(number, SENDER, at=bodies.NOON + 60, name="Bia Souza")
    old = bodies.text(number, SENDER, at=bodies.NOON, name="Beatriz")
    for order in ((new, old), (old, new)):
        await company.post(number, *order)
        await company.settled()
        assert [row["name"] for row in await company.rows("contacts")] == ["Bia Souza"]


FORMS = ("5531987654321", "553187654321")


@pytest.mark.parametrize("provider", ["evolution", "meta"])
async def test_both_forms_of_a_brazilian_mobile_are_one_person(
    provider: str, company: Company
) -> None:
    number: Number = getattr(company.tenant, provider)
    for n, (first, second) in enumerate(itertools.permutations(FORMS)):
        for sender in (first, second):
            await company.post(number, bodies.text(number, sender, at=bodies.NOON + n))
            await company.settled()
    (contact,) = await company.rows("contacts")
    assert contact["phone"] == "+5531987654321"
    (conversation,) = await company.rows("conversations")
    assert conversation["unread"] == 4


async def test_a_chat_known_by_its_lid_is_answered_at_the_phone_once_that_is_known(
    connected_company: Company, phones: Phones
) -> None:
    company, number = connected_company, connected_company.tenant.evolution
    hidden = bodies.text(number, SENDER, id="LID1")
    hidden["data"]["key"]["remoteJid"] = "100000000000004@lid"
    known = bodies.text(number, SENDER, id="LID2")
    known["data"]["key"] |= {
        "remoteJid": "100000000000004@lid",
        "remoteJidAlt": f"{SENDER}@s.whatsapp.net",
    }
    for content in (hidden, known, hidden | {"data": hidden["data"] | {"messageTimestamp": 1}}):
        await company.post(number, content)
        await company.settled()
    (conversation,) = await company.rows("conversations")
    (contact,) = await company.rows("contacts")
    assert contact["phone"] == f"+{SENDER}"
    message = {"id": str(uuid4()), "conversation_id": conversation["id"], "body": "oi"}
    answer = await company.api.send(company.tenant.people["agent"], message)
    assert answer.status_code == 202
    await company.settled()
    assert [row["to"] for row in await phones.received(number)] == [SENDER]


async def test_a_landline_is_not_the_mobile_with_a_nine(company: Company) -> None:
    number = company.tenant.meta
    for sender in ("551133334444", "5511933334444"):
        await company.post(number, bodies.text(number, sender))
    await company.settled()
    assert len(await company.rows("contacts")) == 2
