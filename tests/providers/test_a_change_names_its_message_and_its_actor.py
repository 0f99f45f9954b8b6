"""Reactions, edits, deletions and answers say which message they mean, and who did it."""

from typing import Any

import pytest

from functions.providers.events import Event, Json, MessageReceived
from tests.providers import baileys, cloud
from tests.providers.baileys import CONTACT, OWN, TEXT

GROUP = "120363000000000002@g.us"
EDIT = {"key": {"id": "OLD"}, "type": "MESSAGE_EDIT", "editedMessage": {"conversation": "novo"}}
REVOKE = {"key": {"id": "OLD"}, "type": "REVOKE"}
ON_BAILEYS: dict[str, Json] = {
    "reaction": {"reactionMessage": {"key": {"id": "OLD"}, "text": "👍"}},
    "edit": {"editedMessage": {"message": {"protocolMessage": EDIT}}},
    "revoke": {"protocolMessage": REVOKE},
}
ON_THE_CLOUD_API: dict[str, Json] = {
    "reaction": {"message_id": "OLD", "emoji": "👍"},
    "edit": {"original_message_id": "OLD", "message": {"type": "text", "text": {"body": "novo"}}},
    "revoke": {"original_message_id": "OLD"},
}


def one(found: list[Event]) -> MessageReceived:
    [message] = found
    assert isinstance(message, MessageReceived)
    return message


@pytest.mark.parametrize("kind", ON_BAILEYS)
@pytest.mark.parametrize(
    ("key", "actor"),
    [
        ({}, "contact"),
        ({"remoteJid": "10000000000001@lid"}, "contact"),
        ({"fromMe": True}, "us"),
        ({"remoteJid": GROUP, "participant": CONTACT}, CONTACT),
        ({"remoteJid": GROUP, "participant": "1@lid", "participantAlt": CONTACT}, CONTACT),
        ({"remoteJid": GROUP, "participant": CONTACT, "fromMe": True}, "us"),
    ],
)
def test_a_change_on_baileys(kind: str, key: Json, actor: str) -> None:
    found = baileys.received(ON_BAILEYS[kind], key=key)
    assert (found.type, found.target, found.actor) == (kind, "OLD", actor)
    assert found.reply_to is None


@pytest.mark.parametrize("kind", ON_THE_CLOUD_API)
@pytest.mark.parametrize(
    ("extra", "field", "actor"),
    [
        ({}, "messages", "contact"),
        ({"group_id": "1203@g.us"}, "messages", "16505551234"),
        ({"from": "15550783881", "to": "16505551234"}, "smb_message_echoes", "us"),
    ],
)
def test_a_change_on_the_cloud_api(kind: str, extra: Json, field: str, actor: str) -> None:
    found = cloud.received({"type": kind, kind: ON_THE_CLOUD_API[kind], **extra}, field=field)
    assert (found.type, found.target, found.actor) == (kind, "OLD", actor)


@pytest.mark.parametrize("emoji", ["", None])
def test_a_reaction_is_taken_back(emoji: str | None) -> None:
    on_baileys = {"reactionMessage": {"key": {"id": "OLD"}, "text": emoji}}
    on_the_cloud = {"type": "reaction", "reaction": {"message_id": "OLD", "emoji": emoji}}
    for found in (baileys.received(on_baileys), cloud.received(on_the_cloud)):
        assert (found.type, found.target, found.body) == ("reaction", "OLD", None)
        assert found.payload == {"removed": True}


def test_a_bare_edit_is_by_whoever_wrote_its_message() -> None:
    """Its key is as the editor sees the chat: that it is `fromMe` says nothing of us."""
    key = {"remoteJid": OWN, "fromMe": True, "id": "OLD"}
    found = one(baileys.events({**EDIT, "key": key}, "messages.edited"))
    assert (found.type, found.target, found.actor) == ("edit", "OLD", None)


@pytest.mark.parametrize(
    ("key", "actor"),
    [
        ({"remoteJid": CONTACT, "fromMe": False}, "contact"),
        ({"remoteJid": CONTACT, "fromMe": True}, "us"),
        ({"remoteJid": GROUP, "fromMe": False, "participant": CONTACT}, CONTACT),
    ],
)
def test_a_deletion_is_by_whoever_its_key_names(key: Json, actor: str) -> None:
    """Of an admin who deletes what another wrote, too."""
    for data in ({**key, "id": "OLD"}, {"id": "cm1", "key": {**key, "id": "OLD"}}):
        found = one(baileys.events(data, "messages.delete"))
        assert (found.type, found.target, found.actor) == ("revoke", "OLD", actor)


QUOTE = {
    "stanzaId": "OLD",
    "participant": OWN,
    "quotedMessage": {"extendedTextMessage": {"text": "Qual o prazo?"}},
}


@pytest.mark.parametrize("lifted", [False, True])
def test_an_answer_remembers_what_it_answers(lifted: bool) -> None:
    message: Any = TEXT if lifted else {"extendedTextMessage": {"text": "oi", "contextInfo": QUOTE}}
    more: dict[str, Any] = {"contextInfo": QUOTE} if lifted else {}
    found = baileys.received(message, **more)
    assert found.reply_to == "OLD"
    assert found.quoted == {"author": "us", "type": "text", "body": "Qual o prazo?"}


def test_an_answer_to_a_status_says_so() -> None:
    image = {"imageMessage": {"caption": "promo", "mimetype": "image/jpeg"}}
    quote = {**QUOTE, "remoteJid": "status@broadcast", "quotedMessage": image}
    found = baileys.received(TEXT, contextInfo=quote)
    assert found.quoted == {
        "author": "us",
        "chat": "status@broadcast",
        "type": "image",
        "body": "promo",
    }
    assert found.chat_kind == "direct"


@pytest.mark.parametrize(
    ("author", "quoted"),
    [
        ("15550783881", {"author": "us"}),
        ("16505551234", {"author": "16505551234"}),
        (None, None),
    ],
)
def test_an_answer_on_the_cloud_api_names_whom_it_answers(
    author: str | None, quoted: Json | None
) -> None:
    context = {"from": author, "id": "OLD"}
    found = cloud.received({"type": "text", "text": {"body": "oi"}, "context": context})
    assert (found.reply_to, found.quoted) == ("OLD", quoted)


def test_a_picture_of_an_album_names_its_album() -> None:
    association = {"associationType": "MEDIA_ALBUM", "parentMessageKey": {"id": "ALBUM"}}
    message = {
        "messageContextInfo": {"messageAssociation": association},
        "imageMessage": {"mimetype": "image/jpeg"},
    }
    assert baileys.received(message).payload == {"album": "ALBUM"}


def test_an_edit_in_an_update_and_one_with_a_time_are_told_apart() -> None:
    """The update is a copy without a time: it ranks below the other, which has its own key."""
    inner = {"editedMessage": {"message": {"conversation": "novo"}}}
    update = {"keyId": "OLD", "remoteJid": CONTACT, "status": "SERVER_ACK", "message": inner}
    copy = one(baileys.events(update, "messages.update"))
    dated = one(baileys.events({**EDIT, "timestampMs": "1763326190000"}, "messages.edited"))
    assert (copy.sent_at, copy.body) == (None, dated.body)
    assert dated.sent_at == "2025-11-16T20:49:50+00:00"
    assert copy.provider_message_id != dated.provider_message_id
