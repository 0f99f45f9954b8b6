"""Direction, echoes, names, times and both addresses of a chat."""

from typing import Any

import pytest

from functions.providers.events import Identity, Json, MessageReceived, Notice
from tests.providers.baileys import CONTACT, OWN, PN, TEXT, events, received, summary

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
        Notice("message_for_devices", {"type": "APP_STATE_SYNC_KEY_SHARE"})
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


@pytest.mark.parametrize(
    ("chat", "voter", "actor"),
    [
        (CONTACT, CONTACT, "contact"),
        (CONTACT, "10000000000078@lid", "contact"),
        (CONTACT, OWN, "us"),
        (CONTACT, "me", "us"),
        (None, CONTACT, "contact"),
        ("1203@g.us", CONTACT, CONTACT),
        ("1203@g.us", "10000000000078:3@lid", "10000000000078@lid"),
    ],
)
def test_each_vote_of_an_update_is_one_of_its_voter(
    chat: str | None, voter: str, actor: str
) -> None:
    options = [
        {"name": "Hoje", "voters": [voter]},
        {"name": "Amanhã", "voters": [voter]},
        {"name": "Nunca", "voters": []},
    ]
    data = {"keyId": "P1", "remoteJid": chat, "status": "SERVER_ACK", "pollUpdates": options}
    [found] = events(data, "messages.update")
    assert isinstance(found, MessageReceived)
    assert (found.type, found.target, found.actor, found.sent_at) == ("vote", "P1", actor, None)
    assert found.payload["options"] == ["Hoje", "Amanhã"]
    assert found.direction == ("out" if actor == "us" else "in")


def test_a_vote_that_was_taken_back_names_nobody() -> None:
    data = {"keyId": "P1", "pollUpdates": [{"name": "Hoje", "voters": []}]}
    assert events(data, "messages.update") == [
        Notice("message_updated", {"id": "P1", "pollUpdates": [{"name": "Hoje", "voters": []}]})
    ]


def identities(key: Json, **data: Any) -> list[Identity]:
    return received(TEXT, key=key, **data).identities


PHONE = [Identity("phone", "+5531999990001"), Identity("wa_id", "553199990001")]
LID = [Identity("lid", "10000000000001")]


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
