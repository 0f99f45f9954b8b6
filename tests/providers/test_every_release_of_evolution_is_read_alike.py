"""Bodies of servers from 2.2 to 2.3.7 and of Cloud mode, and the events that they are.

The shapes are those of public issues and of the servers' own sources; people and ids are invented.
"""

from typing import Any

import orjson
import pytest

from functions.providers.events import ContactSeen, Identity, Json, MessageReceived, Notice
from functions.providers.evolution import EVOLUTION
from tests.providers.baileys import CONTACT, OWN, PN, TEXT, events, received, summary

GROUP = "120363000000000001@g.us"
CONTEXT = {"messageContextInfo": {"deviceListMetadataVersion": 2, "messageSecret": "AAAA"}}
EDIT: Json = {
    "key": {"remoteJid": OWN, "fromMe": True, "id": "OLD"},  # as the contact sees the chat
    "type": "MESSAGE_EDIT",
    "editedMessage": {"conversation": "novo"},
    "timestampMs": "1763326190000",
}
REVOKE: Json = {"key": {"remoteJid": OWN, "fromMe": True, "id": "OLD"}, "type": "REVOKE"}
WRAPPED: Json = {"editedMessage": {"message": {"protocolMessage": EDIT}}, **CONTEXT}

CONTENTS: dict[str, tuple[Any, Json]] = {
    "empty text": ({"conversation": ""}, {"type": "text"}),
    "announcement of a community": (
        {"senderKeyDistributionMessage": {"groupId": GROUP}, "extendedTextMessage": {"text": "a"}},
        {"type": "text", "body": "a"},
    ),
    "code of a company": (
        {"templateMessage": {"interactiveMessageTemplate": {"body": {"text": "Código 1"}}}},
        {"type": "interactive", "body": "Código 1", "payload": {"kind": "template"}},
    ),
    "buttons under a title": (
        {"interactiveMessage": {"header": {"title": "Pague"}, "nativeFlowMessage": {}}},
        {"type": "interactive", "body": "Pague", "payload": {"kind": "interactive"}},
    ),
    "image in Cloud mode": (
        {
            "imageMessage": {"caption": "c", "mime_type": "image/jpeg", "sha256": "AQ=", "id": "9"},
            "mediaUrl": "https://s3.example/a",
        },
        {
            "type": "image",
            "body": "c",
            "media": {
                "id": "9",
                "url": "https://s3.example/a",
                "mime_type": "image/jpeg",
                "sha256": "AQ=",
                "inline": False,
            },
        },
    ),
    "document in Cloud mode": (
        {"documentMessage": {"filename": "a.pdf", "mime_type": "application/pdf"}},
        {
            "type": "document",
            "media": {"mime_type": "application/pdf", "file_name": "a.pdf", "inline": False},
        },
    ),
    "sticker in Cloud mode": (
        {"stickerMessage": {}},
        {"type": "sticker", "media": {"inline": False}},
    ),
    "order in Cloud mode": (
        {"orderMessage": {"catalog_id": "9", "text": "quero", "product_items": [{"quantity": 1}]}},
        {
            "type": "order",
            "body": "quero",
            "payload": {"catalog_id": "9", "product_items": [{"quantity": 1}]},
        },
    ),
}


@pytest.mark.parametrize("name", CONTENTS)
def test_a_message_has_this_type_and_content(name: str) -> None:
    message, expected = CONTENTS[name]
    assert summary(received(message)) == expected


def change(event: str, data: Json) -> MessageReceived:
    [found] = events(data, event)
    assert isinstance(found, MessageReceived)
    return found


def test_an_edit_told_by_two_events_is_one() -> None:
    """2.2 posts `messages.edited` and `messages.upsert` for it, the second with another id."""
    upsert = received(WRAPPED, key={"id": "NEW"})
    edited = change("messages.edited", EDIT)
    assert upsert.provider_message_id == edited.provider_message_id == "OLD#edit-1763326190000"
    assert (upsert.type, upsert.body, upsert.target) == ("edit", "novo", "OLD")
    assert (edited.type, edited.body, edited.target) == ("edit", "novo", "OLD")


def test_edits_without_a_time_are_told_apart_by_what_they_say() -> None:
    first = {**EDIT, "timestampMs": None}
    second = {**first, "editedMessage": {"conversation": "mais novo"}}
    ids = {change("messages.edited", edit).provider_message_id for edit in (first, second)}
    assert len(ids) == 2
    assert received({"protocolMessage": first}).provider_message_id in ids


def test_a_deletion_told_by_three_events_is_one() -> None:
    key = {"remoteJid": CONTACT, "fromMe": False, "id": "OLD"}
    found = [
        change("messages.delete", key),
        change("messages.edited", REVOKE),
        received({"protocolMessage": REVOKE}, key={"id": "NEW"}),
    ]
    assert {(one.provider_message_id, one.type, one.target) for one in found} == {
        ("OLD#revoke", "revoke", "OLD")
    }


def test_the_chat_of_a_bare_edit_is_that_of_its_message() -> None:
    """Its key is the editor's: `fromMe` of another member of a group says nothing of us."""
    for remote in (OWN, GROUP, "10000000000009@lid"):
        found = change("messages.edited", {**EDIT, "key": {**EDIT["key"], "remoteJid": remote}})
        assert (found.chat_kind, found.identities, found.target) == ("direct", [], "OLD")


@pytest.mark.parametrize("kind", ["EPHEMERAL_SETTING", "HISTORY_SYNC_NOTIFICATION", 17])
def test_other_protocol_messages_are_no_edits(kind: Any) -> None:
    """From 2.3.1 on all of them are posted as `messages.edited`."""
    data = {"key": {"remoteJid": PN, "fromMe": True, "id": "OLD"}, "type": kind}
    assert events(data, "messages.edited") == [Notice("message_for_devices", {"type": str(kind)})]


def test_votes_named_deleted_are_votes() -> None:
    """From 2.3.1 on the status of every update without one is DELETED."""
    data = {"keyId": "P1", "remoteJid": PN, "status": "DELETED", "pollUpdates": [{"name": "a"}]}
    [found] = events(data, "messages.update")
    assert isinstance(found, Notice)
    assert found.value["pollUpdates"] == [{"name": "a"}]


@pytest.mark.parametrize(
    "placeholder",
    [
        None,
        {},
        CONTEXT,
        {**CONTEXT, "placeholderMessage": {"type": "MASK_LINKED_DEVICES"}},
        {"senderKeyDistributionMessage": {"groupId": GROUP}},
    ],
)
def test_what_cannot_be_read_yet_hides_not_what_follows_under_its_id(placeholder: Any) -> None:
    keys = []
    for message in (placeholder, {**CONTEXT, **TEXT}, TEXT):
        data = {"key": {"remoteJid": PN, "id": "A"}, "message": message}
        body = {"event": "messages.upsert", "data": data}
        keys += [item.dedupe_key for item in EVOLUTION.split(orjson.dumps(body), "loja")]
    assert keys == ["loja|messages.upsert|A|empty", "loja|messages.upsert|A", keys[1]]


@pytest.mark.parametrize(
    "data",
    [
        {"remoteJid": PN, "pushName": "553199990001"},
        {"remoteJid": PN, "pushName": "5531999990001"},
        {"remoteJid": PN, "pushName": "+553199990001"},
        {"remoteJid": PN, "pushName": PN},
    ],
)
def test_digits_in_the_place_of_a_name_are_none(data: Json) -> None:
    """Servers name a contact without a name after its address, in every list of contacts."""
    phone = [Identity("phone", "+5531999990001"), Identity("wa_id", "553199990001")]
    assert events(data, "contacts.upsert") == [ContactSeen(phone, None, "contacts.upsert")]


@pytest.mark.parametrize(
    ("participant", "alternative", "name"),
    [
        ("10000000000009@lid", None, "10000000000009"),
        ("10000000000009@lid", PN, "553199990001"),
        ("553199990001:12@s.whatsapp.net", None, "553199990001:12@s.whatsapp.net"),
    ],
)
def test_a_member_of_a_group_without_a_name_has_none(
    participant: str, alternative: str | None, name: str
) -> None:
    key = {"remoteJid": GROUP, "participant": participant, "participantAlt": alternative}
    found = received(TEXT, key=key, pushName=name)
    assert found.author is not None
    assert found.author["name"] is None


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("1763326182.837", "2025-11-16T20:49:42+00:00"),
        (4_000_000_000, "2096-10-02T07:06:40+00:00"),
        (40_000_000_000, None),  # the year 3237
        (1_831_353_600_000_000, None),
        ("NaN", None),
        (-1, None),
    ],
)
def test_a_time_that_no_message_has_is_none(written: Any, read: str | None) -> None:
    assert received(TEXT, messageTimestamp=written).sent_at == read


@pytest.mark.parametrize("jid", ["000000000000@s.whatsapp.net", "0@s.whatsapp.net", "123@bot"])
def test_an_address_that_is_no_phone_has_none(jid: str) -> None:
    found = received(TEXT, key={"remoteJid": jid})
    assert (found.chat_address, found.identities) == (jid, [])
