"""Edits, deletions, reactions and answers of ours, on the contact's phone."""

import base64
from typing import Any

import httpx
import pytest

from functions.providers.base import OutboundMessage
from functions.providers.events import Json
from functions.providers.evolution.sending import request_body as evolution_body
from functions.providers.meta.sending import request_body as meta_body
from tests.providers.answers import BOTH, CONTACT, write, written
from tests.providers.fake import FakeWhatsApp, eventually
from tests.providers.receiver import Receiver, connect

CARD = {"name": {"formatted_name": "Ana"}, "phones": [{"phone": "+55 31 99999-0001"}]}
BUTTONS = {
    "type": "button",
    "body": {"text": "Confirma?"},
    "action": {"buttons": [{"type": "reply", "reply": {"id": "s", "title": "Sim"}}]},
}
LIST = {
    "type": "list",
    "body": {"text": "Escolha"},
    "action": {
        "button": "Ver",
        "sections": [{"title": "A", "rows": [{"id": "1", "title": "Um"}]}],
    },
}
LINK = {
    "type": "cta_url",
    "body": {"text": "Pague"},
    "action": {
        "name": "cta_url",
        "parameters": {"display_text": "Abrir", "url": "https://x.example"},
    },
}
PLACE = {"latitude": -19.9, "longitude": -43.9, "name": "Loja"}
POLL = {"name": "Quando?", "options": ["Hoje", "Amanhã"]}


async def test_an_edit_and_a_deletion_arrive_and_come_back(
    whatsapp: FakeWhatsApp, receiver: Receiver, http: httpx.AsyncClient
) -> None:
    instance = await connect(whatsapp, receiver, "evolution")
    _, sent = await write(http, instance, body="Olá")
    target = sent.provider_message_id
    _, edited = await write(http, instance, type="edit", body="Olá!", target=target)
    [row] = await whatsapp.ledger(instance)
    assert (edited.outcome, row["body"], row["edits"]) == ("accepted", "Olá!", 1)
    _, revoked = await write(http, instance, type="revoke", target=target)
    [row] = await whatsapp.ledger(instance)
    assert (revoked.outcome, row["deleted"]) == ("accepted", True)

    async def both_came_back() -> bool:
        changes = [one for one in receiver.messages(instance) if one.target == target]
        return {one.type for one in changes} == {"edit", "revoke"}

    await eventually(both_came_back)


async def test_a_message_that_is_not_there_is_not_edited(
    whatsapp: FakeWhatsApp, http: httpx.AsyncClient
) -> None:
    instance = await whatsapp.connect("evolution")
    _, result = await write(http, instance, type="edit", body="x", target="NONE")
    assert (result.outcome, result.code) == ("permanent", "message_not_found")


@pytest.mark.parametrize(
    "fields",
    [
        {"type": "edit", "body": "x", "target": "A"},
        {"type": "revoke", "target": "A"},
        {"type": "poll", "content": POLL},
    ],
)
async def test_meta_cannot_change_what_was_sent(
    whatsapp: FakeWhatsApp, http: httpx.AsyncClient, fields: Json
) -> None:
    instance = await whatsapp.connect("meta")
    _, result = await write(http, instance, **fields)
    assert (result.outcome, result.code, result.http_status) == ("permanent", "unsupported", None)


@BOTH
async def test_our_reaction_is_on_the_message_of_the_contact(
    whatsapp: FakeWhatsApp, http: httpx.AsyncClient, provider: str
) -> None:
    instance = await whatsapp.connect(provider)
    identity = await written(whatsapp, instance, body="oi")
    for emoji in ("👍", ""):
        _, result = await write(http, instance, type="reaction", body=emoji, target=identity)
        assert result.outcome == "accepted"
        path = {"number": instance.external_id}
        [row] = (await whatsapp.http.get("/_fake/inbox", params=path)).json()
        assert (row["reaction"] or "") == emoji


@BOTH
async def test_an_answer_arrives_as_an_answer(
    whatsapp: FakeWhatsApp, http: httpx.AsyncClient, provider: str
) -> None:
    instance = await whatsapp.connect(provider)
    await write(http, instance, body="oi", reply_to="QUESTION")
    [row] = await whatsapp.ledger(instance)
    assert row["reply_to"] == "QUESTION"


@BOTH
@pytest.mark.parametrize(
    ("kind", "content", "shown"),
    [
        ("location", PLACE, "Loja"),
        ("contacts", {"contacts": [CARD]}, "Ana"),
        ("interactive", BUTTONS, "Confirma?"),
        ("interactive", LIST, "Escolha"),
        ("interactive", LINK, "Pague"),
    ],
)
async def test_one_form_of_content_serves_both_providers(
    whatsapp: FakeWhatsApp,
    http: httpx.AsyncClient,
    provider: str,
    kind: str,
    content: Json,
    shown: str,
) -> None:
    instance = await whatsapp.connect(provider)
    _, result = await write(http, instance, type=kind, content=content)
    assert result.outcome == "accepted"
    assert [row["body"] for row in await whatsapp.ledger(instance)] == [shown]


def message(**fields: Any) -> OutboundMessage:
    return OutboundMessage(**{"id": "1", "to": CONTACT, "type": "text", **fields})


CASES: dict[str, tuple[OutboundMessage, Json]] = {
    "contact": (
        message(type="contacts", content={"contacts": [CARD]}),
        {"contact": [
            {"fullName": "Ana", "wuid": "5531999990001", "phoneNumber": "+55 31 99999-0001"}
        ]},
    ),
    "buttons": (
        message(type="interactive", content=BUTTONS),
        {
            "title": "Confirma?",
            "description": "Confirma?",
            "buttons": [{"type": "reply", "displayText": "Sim", "id": "s"}],
        },
    ),
    "link": (
        message(type="interactive", content=LINK),
        {
            "title": "Pague",
            "description": "Pague",
            "buttons": [{"type": "url", "displayText": "Abrir", "url": "https://x.example"}],
        },
    ),
    "list": (
        message(type="interactive", content=LIST),
        {
            "title": "Escolha",
            "description": "Escolha",
            "footerText": "",
            "buttonText": "Ver",
            "sections": [
                {"title": "A", "rows": [{"title": "Um", "description": "", "rowId": "1"}]}
            ],
        },
    ),
    "poll": (
        message(type="poll", content=POLL),
        {"name": "Quando?", "selectableCount": 1, "values": ["Hoje", "Amanhã"]},
    ),
    "sound that is no voice note": (
        message(type="audio", media={"url": "https://x.example/a.mp3", "voice": False}),
        {"mediatype": "audio", "media": "https://x.example/a.mp3"},
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_the_content_in_the_names_of_evolution(name: str) -> None:
    sent, content = CASES[name]
    body = evolution_body(sent)
    assert body is not None
    assert {key: body[key] for key in body if key not in ("number", "messageId")} == content


def test_a_voice_note_of_meta_is_marked() -> None:
    body = meta_body(message(type="audio", media={"id": "7", "voice": True}))
    assert body is not None
    assert body["audio"] == {"id": "7", "voice": True}


def test_a_reaction_to_our_own_message_and_one_in_a_group_name_its_author() -> None:
    own = evolution_body(message(type="reaction", body="👍", target="A", target_ours=True))
    assert own is not None
    assert own["key"]["fromMe"] is True
    group = message(type="reaction", to="1203@g.us", body="👍", target="A", target_author="1@lid")
    body = evolution_body(group)
    assert body is not None
    assert body["key"] == {
        "remoteJid": "1203@g.us",
        "fromMe": False,
        "id": "A",
        "participant": "1@lid",
    }


@pytest.mark.parametrize(
    "incomplete",
    [
        message(type="location", content={"latitude": 1}), message(type="contacts"),
        message(type="poll", content={"name": "x", "options": ["a"]}), message(type="interactive"),
        message(type="edit", body="x"), message(type="revoke"), message(type="sticker"),
    ],
)  # fmt: skip
def test_an_incomplete_message_has_no_request(incomplete: OutboundMessage) -> None:
    assert evolution_body(incomplete) is None


async def test_media_that_is_not_base64_is_refused_here(
    whatsapp: FakeWhatsApp, http: httpx.AsyncClient
) -> None:
    instance = await whatsapp.connect("meta")
    _, result = await write(http, instance, type="image", media={"base64": "%%%"})
    assert (result.outcome, result.code) == ("permanent", "bad_base64")


async def test_an_upload_without_an_answer_leaves_nothing_unknown(
    whatsapp: FakeWhatsApp,
) -> None:
    """No message has been sent: it may be tried again."""

    def lost(request: httpx.Request) -> httpx.Response:
        assert request.url.path.endswith("/media")
        raise httpx.ReadTimeout("no answer")

    instance = await whatsapp.connect("meta")
    media = {"base64": base64.b64encode(b"x").decode()}
    async with httpx.AsyncClient(transport=httpx.MockTransport(lost)) as http:
        _, result = await write(http, instance, type="image", media=media)
    assert (result.outcome, result.code) == ("retryable", "read_timeout")
