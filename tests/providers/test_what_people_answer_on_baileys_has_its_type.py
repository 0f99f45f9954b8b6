"""Buttons, reactions, votes, edits, deletions and notices, as Baileys names them."""

from typing import Any

import pytest

from functions.providers.events import Json
from tests.providers.baileys import OWN, received, summary

IMAGE: Json = {"mimetype": "image/jpeg", "url": "https://s3.example/a.jpg", "fileLength": "10"}
IMAGE_MEDIA = {
    "url": "https://s3.example/a.jpg",
    "mime_type": "image/jpeg",
    "bytes": 10,
    "inline": False,
}
EDIT: Json = {
    "key": {"id": "OLD", "fromMe": True, "remoteJid": OWN},
    "type": "MESSAGE_EDIT",
    "editedMessage": {"extendedTextMessage": {"text": "novo"}},
    "timestampMs": "1763326182500",
}


CASES: dict[str, tuple[Any, Json]] = {
    "button of a template": (
        {"templateButtonReplyMessage": {"selectedId": "parar", "selectedDisplayText": "Parar"}},
        {
            "type": "button",
            "body": "Parar",
            "payload": {"kind": "button_reply", "id": "parar", "title": "Parar"},
        },
    ),
    "button": (
        {
            "buttonsResponseMessage": {
                "selectedButtonId": "b1",
                "selectedDisplayText": "Sim",
                "contextInfo": {"stanzaId": "3EB0CC"},
            }
        },
        {
            "type": "button",
            "body": "Sim",
            "payload": {"kind": "button_reply", "id": "b1", "title": "Sim"},
            "reply_to": "3EB0CC",
        },
    ),
    "row of a list": (
        {"listResponseMessage": {"title": "Azul", "singleSelectReply": {"selectedRowId": "r1"}}},
        {
            "type": "interactive",
            "body": "Azul",
            "payload": {"kind": "list_reply", "id": "r1", "title": "Azul"},
        },
    ),
    "native flow": (
        {
            "interactiveResponseMessage": {
                "body": {"text": "Confirmar"},
                "nativeFlowResponseMessage": {"name": "quick_reply", "paramsJson": '{"id":"ok"}'},
            }
        },
        {
            "type": "interactive",
            "body": "Confirmar",
            "payload": {
                "kind": "nfm_reply",
                "id": "ok",
                "name": "quick_reply",
                "response": {"id": "ok"},
            },
        },
    ),
    "reaction": (
        {"reactionMessage": {"key": {"id": "3EB0DD"}, "text": "❤️"}},
        {"type": "reaction", "body": "❤️", "target": "3EB0DD"},
    ),
    "reaction taken back": (
        {"reactionMessage": {"key": {"id": "3EB0DD"}, "text": ""}},
        {"type": "reaction", "payload": {"removed": True}, "target": "3EB0DD"},
    ),
    "reaction in a community": (
        {"encReactionMessage": {"targetMessageKey": {"id": "3EB0DD"}, "encPayload": "x"}},
        {"type": "reaction", "payload": {"encrypted": True}, "target": "3EB0DD"},
    ),
    "poll": (
        {
            "pollCreationMessageV3": {
                "name": "Quando?",
                "options": [{"optionName": "Hoje"}, {"optionName": "Amanhã"}],
                "selectableOptionsCount": 1,
            }
        },
        {
            "type": "poll",
            "body": "Quando?",
            "payload": {"options": ["Hoje", "Amanhã"], "selectable": 1},
        },
    ),
    "wrapped poll": (
        {"pollCreationMessageV4": {"message": {"pollCreationMessage": {"name": "Q?"}}}},
        {"type": "poll", "body": "Q?"},
    ),
    "vote": (
        {"pollUpdateMessage": {"pollCreationMessageKey": {"id": "P1"}, "vote": {"encIv": "x"}}},
        {"type": "poll", "payload": {"vote": True}, "target": "P1"},
    ),
    "order": (
        {
            "orderMessage": {
                "orderId": "9",
                "itemCount": 2,
                "totalAmount1000": "15000",
                "message": "p",
            }
        },
        {
            "type": "order",
            "body": "p",
            "payload": {"order_id": "9", "items": 2, "total_1000": 15000},
        },
    ),
    "product": (
        {"productMessage": {"product": {"title": "Camisa"}}},
        {"type": "interactive", "body": "Camisa", "payload": {"kind": "product"}},
    ),
    "buttons of a business": (
        {"buttonsMessage": {"contentText": "Escolha"}},
        {"type": "interactive", "body": "Escolha", "payload": {"kind": "buttons"}},
    ),
    "list of a business": (
        {"listMessage": {"description": "Cores", "title": "Veja"}},
        {"type": "interactive", "body": "Cores", "payload": {"kind": "list"}},
    ),
    "template of a business": (
        {"templateMessage": {"hydratedTemplate": {"hydratedContentText": "Seu pedido"}}},
        {"type": "interactive", "body": "Seu pedido", "payload": {"kind": "template"}},
    ),
    "invitation to a group": (
        {"groupInviteMessage": {"groupName": "Clientes", "caption": "Entre"}},
        {"type": "interactive", "body": "Entre", "payload": {"kind": "group_invite"}},
    ),
    "event": (
        {"eventMessage": {"name": "Feira"}},
        {"type": "interactive", "body": "Feira", "payload": {"kind": "event"}},
    ),
    "album": (
        {"albumMessage": {"expectedImageCount": 3}},
        {"type": "system", "payload": {"kind": "album", "images": 3}},
    ),
    "pin": (
        {"pinInChatMessage": {"key": {"id": "3EB0EE"}, "type": "PIN_FOR_ALL"}},
        {
            "type": "system",
            "payload": {"kind": "pin_in_chat", "state": "PIN_FOR_ALL"},
            "target": "3EB0EE",
        },
    ),
    "child of an album": (
        {"associatedChildMessage": {"message": {"imageMessage": IMAGE}}},
        {"type": "image", "media": IMAGE_MEDIA},
    ),
    "deletion": (
        {"protocolMessage": {"key": {"id": "OLD"}, "type": "REVOKE"}},
        {"type": "revoke", "target": "OLD"},
    ),
    "deletion with the type left out": (
        {"protocolMessage": {"key": {"id": "OLD"}}},
        {"type": "revoke", "target": "OLD"},
    ),
    "edit": (
        {"editedMessage": {"message": {"protocolMessage": EDIT}}},
        {"type": "edit", "body": "novo", "payload": {"type": "text"}, "target": "OLD"},
    ),
    "edit by number": (
        {"protocolMessage": {**EDIT, "type": 14}},
        {"type": "edit", "body": "novo", "payload": {"type": "text"}, "target": "OLD"},
    ),
    "timer": (
        {"protocolMessage": {"type": "EPHEMERAL_SETTING", "ephemeralExpiration": 604800}},
        {
            "type": "system",
            "payload": {"kind": "ephemeral_setting", "expiration_seconds": 604800},
        },
    ),
    "something invented tomorrow": (
        {"hologramMessage": {"url": "https://example.com"}},
        {"type": "unsupported", "payload": {"content": "hologramMessage"}},
    ),
    "not decrypted yet": (None, {"type": "unsupported", "payload": {"pending": True}}),
    "placeholder": (
        {"placeholderMessage": {"type": "MASK_LINKED_DEVICES"}},
        {"type": "unsupported", "payload": {"pending": True}},
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_a_message_has_this_type_and_content(name: str) -> None:
    message, expected = CASES[name]
    assert summary(received(message)) == expected
