"""Edits, deletions and votes: each is told by up to three events."""

from typing import Any

from functions.providers.content import Content
from functions.providers.events import Event, Json, MessageReceived, Notice, Unknown
from functions.providers.evolution.addressing import (
    actor_of,
    address_of,
    author_of,
    identities_of,
    is_own,
    is_true,
    origin_of,
)
from functions.providers.evolution.catalogue import edited
from functions.providers.evolution.envelope import message_id
from functions.providers.fields import at, bounded, instant, record, text
from functions.providers.identity import Jid, parse_jid
from functions.providers.keys import digest

_REVOKES = ("0", "REVOKE")
_CHANGES = (*_REVOKES, "14", "MESSAGE_EDIT")


def change_id(content: Content) -> str | None:
    """One for an edit or deletion, because servers tell of it in up to three events."""
    if content.target and content.type == "revoke":
        return f"{content.target}#revoke"
    if content.target and content.version:
        return f"{content.target}#edit-{content.version}"
    return None


def read_edit(kind: str, context: Json, data: Json) -> Event:
    """`messages.edited` is a bare ProtocolMessage, its key as the *editor* sees the chat.

    So neither the chat, its kind nor the direction can be trusted, only the id of the message it
    changes. Servers from 2.3.1 on post every other ProtocolMessage under this name, too.
    """
    target = text(at(data, "key", "id")) or message_id(data)
    chat = parse_jid(at(data, "key", "remoteJid")) or parse_jid(data.get("remoteJid"))
    inner = record(at(data, "message", "protocolMessage")) or data
    said = text(inner.get("type")) or "MESSAGE_EDIT"
    if not inner.get("editedMessage") and said not in _CHANGES:
        return Notice("message_for_devices", {"type": said[:64]})
    if target is None:
        return Unknown("edit without the id of a message")
    revoked = said in _REVOKES and not inner.get("editedMessage")
    content = Content("revoke", target=target) if revoked else edited(inner, target)
    own = kind == "send.message.update"
    return MessageReceived(
        provider_message_id=change_id(content) or target,
        sent_at=instant(inner.get("timestampMs")) or instant(data.get("messageTimestamp")),
        chat_address=str(chat) if chat else "",
        direction="out" if own or _edited_by_us(context, chat, at(data, "key", "fromMe")) else "in",
        origin="api_echo" if own else "contact",
        type=content.type,
        body=content.body,
        media=content.media,
        payload=bounded(content.payload),
        target=target,
    )


def _edited_by_us(context: Json, chat: Jid | None, from_me: Any) -> bool:
    return is_true(from_me) and not is_own(chat, parse_jid(context.get("sender")))


def read_delete(kind: str, context: Json, data: Json) -> Event:
    key = record(data.get("key")) or data
    target = text(key.get("id")) or message_id(data)
    if target is None:
        return Unknown("deletion without the id of a message")
    ambiguous = {"ambiguous": True} if kind == "messages.update" else {}
    content = Content("revoke", payload=ambiguous, target=target)
    identity = f"{target}#update" if ambiguous else f"{target}#revoke"
    return _changed(identity, context, data, key, content)


def read_update(context: Json, data: Json) -> Event:
    """What `messages.update` says of a message beside a status: its new content, without a time."""
    key, message = record(data.get("key")), record(data.get("message"))
    inner = record(at(message, "editedMessage", "message")) or message
    content = edited({"editedMessage": inner}, text(key.get("id")))
    return _changed(change_id(content) or "", context, data, key, content)


def read_votes(context: Json, data: Json, updates: list[Json]) -> list[Event]:
    """Who chose what, as older servers tell instead of what the vote itself says. No time.

    Of a vote that was taken back nobody is named, so it is no event.
    """
    key = record(data.get("key"))
    target, chat = text(key.get("id")) or "", parse_jid(key.get("remoteJid"))
    chosen: dict[str, list[str]] = {}
    for option in updates:
        voters, name = option.get("voters"), text(option.get("name"))
        for voter in voters if isinstance(voters, list) and name else []:
            if actor := _voter(voter, chat, context):
                chosen.setdefault(actor, []).append(name or "")
    return [_vote(target, chat, actor, names, context) for actor, names in chosen.items()]


def _voter(voter: Any, chat: Jid | None, context: Json) -> str | None:
    jid = parse_jid(voter)
    if voter == "me" or is_own(jid, parse_jid(context.get("sender"))):
        return "us"
    if chat is None or chat.chat_kind == "direct":
        return "contact"
    return str(jid) if jid else None


def _vote(target: str, chat: Jid | None, actor: str, names: list[str], context: Json) -> Event:
    payload = {"options": names, "emitted": text(context.get("date_time"))}
    return MessageReceived(
        provider_message_id=f"{target}#vote-{digest([actor, names])[:16]}",
        sent_at=None,
        chat_address=str(chat) if chat else "",
        direction="out" if actor == "us" else "in",
        origin="phone_echo" if actor == "us" else "contact",
        chat_kind=chat.chat_kind if chat else "direct",
        type="vote",
        payload=bounded(payload),
        target=target,
        actor=actor,
    )


def _changed(identity: str, context: Json, data: Json, key: Json, content: Content) -> Event:
    """By whoever `key` names: it is that of the change under the id of what is changed.

    No time: that of the row is its target's.
    """
    chat = parse_jid(key.get("remoteJid"))
    from_me = is_true(key.get("fromMe"))
    identities = identities_of(chat, key, data, context, from_me) if chat else []
    direct = chat is None or chat.chat_kind == "direct"
    return MessageReceived(
        provider_message_id=identity,
        sent_at=None,
        chat_address=address_of(chat, identities) if chat else "",
        direction="out" if from_me else "in",
        origin=origin_of("messages.update", from_me),
        chat_kind=chat.chat_kind if chat else "direct",
        identities=identities if direct else [],
        type=content.type,
        body=content.body,
        media=content.media,
        payload=bounded(content.payload),
        target=content.target,
        actor=actor_of(chat, from_me, author_of(key, data, None)) if chat else None,
    )
