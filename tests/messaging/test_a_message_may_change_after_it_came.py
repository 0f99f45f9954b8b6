"""Messages that become readable later, edits that say only what they change, names that change."""

import itertools
from typing import Any
from uuid import uuid4

import pytest

from tests.messaging import bodies, changes
from tests.messaging.conftest import Company, Phones
from tests.tenants import Number

Json = dict[str, Any]

SENDER = "5511987654321"


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
async def test_an_edit_that_says_only_what_it_changes_finds_it(
    company: Company, writer: str
) -> None:
    number = company.tenant.evolution
    written = bodies.text(number, SENDER, "oi", id="CHANGED")
    written["data"]["key"]["fromMe"] = writer == "phone"
    await company.post(number, written)
    await company.settled()
    # Its chat is as the one who edits sees it: of a contact who does, our own number.
    edit = changes.edit(number, "CHANGED", "olá", bodies.NOON)
    if writer == "phone":
        edit["data"]["key"]["remoteJid"] = f"{SENDER}@s.whatsapp.net"
    await company.post(number, edit)
    await company.settled()
    assert len(await company.rows("conversations")) == 1
    assert len(await company.rows("contacts")) == 1
    (message,) = await company.rows("messages")
    assert (message["body"], message["original"]["body"]) == ("olá", "oi")
    assert message["origin"] == ("contact" if writer == "contact" else "phone_echo")


async def test_an_edit_waits_for_its_message(company: Company) -> None:
    number = company.tenant.evolution
    await company.post(number, changes.edit(number, "LATER", "olá", bodies.NOON))
    await company.settled()
    assert await company.rows("conversations") == []
    (kept,) = await company.rows("inbound_events")
    assert (kept["state"], kept["outcome"]) == ("processed", "message")
    await company.post(number, bodies.text(number, SENDER, "oi", id="LATER"))
    await company.settled()
    (message,) = await company.rows("messages")
    assert (message["type"], message["body"]) == ("text", "olá")


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
