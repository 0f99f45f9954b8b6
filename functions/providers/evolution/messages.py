"""Whose message it is, in which chat, and what is in it: one element of `messages.upsert`.

A chat has up to two addresses, phone and LID, in fields that changed with every release
(`remoteJidAlt`, `senderPn`, `previousRemoteJid`, swapped in 2.4). Both become identities.
"""

from typing import Any

from functions.providers.base import Direction, Event, Identity, Json, MessageReceived, Status
from functions.providers.base import Unknown as Unknown
from functions.providers.content import Content
from functions.providers.evolution.catalogue import content_of, edited
from functions.providers.evolution.envelope import message_id
from functions.providers.fields import (
    at,
    bounded,
    compact,
    first_text,
    instant,
    integer,
    record,
    text,
    without_none,
)
from functions.providers.identity import (
    Jid,
    address_text,
    jid_identities,
    parse_jid,
    phone_of,
    profile_name,
)

STATUSES: dict[str, Status] = {
    "0": "failed", "ERROR": "failed", "FAILED": "failed",
    "1": "accepted", "PENDING": "accepted",
    "2": "sent", "SERVER_ACK": "sent", "SENT": "sent",
    "3": "delivered", "DELIVERY_ACK": "delivered", "DELIVERED": "delivered",
    "4": "read", "READ": "read",
    "5": "played", "PLAYED": "played",
}  # fmt: skip
_CIPHERTEXT = ("2", "CIPHERTEXT")
_NO_QUOTE = frozenset({"reaction", "edit", "revoke"})
_REVOKES = ("0", "REVOKE")
_CHANGES = (*_REVOKES, "14", "MESSAGE_EDIT")


def status_of(value: Any) -> Status | None:
    return STATUSES.get((text(value) or "").strip().upper())


def read_message(kind: str, context: Json, data: Json) -> Event:
    identity = message_id(data)
    key = record(data.get("key"))
    chat = parse_jid(key.get("remoteJid")) or parse_jid(data.get("remoteJid"))
    chat = chat or parse_jid(key.get("remoteJidAlt")) or parse_jid(key.get("participant"))
    if identity is None or chat is None:
        return Unknown(
            f"message {identity or 'without id'} names no {'chat' if identity else 'id'}"
        )
    content = _content(data)
    if content is None:
        return Unknown(f"message {identity} has no content for people")
    from_me = kind == "send.message" or is_true(key.get("fromMe"))
    identities = _identities(chat, key, data, context, from_me)
    direct = chat.chat_kind == "direct"
    out: Direction = "out" if from_me else "in"
    name = None if from_me else _name(data, key)
    return MessageReceived(
        provider_message_id=_change_id(content) or identity,
        sent_at=instant(data.get("messageTimestamp")) or instant(data.get("timestamp")),
        chat_address=_address(chat, identities),
        direction=out,
        origin=_origin(kind, from_me),
        chat_kind=chat.chat_kind,
        identities=identities if direct else [],
        author=None if direct or from_me else _author(key, data, name),
        name=name if direct else None,
        type=content.type,
        body=content.body,
        media=content.media,
        payload=_payload(kind, data, content),
        reply_to=None if content.type in _NO_QUOTE else _quoted(data, content),
        target=content.target,
        status=status_of(data.get("status")) if from_me else None,
    )


def _change_id(content: Content) -> str | None:
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
    if target is None:
        return Unknown("edit without the id of a message")
    inner = record(at(data, "message", "protocolMessage")) or data
    said = text(inner.get("type")) or "MESSAGE_EDIT"
    if not inner.get("editedMessage") and said not in _CHANGES:
        return Unknown(f"protocol message {said[:40]}")
    revoked = said in _REVOKES and not inner.get("editedMessage")
    content = Content("revoke", target=target) if revoked else edited(inner, target)
    own = kind == "send.message.update"
    return MessageReceived(
        provider_message_id=_change_id(content) or target,
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


def read_delete(kind: str, context: Json, data: Json) -> Event:
    key = record(data.get("key")) or data
    target = text(key.get("id")) or message_id(data)
    chat = parse_jid(key.get("remoteJid"))
    if target is None:
        return Unknown("deletion without the id of a message")
    from_me = is_true(key.get("fromMe"))
    identities = _identities(chat, key, data, context, from_me) if chat else []
    return MessageReceived(
        provider_message_id=f"{target}#revoke",
        sent_at=None,  # messageTimestamp is the deleted message's
        chat_address=_address(chat, identities) if chat else "",
        direction="out" if from_me else "in",
        origin=_origin(kind, from_me),
        chat_kind=chat.chat_kind if chat else "direct",
        identities=identities if chat and chat.chat_kind == "direct" else [],
        type="revoke",
        target=target,
    )


def is_true(value: Any) -> bool:
    return value is True or value == 1 or (isinstance(value, str) and value.lower() == "true")


def _edited_by_us(context: Json, chat: Jid | None, from_me: Any) -> bool:
    return is_true(from_me) and not _is_own(chat, parse_jid(context.get("sender")))


def _origin(kind: str, from_me: bool) -> Any:
    if kind == "send.message":
        return "api_echo"
    return "phone_echo" if from_me else "contact"


def _content(data: Json) -> Content | None:
    message = data.get("message")
    if isinstance(message, str):
        message = {"conversation": message}
    if isinstance(message, dict) and message:
        return content_of(message)
    stub = text(data.get("messageStubType"))
    if stub is None or stub in _CIPHERTEXT:
        # Somebody wrote, and it could not be decrypted yet: the text may follow under this id.
        return Content("unsupported", payload={"pending": True})
    parameters = compact(data.get("messageStubParameters"), 2)
    return Content("system", payload=without_none(kind="stub", stub=stub, parameters=parameters))


def _identities(chat: Jid, key: Json, data: Json, context: Json, from_me: bool) -> list[Identity]:
    own = parse_jid(context.get("sender"))
    names = [key.get("remoteJidAlt"), data.get("remoteJidAlt"), key.get("previousRemoteJid")]
    if not from_me:  # of our own messages these are our own
        names += [holder.get(name) for name in ("senderPn", "senderLid") for holder in (key, data)]
    others = [jid for name in names if (jid := parse_jid(name)) and not _is_own(jid, own)]
    if from_me and chat.is_phone:
        # Baileys fills remoteJidAlt from the sender, which is us: that LID would be ours.
        others = [jid for jid in others if not jid.is_lid]
    found = jid_identities(chat, *others)
    username = address_text(key.get("remoteJidUsername"))
    return found + ([Identity("username", username.lstrip("@"))] if username else [])


def _is_own(jid: Jid | None, own: Jid | None) -> bool:
    if jid is None or own is None or jid.server != own.server:
        return False
    return jid.user == own.user or (jid.is_phone and phone_of(jid.user) == phone_of(own.user))


def _address(chat: Jid, identities: list[Identity]) -> str:
    """The phone where it is known: servers before 2.4 cannot send to every LID."""
    if chat.is_lid:
        phone = next((known.value for known in identities if known.kind == "wa_id"), None)
        return f"{phone}@s.whatsapp.net" if phone else str(chat)
    return str(chat)


def _author(key: Json, data: Json, name: str | None) -> Json | None:
    names = [key.get(part) for part in ("participantAlt", "participantPn", "participant")]
    jids = [jid for value in (*names, data.get("participant")) if (jid := parse_jid(value))]
    chosen = next((jid for jid in jids if jid.is_phone), jids[0] if jids else None)
    return {"id": str(chosen), "name": name} if chosen else None


def _name(data: Json, key: Json) -> str | None:
    """The profile name; Evolution fills an unknown one with the digits of the address."""
    name = first_text(data.get("pushName"), data.get("verifiedBizName"))
    parts = ("remoteJid", "remoteJidAlt", "participant", "participantAlt", "participantPn")
    return profile_name(name, data.get("participant"), *(key.get(part) for part in parts))


def _contexts(data: Json, content: Content) -> list[Json]:
    return [content.context, record(data.get("contextInfo"))]


def _quoted(data: Json, content: Content) -> str | None:
    return first_text(*(context.get("stanzaId") for context in _contexts(data, content)))


def _payload(kind: str, data: Json, content: Content) -> Json:
    context = {**record(data.get("contextInfo")), **content.context}
    advertisement = record(context.get("externalAdReply"))
    mentions = context.get("mentionedJid")
    extra = without_none(
        forwarded=True if is_true(context.get("isForwarded")) else None,
        mentions=compact(mentions, 2) if isinstance(mentions, list) and mentions else None,
        expiration_seconds=integer(context.get("expiration")) or None,
        referral=_referral(advertisement) if advertisement else None,
        history=True if kind == "messages.set" else None,
    )
    return bounded({**content.payload, **extra})


def _referral(advertisement: Json) -> Json:
    return without_none(
        source_type=text(advertisement.get("sourceType")),
        source_id=text(advertisement.get("sourceId")),
        source_url=text(advertisement.get("sourceUrl")),
        headline=text(advertisement.get("title")),
        body=text(advertisement.get("body")),
        ctwa_clid=text(advertisement.get("ctwaClid")),
    )
