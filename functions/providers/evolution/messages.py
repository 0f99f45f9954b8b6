"""Whose message it is, in which chat, and what is in it: one element of `messages.upsert`.

addressing.py tells whose, changes.py reads the events that only change a message.
"""

from typing import Any

from functions.providers.content import Content
from functions.providers.events import (
    Direction,
    Event,
    Json,
    MessageReceived,
    Notice,
    Status,
    Unknown,
)
from functions.providers.evolution.addressing import (
    actor_of,
    address_of,
    author_of,
    identities_of,
    is_own,
    is_true,
    name_of,
    origin_of,
)
from functions.providers.evolution.catalogue import BESIDE, content_of
from functions.providers.evolution.changes import change_id
from functions.providers.evolution.envelope import message_id
from functions.providers.fields import (
    at,
    bounded,
    compact,
    instant,
    integer,
    record,
    text,
    without_none,
)
from functions.providers.identity import (
    parse_jid,
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
_LONGEST_QUOTE = 1000
_ALBUM = ("messageContextInfo", "messageAssociation", "parentMessageKey", "id")
_CHANGES = frozenset({"reaction", "edit", "revoke", "vote"})


def status_of(value: Any) -> Status | None:
    return STATUSES.get((text(value) or "").strip().upper())


def read_message(kind: str, context: Json, data: Json) -> Event:
    identity = message_id(data)
    key = record(data.get("key"))
    chat = parse_jid(key.get("remoteJid")) or parse_jid(data.get("remoteJid"))
    chat = chat or parse_jid(key.get("remoteJidAlt")) or parse_jid(key.get("participant"))
    if identity is None or chat is None:
        return Unknown(f"message names no {'chat' if identity else 'id'}")
    content = _content(data)
    if content is None:
        return Notice("message_for_devices", {"type": _type_of(data)})
    from_me = kind == "send.message" or is_true(key.get("fromMe"))
    identities = identities_of(chat, key, data, context, from_me)
    direct = chat.chat_kind == "direct"
    out: Direction = "out" if from_me else "in"
    name = None if from_me else name_of(data, key)
    author = None if direct or from_me else author_of(key, data, name)
    return MessageReceived(
        provider_message_id=change_id(content) or identity,
        sent_at=instant(data.get("messageTimestamp")) or instant(data.get("timestamp")),
        chat_address=address_of(chat, identities),
        direction=out,
        origin=origin_of(kind, from_me),
        chat_kind=chat.chat_kind,
        identities=identities if direct else [],
        author=author,
        name=name if direct else None,
        type=content.type,
        body=content.body,
        media=content.media,
        payload=_payload(kind, data, content),
        reply_to=None if content.type in _CHANGES else _reply_to(data, content),
        quoted=None if content.type in _CHANGES else _quoted(data, content, context),
        target=content.target,
        actor=actor_of(chat, from_me, author) if content.type in _CHANGES else None,
        status=status_of(data.get("status")) if from_me else None,
    )


def _content(data: Json) -> Content | None:
    message = data.get("message")
    if isinstance(message, str):
        message = {"conversation": message}
    if isinstance(message, dict) and message:
        # Who chose what stands beside the message that says that somebody did.
        content = content_of({"pollUpdates": data.get("pollUpdates"), **message})
        return content or _unread(data, message)
    stub = text(data.get("messageStubType"))
    if stub is None or stub in _CIPHERTEXT:
        # Somebody wrote, and it could not be decrypted yet: the text may follow under this id.
        return Content("unsupported", payload={"pending": True})
    parameters = compact(data.get("messageStubParameters"), 2)
    return Content("system", payload=without_none(kind="stub", stub=stub, parameters=parameters))


def _unread(data: Json, message: Json) -> Content | None:
    """An instance in Cloud mode leaves the message empty that it has no words for."""
    kind = text(data.get("messageType")) or ""
    if "protocolMessage" in message or not kind.endswith("Message") or kind in BESIDE:
        return None
    return Content("unsupported", payload={"content": kind[:64]})


def _type_of(data: Json) -> str | None:
    inner = record(at(data, "message", "protocolMessage"))
    return text(inner.get("type")) or text(data.get("messageType"))


def _context(data: Json, content: Content) -> Json:
    """Lifted to the envelope by 2.3.7; what stands in the message itself counts first."""
    return {**record(data.get("contextInfo")), **content.context}


def _quoted(data: Json, content: Content, context: Json) -> Json | None:
    """What it answers, as the sender's phone remembers it: that message may be from before us."""
    own = _context(data, content)
    said = record(own.get("quotedMessage"))
    inner = content_of(said) if said else None
    if inner is None or _reply_to(data, content) is None:
        return None
    author, chat = parse_jid(own.get("participant")), parse_jid(own.get("remoteJid"))
    return without_none(
        author="us" if is_own(author, parse_jid(context.get("sender"))) else author and str(author),
        chat=str(chat) if chat else None,  # of an answer to a status, or across chats
        type=inner.type,
        body=inner.body[:_LONGEST_QUOTE] if inner.body else None,
    )


def _reply_to(data: Json, content: Content) -> str | None:
    return text(_context(data, content).get("stanzaId"))


def _payload(kind: str, data: Json, content: Content) -> Json:
    context = _context(data, content)
    advertisement = record(context.get("externalAdReply"))
    mentions = context.get("mentionedJid")
    extra = without_none(
        forwarded=True if is_true(context.get("isForwarded")) else None,
        mentions=compact(mentions, 2) if isinstance(mentions, list) and mentions else None,
        expiration_seconds=integer(context.get("expiration")) or None,
        referral=_referral(advertisement) if advertisement else None,
        history=True if kind == "messages.set" else None,
        album=text(at(record(data.get("message")), *_ALBUM)),
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
