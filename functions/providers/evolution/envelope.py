"""One webhook of Evolution into items: {event, instance, data, date_time, sender, ...}.

`date_time` is the server's local time with a false Z: it tells two emissions apart and is read as
a time nowhere. `apikey`, `destination` and `server_url` are not stored: they hold secrets.
"""

import re
import time
from collections.abc import Callable
from typing import Any

from functions.providers.base import Item
from functions.providers.body import read_object
from functions.providers.events import Json
from functions.providers.evolution.catalogue import content_of
from functions.providers.fields import at, decoded_json, first_text, integer, record, text
from functions.providers.identity import parse_jid
from functions.providers.keys import dedupe_key, digest

_CONTEXT = ("event", "instance", "sender", "date_time")
_PAGE = 100  # elements of a long contact or chat list in one item
_PAGED = ("contacts.", "chats.", "groups.", "labels.")
_IN_CHAT = ("messages.", "send.")


def split_body(raw: bytes, endpoint_route: str | None) -> list[Item]:
    body = read_object(raw)
    kind = event_kind(body.get("event"))
    # The address decides whose keys these are; a body that names another instance is for nobody.
    named = text(body.get("instance")) or endpoint_route or ""
    route = endpoint_route or named
    context = {name: body[name] for name in _CONTEXT if name in body}
    decoded = decoded_json(body.get("data"))  # relays write it as a string
    return [_item(kind, route, named, context, data) for data in _units(kind, decoded)]


def event_kind(event: Any) -> str:
    """'MESSAGES_UPSERT', 'messages-upsert' and 'messages.upsert' are one event."""
    return re.sub(r"[.\-_\s]+", ".", text(event) or "unknown").strip(".").lower()[:64] or "unknown"


def message_id(data: Any) -> str | None:
    """The WhatsApp id; `messageId` is Evolution's own row and comes last."""
    return first_text(
        at(data, "keyId"), at(data, "key", "id"), at(data, "id"), at(data, "messageId")
    )


def _units(kind: str, data: Any) -> list[Any]:
    for name in ("messages", "keys"):  # Baileys' own shapes: {messages: [...], type: 'notify'}
        if isinstance(data, dict) and isinstance(data.get(name), list):
            data = data[name]
    if not isinstance(data, list):
        return [data]
    if kind.startswith(_PAGED) and len(data) > 1:
        return [data[start : start + _PAGE] for start in range(0, len(data), _PAGE)]
    return data or [None]


def _item(kind: str, route: str, named: str, context: Json, data: Any) -> Item:
    name = _KEYS.get(kind, _state_key)
    chat = _chat(data) if kind.startswith(_IN_CHAT) and kind != "messages.update" else None
    if kind.startswith(("connection.", "status.", "qrcode.")):
        chat = "connection"  # open and close must be applied in the order they came
    return Item(
        dedupe_key=dedupe_key(route, kind, *name(context, data)),
        route_kind="instance",
        route_value=named,
        kind=kind,
        order_key=dedupe_key(route, chat) if chat else None,
        raw={**context, "data": data},
    )


def _chat(data: Any) -> str | None:
    """The phone's address where it is known, because one chat alternates between phone and LID."""
    key = record(at(data, "key"))
    names = [key.get("remoteJid"), key.get("remoteJidAlt"), at(data, "remoteJid")]
    jids = [jid for name in names if (jid := parse_jid(name))]
    chosen = next((jid for jid in jids if jid.is_phone), jids[0] if jids else None)
    return str(chosen) if chosen else None


def _message_key(context: Json, data: Any) -> list[str]:
    identity = message_id(data)
    if identity is None:
        return ["hash", digest(data)]
    if _is_readable(at(data, "message")):
        return [identity]
    return [identity, "empty"]  # a placeholder must not hide the message that follows it


def _is_readable(message: Any) -> bool:
    if not isinstance(message, dict):
        return bool(message)
    content = content_of(message)
    return content is not None and "pending" not in content.payload


def _update_key(context: Json, data: Any) -> list[str]:
    identity = message_id(data)
    if identity is None:
        return ["hash", digest(data)]
    status = first_text(at(data, "status"), at(data, "update", "status"))
    content = at(data, "pollUpdates") or at(data, "message") or at(data, "update", "message")
    content = content or (None if status else at(data, "update"))
    return [identity, status or "none", *([digest(content)] if content else [])]


def _edit_key(context: Json, data: Any) -> list[str]:
    identity = message_id(data) or "none"
    version = integer(at(data, "timestampMs"))
    return [
        identity,
        digest(at(data, "editedMessage") or data) if version is None else str(version),
    ]


def _delete_key(context: Json, data: Any) -> list[str]:
    key = record(at(data, "key"))
    identity = text(key.get("id")) or message_id(data)
    return [identity] if identity else ["hash", digest(data)]


def _call_key(context: Json, data: Any) -> list[str]:
    identity = text(at(data, "id"))
    status = text(at(data, "status")) or "none"
    return [identity, status] if identity else ["hash", digest(data)]


def _connection_key(context: Json, data: Any) -> list[str]:
    state = first_text(at(data, "state"), at(data, "status")) or "none"
    reason = first_text(at(data, "statusReason"), at(data, "disconnectionReasonCode")) or "none"
    return [state, reason, _emitted(context)]


def _state_key(context: Json, data: Any) -> list[str]:
    """Of news without an id: the same content said again later is news again."""
    return [digest(data), _emitted(context)]


def _emitted(context: Json) -> str:
    # To the second: a number can open and close twice in a minute, and the last one counts.
    said = text(context.get("date_time"))
    return said[:19] if said else f"minute-{int(time.time() // 60)}"


_KEYS: dict[str, Callable[[Json, Any], list[str]]] = {
    "messages.upsert": _message_key,
    "messages.set": _message_key,
    "send.message": _message_key,
    "messages.update": _update_key,
    "messages.edited": _edit_key,
    "send.message.update": _edit_key,
    "messages.delete": _delete_key,
    "call": _call_key,
    "connection.update": _connection_key,
    "status.instance": _connection_key,
}
