"""Every kind of Baileys message that Evolution passes on, in the wrappers it comes in."""

from typing import Any

import pytest

from functions.providers.base import Event, Identity, Json, MessageReceived, Notice, Unknown
from functions.providers.evolution import EVOLUTION

CONTACT = "5531999990001@s.whatsapp.net"
OWN = "5511988880000@s.whatsapp.net"


def events(data: Any, event: str = "messages.upsert") -> list[Event]:
    return EVOLUTION.parse(event, {"event": event, "instance": "loja", "sender": OWN, "data": data})


def received(
    message: Any, event: str = "messages.upsert", key: Json | None = None, **data: Any
) -> MessageReceived:
    whole = {"remoteJid": CONTACT, "fromMe": False, "id": "3EB0AA", **(key or {})}
    [found] = events(
        {
            "key": whole,
            "pushName": "Ana",
            "message": message,
            "messageTimestamp": 1763326182,
            **data,
        },
        event,
    )
    assert isinstance(found, MessageReceived)
    return found


def summary(message: MessageReceived) -> Json:
    fields = ("type", "body", "media", "payload", "reply_to", "target")
    return {name: got for name in fields if (got := getattr(message, name)) not in (None, {})}


TEXT = {"conversation": "oi"}
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
EDIT: Json = {
    "key": {"id": "OLD", "fromMe": True, "remoteJid": OWN},
    "type": "MESSAGE_EDIT",
    "editedMessage": {"extendedTextMessage": {"text": "novo"}},
    "timestampMs": "1763326182500",
}

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
        {"type": "system", "payload": {"kind": "pin_in_chat"}, "target": "3EB0EE"},
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


def test_a_notice_of_whatsapp_in_a_chat_is_a_system_message() -> None:
    found = received(None, messageStubType="GROUP_PARTICIPANT_ADD", messageStubParameters=["1@lid"])
    assert found.type == "system"
    assert found.payload == {
        "kind": "stub",
        "stub": "GROUP_PARTICIPANT_ADD",
        "parameters": ["1@lid"],
    }


def test_keys_sent_between_devices_are_no_message() -> None:
    key = {"remoteJid": CONTACT, "fromMe": False, "id": "3EB0AA"}
    message = {"protocolMessage": {"type": "APP_STATE_SYNC_KEY_SHARE"}}
    assert events({"key": key, "message": message}) == [
        Unknown("message 3EB0AA has no content for people")
    ]


def test_inline_media_is_announced_and_never_copied() -> None:
    found = received({"imageMessage": {**IMAGE, "jpegThumbnail": "/9j/"}, "base64": "QUJD" * 1000})
    assert found.media == {**IMAGE_MEDIA, "inline": True}
    assert "QUJD" not in repr(found)
    assert "/9j/" not in repr(found)


def test_the_quote_in_the_envelope_counts() -> None:
    """2.3.7 turns extendedTextMessage into conversation and lifts contextInfo."""
    assert received(TEXT, contextInfo={"stanzaId": "3EB0BB"}).reply_to == "3EB0BB"


def test_an_empty_name_is_no_name() -> None:
    assert received(TEXT, pushName="").name is None
    assert received(TEXT, pushName="5531999990001").name is None
    assert received(TEXT, pushName=" Ana ").name == "Ana"


@pytest.mark.parametrize(
    ("written", "read"),
    [
        (1763326182, "2025-11-16T20:49:42+00:00"),
        ("1763326182", "2025-11-16T20:49:42+00:00"),
        ({"low": 1763326182, "high": 0, "unsigned": True}, "2025-11-16T20:49:42+00:00"),
        (1763326182500, "2025-11-16T20:49:42.500000+00:00"),
        (0, None),
        (None, None),
        ("agora", None),
        (10**30, None),
    ],
)
def test_a_time_is_read_however_it_is_written(written: Any, read: str | None) -> None:
    assert received(TEXT, messageTimestamp=written).sent_at == read


def test_what_is_typed_on_the_phone_is_an_echo() -> None:
    found = received(TEXT, key={"fromMe": True}, pushName="Você", status="SERVER_ACK")
    assert (found.direction, found.origin, found.status) == ("out", "phone_echo", "sent")
    assert found.name is None


def test_what_the_api_sends_comes_back_as_another_echo() -> None:
    found = received(TEXT, event="send.message", key={"fromMe": True}, status="PENDING")
    assert (found.direction, found.origin, found.status) == ("out", "api_echo", "accepted")


def test_a_status_of_an_inbound_message_says_nothing() -> None:
    assert received(TEXT, status="DELIVERY_ACK").status is None


def test_history_is_marked() -> None:
    assert received(TEXT, event="messages.set").payload == {"history": True}


def test_an_edit_is_about_another_message_and_has_an_id_of_its_own() -> None:
    [found] = events(EDIT, "messages.edited")
    assert isinstance(found, MessageReceived)
    assert summary(found) == {
        "type": "edit",
        "body": "novo",
        "payload": {"type": "text"},
        "target": "OLD",
    }
    assert found.provider_message_id == "OLD#edit-1763326182500"
    assert found.sent_at == "2025-11-16T20:49:42.500000+00:00"
    assert found.identities == []  # the key shows the chat as the editor sees it: this is us
    assert found.direction == "in"


def test_a_deletion_is_about_another_message() -> None:
    key = {"remoteJid": CONTACT, "fromMe": False, "id": "OLD"}
    for data in (key, {"id": "cm1", "key": key, "status": "DELETED"}):
        [found] = events(data, "messages.delete")
        assert isinstance(found, MessageReceived)
        assert (found.type, found.target) == ("revoke", "OLD")
        assert found.provider_message_id == "OLD#revoke"


def test_votes_are_a_notice() -> None:
    data = {"keyId": "P1", "pollUpdates": [{"name": "Hoje", "voters": ["1@lid"]}]}
    assert events(data, "messages.update") == [
        Notice(
            "message_updated",
            {"id": "P1", "pollUpdates": [{"name": "Hoje", "voters": ["1@lid"]}]},
        )
    ]


def identities(key: Json, **data: Any) -> list[Identity]:
    return received(TEXT, key=key, **data).identities


PHONE = [Identity("phone", "+5531999990001"), Identity("wa_id", "553199990001")]
LID = [Identity("lid", "10000000000001")]
PN = "553199990001@s.whatsapp.net"


@pytest.mark.parametrize(
    "key",
    [
        {"remoteJid": "10000000000001@lid", "remoteJidAlt": PN, "addressingMode": "lid"},
        {"remoteJid": PN, "remoteJidAlt": "10000000000001@lid", "addressingMode": "pn"},
        {"remoteJid": "10000000000001@lid", "senderPn": PN},
        {"remoteJid": PN, "previousRemoteJid": "10000000000001@lid"},
        {"remoteJid": "10000000000001:4@lid", "remoteJidAlt": "553199990001:4@s.whatsapp.net"},
        {"remoteJid": PN, "senderLid": "10000000000001_1:4@lid", "participant": ""},
    ],
)
def test_phone_and_lid_of_a_contact_are_found_in_every_release(key: Json) -> None:
    found = received(TEXT, key=key)
    assert found.identities == PHONE + LID
    assert found.chat_address == PN  # every release can send to a phone


def test_a_lid_without_a_phone_is_an_address_of_its_own() -> None:
    found = received(TEXT, key={"remoteJid": "10000000000001@lid"})
    assert found.identities == LID
    assert found.chat_address == "10000000000001@lid"


def test_our_own_addresses_never_become_the_contact() -> None:
    mine = {"fromMe": True, "remoteJid": "10000000000001@lid"}
    assert identities({**mine, "remoteJidAlt": OWN}) == LID
    assert identities({**mine, "senderPn": OWN}) == LID
    assert identities({**mine, "remoteJidAlt": PN}) == PHONE + LID
    assert identities({"fromMe": True, "remoteJid": PN, "remoteJidAlt": "99999999@lid"}) == PHONE


def test_a_group_is_the_chat_and_its_participant_the_author() -> None:
    key = {"remoteJid": "1203630@g.us", "participant": "1@lid", "participantAlt": PN}
    found = received(TEXT, key=key)
    assert (found.chat_kind, found.chat_address) == ("group", "1203630@g.us")
    assert found.author == {"id": PN, "name": "Ana"}
    assert found.identities == []
    assert found.name is None


@pytest.mark.parametrize(
    ("jid", "kind"),
    [
        ("status@broadcast", "broadcast"),
        ("1700000000@broadcast", "broadcast"),
        ("120363144038483540@newsletter", "newsletter"),
    ],
)
def test_broadcasts_and_channels_are_no_conversation(jid: str, kind: str) -> None:
    found = received(TEXT, key={"remoteJid": jid, "participant": PN})
    assert (found.chat_kind, found.chat_address, found.identities) == (kind, jid, [])
    assert found.author == {"id": PN, "name": "Ana"}
