"""The request bodies, literally."""

from typing import Any

import pytest

from functions.providers.base import Instance, OutboundMessage
from functions.providers.events import Json
from functions.providers.evolution.sending import planned_message_id
from functions.providers.evolution.sending import request_body as evolution_body
from functions.providers.meta.sending import messages_url
from functions.providers.meta.sending import request_body as meta_body

REF = "4b5f9a7e-8a0e-4f0e-9d0a-0d7a4f1f2a10"
PLANNED = "3EB0BE42D83DCF3210DB7B"


def message(**fields: Any) -> OutboundMessage:
    return OutboundMessage(**{"id": REF, "to": "+5531999990001", "type": "text", **fields})


TEMPLATE = {"name": "pedido", "language": "pt_BR", "components": [{"type": "body"}]}
PDF = {"url": "https://x.example/a.pdf", "mime_type": "application/pdf", "file_name": "a.pdf"}

CASES: dict[str, tuple[OutboundMessage, Json, Json]] = {
    "text": (
        message(body="oi"),
        {"text": "oi"},
        {"type": "text", "text": {"body": "oi", "preview_url": True}},
    ),
    "answer to a message": (
        message(body="oi", reply_to="ABC"),
        {"text": "oi", "quoted": {"key": {"id": "ABC"}}},
        {
            "type": "text",
            "text": {"body": "oi", "preview_url": True},
            "context": {"message_id": "ABC"},
        },
    ),
    "image": (
        message(type="image", body="veja", media={"url": "https://x.example/a.jpg"}),
        {"mediatype": "image", "media": "https://x.example/a.jpg", "caption": "veja"},
        {"type": "image", "image": {"link": "https://x.example/a.jpg", "caption": "veja"}},
    ),
    "document": (
        message(type="document", media=PDF),
        {
            "mediatype": "document",
            "media": "https://x.example/a.pdf",
            "mimetype": "application/pdf",
            "fileName": "a.pdf",
        },
        {
            "type": "document",
            "document": {"link": "https://x.example/a.pdf", "filename": "a.pdf"},
        },
    ),
    "audio": (
        message(type="audio", body="no caption here", media={"url": "https://x.example/a.ogg"}),
        {"audio": "https://x.example/a.ogg"},
        {"type": "audio", "audio": {"link": "https://x.example/a.ogg"}},
    ),
    "template": (
        message(type="template", template=TEMPLATE),
        {"name": "pedido", "language": "pt_BR", "components": [{"type": "body"}]},
        {
            "type": "template",
            "template": {
                "name": "pedido",
                "language": {"code": "pt_BR"},
                "components": [{"type": "body"}],
            },
        },
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_a_message_to_evolution(name: str) -> None:
    sent, content, _ = CASES[name]
    assert evolution_body(sent) == {"number": "5531999990001", **content, "messageId": PLANNED}


@pytest.mark.parametrize("name", CASES)
def test_a_message_to_meta(name: str) -> None:
    sent, _, content = CASES[name]
    assert meta_body(sent) == {
        "messaging_product": "whatsapp",
        "recipient_type": "individual",
        "to": "5531999990001",
        **content,
        "biz_opaque_callback_data": REF,
    }


def test_a_reaction_names_its_message() -> None:
    reaction = message(type="reaction", body="👍", target="ABC")
    assert evolution_body(reaction) == {
        "key": {"remoteJid": "5531999990001@s.whatsapp.net", "fromMe": False, "id": "ABC"},
        "reaction": "👍",
    }
    body = meta_body(reaction)
    assert body is not None
    assert body["reaction"] == {"message_id": "ABC", "emoji": "👍"}
    taken_back = meta_body(message(type="reaction", target="ABC"))
    assert taken_back is not None
    assert taken_back["reaction"] == {"message_id": "ABC", "emoji": ""}


@pytest.mark.parametrize(
    ("to", "number"),
    [
        ("+5531999990001", "5531999990001"),
        ("553199990001@s.whatsapp.net", "553199990001"),
        ("553199990001:4@s.whatsapp.net", "553199990001"),
        ("10000000000001@lid", "10000000000001@lid"),
        ("120363000000000002@g.us", "120363000000000002@g.us"),
    ],
)
def test_evolution_is_given_digits_or_the_whole_address(to: str, number: str) -> None:
    body = evolution_body(message(to=to, body="oi"))
    assert body is not None
    assert body["number"] == number


@pytest.mark.parametrize(
    ("to", "recipient"),
    [
        ("+5531999990001", {"recipient_type": "individual", "to": "5531999990001"}),
        ("553190000020", {"recipient_type": "individual", "to": "553190000020"}),
        ("BR.1000001", {"recipient_type": "individual", "recipient": "BR.1000001"}),
        ("1203@g.us", {"recipient_type": "group", "to": "1203@g.us"}),
    ],
)  # fmt: skip
def test_meta_is_given_a_number_a_user_or_a_group(to: str, recipient: Json) -> None:
    body = meta_body(message(to=to, body="oi"))
    assert body is not None
    assert {name: body[name] for name in recipient} == recipient
    assert ("to" in body) != ("recipient" in body)


@pytest.mark.parametrize(
    "incomplete",
    [
        message(), message(body=""), message(type="image"), message(type="audio", media={}),
        message(type="template"), message(type="template", template={"name": "x"}),
        message(type="reaction", body="👍"),
    ],
)  # fmt: skip
def test_an_incomplete_message_has_no_request(incomplete: OutboundMessage) -> None:
    assert evolution_body(incomplete) is None
    assert meta_body(incomplete) is None


@pytest.mark.parametrize(
    ("base_url", "url"),
    [
        ("https://graph.facebook.com", "https://graph.facebook.com/v24.0/77/messages"),
        ("https://graph.facebook.com/", "https://graph.facebook.com/v24.0/77/messages"),
        ("https://graph.facebook.com/v21.0", "https://graph.facebook.com/v21.0/77/messages"),
    ],
)
def test_the_version_of_graph_can_be_chosen(base_url: str, url: str) -> None:
    assert messages_url(Instance("1", "meta", base_url, "77", {})) == url


def test_the_planned_id_is_one_of_whatsapp_and_always_the_same() -> None:
    assert planned_message_id(REF) == PLANNED
    assert len(PLANNED) == 22


def test_an_instance_does_not_show_its_credentials() -> None:
    assert "secret" not in repr(
        Instance("1", "meta", "https://x", "77", {"access_token": "secret"})
    )
