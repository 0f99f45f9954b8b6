"""A Cloud API message as our content, one small function per type."""

import re
from collections.abc import Callable
from typing import Any

from functions.providers.content import Content
from functions.providers.events import Json, MessageType
from functions.providers.fields import (
    at,
    compact,
    decoded_json,
    first_text,
    record,
    records,
    text,
    without_none,
)


def content_of(message: Json) -> Content:
    """The content; a type that is not listed is unsupported and keeps its own name."""
    kind = text(message.get("type")) or next((name for name in CONTENT if name in message), "")
    reader = CONTENT.get(kind)
    if reader is None:
        return _unsupported(kind, message)
    return reader(message.get(kind), message)


def _text(value: Any, message: Json) -> Content:
    return Content("text", text(at(value, "body")))


def _media(type: MessageType) -> "Reader":
    def read(value: Any, message: Json) -> Content:
        own = record(value)
        payload = without_none(animated=True if own.get("animated") is True else None)
        return Content(type, text(own.get("caption")), _media_of(own), payload)

    return read


def _media_of(own: Json) -> Json:
    voice = own.get("voice")
    return without_none(
        id=text(own.get("id")),
        url=text(own.get("url")),
        mime_type=text(own.get("mime_type")),
        sha256=text(own.get("sha256")),
        file_name=text(own.get("filename")),
        voice=voice if isinstance(voice, bool) else None,
        inline=False,
    )


def _location(value: Any, message: Json) -> Content:
    own = record(value)
    names = ("latitude", "longitude", "name", "address", "url")
    payload = compact({name: own[name] for name in names if own.get(name) is not None}, 2)
    return Content("location", first_text(own.get("name"), own.get("address")), payload=payload)


def _contacts(value: Any, message: Json) -> Content:
    contacts = [_card(card) for card in records(value)]
    names = [contact["name"] for contact in contacts if "name" in contact]
    payload: Json = {"contacts": contacts}
    if origin := text(message.get("origin")):
        payload["origin"] = origin  # the contact shared their own number on request
    return Content("contacts", ", ".join(names) or None, payload=payload)


def _card(card: Json) -> Json:
    # Who shares their own number on request sends a vCard alone.
    named = re.search(r"^FN[^:\n]*:(.+)$", text(card.get("vcard")) or "", re.MULTILINE)
    name = first_text(
        at(card, "name", "formatted_name"),
        at(card, "name", "first_name"),
        named[1].strip() if named else None,
    )
    phones = [first_text(phone.get("phone")) for phone in records(card.get("phones"))]
    return without_none(name=name, phones=[phone for phone in phones if phone])


def _button(value: Any, message: Json) -> Content:
    title, identity = text(at(value, "text")), text(at(value, "payload"))
    payload = without_none(kind="quick_reply", id=identity, title=title)
    return Content("button", title or identity, payload=payload)


def _interactive(value: Any, message: Json) -> Content:
    own = record(value)
    if not own:
        return _unsupported("interactive", message)
    kind = text(own.get("type")) or next(iter(own), None)
    reply = record(own.get(kind)) if kind else {}
    if kind == "nfm_reply":
        return _form(reply)
    title = text(reply.get("title"))
    body = first_text(title, reply.get("response"), at(own, "body", "text"))
    payload = {"kind": kind, **compact(reply, 3)} if kind else {}
    return Content("interactive", body or text(reply.get("id")), payload=payload)


def _form(reply: Json) -> Content:
    response = decoded_json(reply.get("response_json"))
    payload = without_none(
        kind="nfm_reply",
        id=text(at(response, "flow_token")),
        name=text(reply.get("name")),
        response=compact(response),
    )
    return Content("interactive", text(reply.get("body")), payload=payload)


def _reaction(value: Any, message: Json) -> Content:
    emoji = text(at(value, "emoji"))
    payload = {} if emoji else {"removed": True}
    return Content("reaction", emoji, payload=payload, target=text(at(value, "message_id")))


def _order(value: Any, message: Json) -> Content:
    own = record(value)
    payload = {name: own[name] for name in ("catalog_id", "product_items") if name in own}
    return Content("order", text(own.get("text")), payload=compact(payload))


def _system(value: Any, message: Json) -> Content:
    own = record(value)
    names = ("wa_id", "new_wa_id", "user_id", "parent_user_id", "customer", "identity")
    payload = {name: own[name] for name in names if own.get(name) is not None}
    identity = record(message.get("identity"))
    payload = {
        "kind": text(own.get("type")),
        **payload,
        **({"identity": identity} if identity else {}),
    }
    return Content("system", text(own.get("body")), payload=compact(payload, 3))


def _edit(value: Any, message: Json) -> Content:
    new = content_of(record(at(value, "message")))
    payload = {**new.payload, "type": new.type}
    target = text(at(value, "original_message_id"))
    return Content("edit", new.body, new.media, payload, target)


def _revoke(value: Any, message: Json) -> Content:
    return Content("revoke", target=text(at(value, "original_message_id")))


def _welcome(value: Any, message: Json) -> Content:
    return Content("system", payload={"kind": "request_welcome"})


def _placeholder(value: Any, message: Json) -> Content:
    return Content("unsupported", payload={"pending": True})


def _unsupported(kind: str, message: Json) -> Content:
    said = first_text(at(message.get("unsupported"), "type"), kind) or "unknown"
    payload: Json = {"content": said[:64]}
    errors = [_error(error) for error in records(message.get("errors"))]
    if errors:
        payload["errors"] = errors
    if isinstance(message.get(kind), dict) and kind != "unsupported":
        payload["value"] = compact(message[kind], 4)
    return Content("unsupported", payload=payload)


def _error(error: Json) -> Json:
    details = first_text(at(error, "error_data", "details"), error.get("details"))
    title = first_text(error.get("title"), error.get("message"))
    return without_none(code=text(error.get("code")), title=title, details=details)


Reader = Callable[[Any, Json], Content]

PLACEHOLDER = "media_placeholder"  # in a history, until the message comes again with its media

CONTENT: dict[str, Reader] = {
    "text": _text,
    "image": _media("image"),
    "audio": _media("audio"),
    "voice": _media("audio"),
    "video": _media("video"),
    "document": _media("document"),
    "sticker": _media("sticker"),
    "location": _location,
    "contacts": _contacts,
    "button": _button,
    "interactive": _interactive,
    "reaction": _reaction,
    "order": _order,
    "system": _system,
    "edit": _edit,
    "revoke": _revoke,
    "request_welcome": _welcome,
    PLACEHOLDER: _placeholder,
}
