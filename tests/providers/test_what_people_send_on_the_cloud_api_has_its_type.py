"""Every message type of the Cloud API."""

import pytest

from functions.providers.events import Json
from tests.providers.cloud import PHONE, received, summary

UNKNOWN_TYPE = {
    "code": 131051,
    "title": "Message type unknown",
    "error_data": {"details": "Message type is currently not supported."},
}
KEPT_ERROR = {
    "code": "131051",
    "title": "Message type unknown",
    "details": "Message type is currently not supported.",
}

CASES: dict[str, tuple[Json, Json]] = {
    "text": ({"type": "text", "text": {"body": "oi"}}, {"type": "text", "body": "oi"}),
    "video": (
        {"type": "video", "video": {"id": "7", "mime_type": "video/mp4", "caption": "veja"}},
        {
            "type": "video",
            "body": "veja",
            "media": {"id": "7", "mime_type": "video/mp4", "inline": False},
        },
    ),
    "document with its short-lived address": (
        {
            "type": "document",
            "document": {"id": "7", "filename": "a.pdf", "url": "https://lookaside.fbsbx.com/x"},
        },
        {
            "type": "document",
            "media": {
                "id": "7",
                "url": "https://lookaside.fbsbx.com/x",
                "file_name": "a.pdf",
                "inline": False,
            },
        },
    ),
    "audio file": (
        {"type": "audio", "audio": {"id": "7", "voice": False}},
        {"type": "audio", "media": {"id": "7", "voice": False, "inline": False}},
    ),
    "sticker": (
        {"type": "sticker", "sticker": {"id": "7", "animated": True}},
        {
            "type": "sticker",
            "media": {"id": "7", "inline": False},
            "payload": {"animated": True},
        },
    ),
    "location": (
        {"type": "location", "location": {"latitude": 37.4, "longitude": -122.2, "name": "HQ"}},
        {
            "type": "location",
            "body": "HQ",
            "payload": {"latitude": 37.4, "longitude": -122.2, "name": "HQ"},
        },
    ),
    "own number, shared on request": (
        {
            "type": "contacts",
            "origin": "contact_request/other",
            "contacts": [
                {"vcard": "BEGIN:VCARD\nFN:Rui Sá\nEND:VCARD", "phones": [{"phone": "1"}]}
            ],
        },
        {
            "type": "contacts",
            "body": "Rui Sá",
            "payload": {
                "contacts": [{"name": "Rui Sá", "phones": ["1"]}],
                "origin": "contact_request/other",
            },
        },
    ),
    "contacts": (
        {
            "type": "contacts",
            "contacts": [
                {"name": {"formatted_name": "Rui"}, "phones": [{"phone": "+1 555-555-5555"}]},
                {"name": {"first_name": "Bia"}},
            ],
        },
        {
            "type": "contacts",
            "body": "Rui, Bia",
            "payload": {
                "contacts": [
                    {"name": "Rui", "phones": ["+1 555-555-5555"]},
                    {"name": "Bia", "phones": []},
                ]
            },
        },
    ),
    "row of a list": (
        {
            "type": "interactive",
            "context": {"from": "15550783881", "id": "wamid.B"},
            "interactive": {
                "type": "list_reply",
                "list_reply": {"id": "r1", "title": "Azul", "description": "cor"},
            },
        },
        {
            "type": "interactive",
            "body": "Azul",
            "payload": {
                "kind": "list_reply",
                "id": "r1",
                "title": "Azul",
                "description": "cor",
            },
            "reply_to": "wamid.B",
        },
    ),
    "form": (
        {
            "type": "interactive",
            "interactive": {
                "type": "nfm_reply",
                "nfm_reply": {
                    "response_json": '{"rating":"4","flow_token":"T1"}',
                    "body": "Sent",
                    "name": "flow",
                },
            },
        },
        {
            "type": "interactive",
            "body": "Sent",
            "payload": {
                "kind": "nfm_reply",
                "id": "T1",
                "name": "flow",
                "response": {"rating": "4", "flow_token": "T1"},
            },
        },
    ),
    "form with an answer that is no JSON": (
        {
            "type": "interactive",
            "interactive": {"type": "nfm_reply", "nfm_reply": {"response_json": "{"}},
        },
        {"type": "interactive", "payload": {"kind": "nfm_reply", "response": "{"}},
    ),
    "permission to call": (
        {
            "type": "interactive",
            "interactive": {
                "type": "call_permission_reply",
                "call_permission_reply": {"response": "accept", "response_source": "user_action"},
            },
        },
        {
            "type": "interactive",
            "body": "accept",
            "payload": {
                "kind": "call_permission_reply",
                "response": "accept",
                "response_source": "user_action",
            },
        },
    ),
    "interactive without content": (
        {"type": "interactive"},
        {"type": "unsupported", "payload": {"content": "interactive"}},
    ),
    "reaction taken back": (
        {"type": "reaction", "reaction": {"message_id": "wamid.B", "emoji": ""}},
        {"type": "reaction", "payload": {"removed": True}, "target": "wamid.B"},
    ),
    "reaction taken back without an emoji": (
        {"type": "reaction", "reaction": {"message_id": "wamid.B"}},
        {"type": "reaction", "payload": {"removed": True}, "target": "wamid.B"},
    ),
    "order": (
        {
            "type": "order",
            "order": {"catalog_id": "3", "text": "p", "product_items": [{"quantity": 3}]},
        },
        {
            "type": "order",
            "body": "p",
            "payload": {"catalog_id": "3", "product_items": [{"quantity": 3}]},
        },
    ),
    "new number": (
        {
            "type": "system",
            "system": {"body": "A changed", "wa_id": "972912345678", "type": "user_changed_number"},
        },
        {
            "type": "system",
            "body": "A changed",
            "payload": {"kind": "user_changed_number", "wa_id": "972912345678"},
        },
    ),
    "edit": (
        {
            "type": "edit",
            "edit": {
                "original_message_id": "wamid.B",
                "message": {"type": "image", "image": {"id": "7", "caption": "novo"}},
            },
        },
        {
            "type": "edit",
            "body": "novo",
            "media": {"id": "7", "inline": False},
            "payload": {"type": "image"},
            "target": "wamid.B",
        },
    ),
    "revoke": (
        {"type": "revoke", "revoke": {"original_message_id": "wamid.B"}},
        {"type": "revoke", "target": "wamid.B"},
    ),
    "unsupported": (
        {"type": "unsupported", "errors": [UNKNOWN_TYPE], "unsupported": {"type": "poll"}},
        {"type": "unsupported", "payload": {"content": "poll", "errors": [KEPT_ERROR]}},
    ),
    "unknown": (
        {"type": "unknown", "errors": [{"code": 131051, "title": "T", "details": "D"}]},
        {
            "type": "unsupported",
            "payload": {
                "content": "unknown",
                "errors": [{"code": "131051", "title": "T", "details": "D"}],
            },
        },
    ),
    "something invented tomorrow": (
        {"type": "hologram", "hologram": {"depth": 3}},
        {"type": "unsupported", "payload": {"content": "hologram", "value": {"depth": 3}}},
    ),
    "first contact": (
        {"type": "request_welcome"},
        {"type": "system", "payload": {"kind": "request_welcome"}},
    ),
    "forwarded": (
        {"type": "text", "text": {"body": "oi"}, "context": {"frequently_forwarded": True}},
        {"type": "text", "body": "oi", "payload": {"forwarded": True}},
    ),
    "from an advertisement": (
        {
            "type": "text",
            "text": {"body": "oi"},
            "referral": {
                "source_url": "https://fb.me/x",
                "source_id": "1",
                "source_type": "ad",
                "headline": "Oferta",
                "image_url": "https://scontent/x",
                "ctwa_clid": "ARA",
            },
        },
        {
            "type": "text",
            "body": "oi",
            "payload": {
                "referral": {
                    "source_type": "ad",
                    "source_id": "1",
                    "source_url": "https://fb.me/x",
                    "headline": "Oferta",
                    "ctwa_clid": "ARA",
                }
            },
        },
    ),
    "about a product": (
        {
            "type": "text",
            "text": {"body": "tem?"},
            "context": {"id": "wamid.B", "referred_product": {"catalog_id": "3"}},
        },
        {
            "type": "text",
            "body": "tem?",
            "payload": {"product": {"catalog_id": "3"}},
            "reply_to": "wamid.B",
        },
    ),
    "without a type": ({"text": {"body": "oi"}}, {"type": "text", "body": "oi"}),
}


@pytest.mark.parametrize("name", CASES)
def test_a_message_has_this_type_and_content(name: str) -> None:
    message, expected = CASES[name]
    found = received(message)
    assert summary(found) == expected
    assert (found.provider_message_id, found.chat_address) == ("wamid.A", "16505551234")
    assert (found.identities, found.name) == (PHONE, "Sheena")
