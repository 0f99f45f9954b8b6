"""What people send, in every kind of Baileys message and in the wrappers it comes in."""

from typing import Any

import pytest

from functions.providers.events import Json
from tests.providers.baileys import CONTACT, TEXT, received, summary

IMAGE: Json = {"mimetype": "image/jpeg", "url": "https://s3.example/a.jpg", "fileLength": "10"}
IMAGE_MEDIA = {
    "url": "https://s3.example/a.jpg",
    "mime_type": "image/jpeg",
    "bytes": 10,
    "inline": False,
}
PDF = {"documentMessage": {"mimetype": "application/pdf", "fileName": "a.pdf", "caption": "veja"}}
PDF_MEDIA = {"mime_type": "application/pdf", "file_name": "a.pdf", "inline": False}
VCARD = "BEGIN:VCARD\nFN:Rui Lima\nitem1.TEL;waid=5531988887777:+55 31 98888-7777\nEND:VCARD"

CASES: dict[str, tuple[Any, Json]] = {
    "text": (TEXT, {"type": "text", "body": "oi"}),
    "text after the context": (
        {"messageContextInfo": {"deviceListMetadataVersion": 2}, **TEXT},
        {"type": "text", "body": "oi"},
    ),
    "text beside a sender key": (
        {"senderKeyDistributionMessage": {"groupId": "1@g.us"}, **TEXT},
        {"type": "text", "body": "oi"},
    ),
    "text as a plain string": ("oi", {"type": "text", "body": "oi"}),
    "quote": (
        {"extendedTextMessage": {"text": "sim", "contextInfo": {"stanzaId": "3EB0BB"}}},
        {"type": "text", "body": "sim", "reply_to": "3EB0BB"},
    ),
    "forwarded with mentions": (
        {
            "extendedTextMessage": {
                "text": "@1",
                "contextInfo": {"isForwarded": True, "mentionedJid": ["1@lid"]},
            }
        },
        {"type": "text", "body": "@1", "payload": {"forwarded": True, "mentions": ["1@lid"]}},
    ),
    "from an advertisement": (
        {
            "extendedTextMessage": {
                "text": "Quero saber mais",
                "contextInfo": {
                    "externalAdReply": {
                        "title": "Oferta",
                        "sourceType": "ad",
                        "sourceId": "120",
                        "sourceUrl": "https://fb.me/x",
                        "ctwaClid": "ARA",
                        "thumbnail": "/9j/4AAQ",
                    }
                },
            }
        },
        {
            "type": "text",
            "body": "Quero saber mais",
            "payload": {
                "referral": {
                    "source_type": "ad",
                    "source_id": "120",
                    "source_url": "https://fb.me/x",
                    "headline": "Oferta",
                    "ctwa_clid": "ARA",
                }
            },
        },
    ),
    "disappearing": ({"ephemeralMessage": {"message": TEXT}}, {"type": "text", "body": "oi"}),
    "from another device of ours": (
        {"deviceSentMessage": {"destinationJid": CONTACT, "message": TEXT}},
        {"type": "text", "body": "oi"},
    ),
    "view once": (
        {"viewOnceMessage": {"message": {"imageMessage": IMAGE}}},
        {"type": "image", "media": IMAGE_MEDIA, "payload": {"view_once": True}},
    ),
    "view once inside disappearing": (
        {
            "ephemeralMessage": {
                "message": {"viewOnceMessageV2": {"message": {"imageMessage": IMAGE}}}
            }
        },
        {"type": "image", "media": IMAGE_MEDIA, "payload": {"view_once": True}},
    ),
    "view once voice": (
        {"viewOnceMessageV2Extension": {"message": {"audioMessage": {"ptt": True, "seconds": 3}}}},
        {
            "type": "audio",
            "media": {"voice": True, "seconds": 3, "inline": False},
            "payload": {"view_once": True},
        },
    ),
    "document with caption": (
        {"documentWithCaptionMessage": {"message": PDF}},
        {"type": "document", "body": "veja", "media": PDF_MEDIA},
    ),
    "document": (PDF, {"type": "document", "body": "veja", "media": PDF_MEDIA}),
    "video as a gif": (
        {"videoMessage": {"mimetype": "video/mp4", "gifPlayback": True, "caption": "rs"}},
        {
            "type": "video",
            "body": "rs",
            "media": {"mime_type": "video/mp4", "inline": False},
            "payload": {"gif": True},
        },
    ),
    "video note": (
        {"ptvMessage": {"mimetype": "video/mp4", "seconds": 9}},
        {
            "type": "video",
            "media": {"mime_type": "video/mp4", "seconds": 9, "inline": False},
            "payload": {"video_note": True},
        },
    ),
    "media stored by the server": (
        {
            "imageMessage": {"url": "https://mmg.whatsapp.net/x.enc"},
            "mediaUrl": "https://s3.example/b",
        },
        {"type": "image", "media": {"url": "https://s3.example/b", "inline": False}},
    ),
    "bytes and sizes as JavaScript writes them": (
        {
            "stickerMessage": {
                "mimetype": "image/webp",
                "isAnimated": True,
                "fileSha256": {"0": 1, "1": 2, "2": 255},
                "fileLength": {"low": 2048, "high": 0, "unsigned": True},
            }
        },
        {
            "type": "sticker",
            "media": {"mime_type": "image/webp", "sha256": "AQL/", "bytes": 2048, "inline": False},
            "payload": {"animated": True},
        },
    ),
    "animated sticker in its wrapper": (
        {"lottieStickerMessage": {"message": {"stickerMessage": {"isAnimated": True}}}},
        {"type": "sticker", "media": {"inline": False}, "payload": {"animated": True}},
    ),
    "location": (
        {"locationMessage": {"degreesLatitude": -19.9, "degreesLongitude": -43.9, "name": "Loja"}},
        {
            "type": "location",
            "body": "Loja",
            "payload": {"latitude": -19.9, "longitude": -43.9, "name": "Loja"},
        },
    ),
    "live location": (
        {"liveLocationMessage": {"degreesLatitude": 1, "degreesLongitude": 2, "caption": "indo"}},
        {
            "type": "location",
            "body": "indo",
            "payload": {"latitude": 1, "longitude": 2, "live": True},
        },
    ),
    "contact": (
        {"contactMessage": {"displayName": "Rui", "vcard": VCARD}},
        {
            "type": "contacts",
            "body": "Rui",
            "payload": {"contacts": [{"name": "Rui", "phones": ["+55 31 98888-7777"]}]},
        },
    ),
    "contacts": (
        {"contactsArrayMessage": {"contacts": [{"vcard": VCARD}, {"displayName": "Bia"}]}},
        {
            "type": "contacts",
            "body": "Rui Lima, Bia",
            "payload": {
                "contacts": [
                    {"name": "Rui Lima", "phones": ["+55 31 98888-7777"]},
                    {"name": "Bia", "phones": []},
                ]
            },
        },
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_a_message_has_this_type_and_content(name: str) -> None:
    message, expected = CASES[name]
    assert summary(received(message)) == expected
