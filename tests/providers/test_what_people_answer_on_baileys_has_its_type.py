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
        {"type": "vote", "payload": {"encrypted": True}, "target": "P1"},
    ),
    "vote in plain text": (
        {
            "pollUpdateMessage": {
                "pollCreationMessageKey": {"id": "P1"},
                "vote": {"encIv": "x", "selectedOptions": ["Hoje", "Amanhã"]},
                "senderTimestampMs": "1763326182123",
            }
        },
        {"type": "vote", "payload": {"options": ["Hoje", "Amanhã"]}, "target": "P1"},
    ),
    "vote taken back": (
        {
            "pollUpdateMessage": {
                "pollCreationMessageKey": {"id": "P1"},
                "vote": {"selectedOptions": []},
            }
        },
        {"type": "vote", "payload": {"options": []}, "target": "P1"},
    ),
    "vote as hashes": (
        {
            "pollUpdateMessage": {
                "pollCreationMessageKey": {"id": "P1"},
                "vote": {"selectedOptions": [{"type": "Buffer", "data": [1, 2]}]},
            },
            "pollUpdates": [{"name": "Hoje", "voters": ["1@lid"]}, {"name": "b", "voters": []}],
        },
        {"type": "vote", "payload": {"options": ["Hoje"]}, "target": "P1"},
    ),
    "vote on nothing": (
        {"pollUpdateMessage": {"vote": {}}},
        {"type": "unsupported", "payload": {"content": "pollUpdateMessage"}},
    ),
    "bare poll of the fourth kind": (
        {"pollCreationMessageV4": {"name": "Q?", "options": [{"optionName": "a"}]}},
        {"type": "poll", "body": "Q?", "payload": {"options": ["a"]}},
    ),
    "event": (
        {
            "eventMessage": {
                "name": "Reunião",
                "description": "mensal",
                "location": {"name": "Sala 2"},
                "startTime": "1763326182",
                "isCanceled": True,
            }
        },
        {
            "type": "interactive",
            "body": "Reunião",
            "payload": {
                "kind": "event",
                "description": "mensal",
                "location": "Sala 2",
                "starts_at": "2025-11-16T20:49:42+00:00",
                "canceled": True,
            },
        },
    ),
    "call in the log": (
        {"callLogMesssage": {"isVideo": True, "callOutcome": "MISSED", "durationSecs": "0"}},
        {
            "type": "system",
            "payload": {"kind": "call_log", "outcome": "MISSED", "seconds": 0, "video": True},
        },
    ),
    "answer of the assistant": (
        {"richResponseMessage": {"submessages": [{"messageText": "um"}, {}, {"messageText": "2"}]}},
        {"type": "text", "body": "um\n2"},
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
