"""One webhook of Meta into items: entry[].changes[].value of possibly many numbers and accounts.

An item's raw is `{waba, time, field, metadata, contacts, value}` where `value` is one message, one
status, one preference, ... or the whole value of a change that holds no list.
"""

from collections.abc import Iterator
from typing import Any

from functions.providers.base import Item
from functions.providers.body import read_object
from functions.providers.events import Json
from functions.providers.fields import at, first_text, record, records, text
from functions.providers.keys import dedupe_key, digest
from functions.providers.meta.content import PLACEHOLDER

# field -> the lists its value may hold, each with the kind of item that its elements become.
_LISTS: dict[str, dict[str, str]] = {
    "messages": {"messages": "messages", "statuses": "statuses", "errors": "errors"},
    "smb_message_echoes": {"message_echoes": "smb_message_echoes"},
    "message_echoes": {"message_echoes": "smb_message_echoes"},
    "smb_app_state_sync": {"state_sync": "smb_app_state_sync"},
    "user_preferences": {"user_preferences": "user_preferences"},
    "user_id_update": {"user_id_update": "user_id_update"},
    "calls": {"calls": "calls", "statuses": "calls", "errors": "calls"},
    "group_lifecycle_update": {"groups": "group_lifecycle_update"},
    "group_participants_update": {"groups": "group_participants_update"},
    "group_settings_update": {"groups": "group_settings_update"},
    "group_status_update": {"groups": "group_status_update"},
}
_IN_CHAT = frozenset({"messages", "smb_message_echoes", "history"})


def split_body(raw: bytes) -> list[Item]:
    body = read_object(raw)
    items = [item for entry in records(body.get("entry")) for item in _of_entry(entry)]
    return items or [_item("unknown", {"waba": "", "value": body}, body)]


def _of_entry(entry: Json) -> Iterator[Item]:
    changes = records(entry.get("changes"))
    if not changes:
        yield _item("unknown", {"waba": text(entry.get("id")) or "", "value": entry}, entry)
    for change in changes:
        context = {
            "waba": _account(entry, change.get("value")),
            "time": entry.get("time"),
            "field": text(change.get("field")) or "unknown",
        }
        yield from _of_change(context, change.get("value"))


def _account(entry: Json, value: Any) -> str:
    """Partner events come under the id of the business that owns the account."""
    return first_text(at(value, "waba_info", "waba_id"), entry.get("id")) or ""


def _of_change(context: Json, value: Any) -> Iterator[Item]:
    field = context["field"]
    context = {**context, "metadata": at(value, "metadata")}
    contacts = records(at(value, "contacts"))
    found = False
    for kind, element in _elements(field, value):
        found = True
        yield _item(
            kind, {**context, "contacts": _of(element, contacts), "value": element}, element
        )
    if not found:
        yield _item(field[:64], {**context, "contacts": contacts, "value": value}, value)


def _elements(field: str, value: Any) -> Iterator[tuple[str, Any]]:
    if field == "history":
        yield from _history(value)
        return
    for name, kind in _LISTS.get(field, {}).items():
        elements = at(value, name)
        for element in elements if isinstance(elements, list) else records(elements):
            yield kind, element


def _history(value: Any) -> Iterator[tuple[str, Any]]:
    """Past messages, each with the chat its thread names; what is no message stays whole."""
    for chunk in records(at(value, "history")):
        threads = records(chunk.get("threads"))
        for thread in threads:
            chat = first_text(thread.get("id"), at(thread, "context", "wa_id"))
            for message in records(thread.get("messages")):
                yield "history", {**message, "thread_id": chat}
        if not threads:
            yield "history_chunk", chunk
    # The media of a past message follows alone, under the id of its placeholder.
    for message in records(at(value, "messages")) + records(at(value, "message_echoes")):
        yield "history", message


def _of(element: Any, contacts: list[Json]) -> list[Json]:
    """The contacts that the element is about; all of them when that cannot be told."""
    names = {
        named
        for field in (
            "from", "from_user_id", "to", "to_user_id", "recipient_id", "recipient_user_id",
            "recipient_participant_id", "recipient_participant_user_id", "wa_id", "user_id",
        )
        if (named := text(at(element, field)))
    }  # fmt: skip
    own = [one for one in contacts if {text(one.get("wa_id")), text(one.get("user_id"))} & names]
    return own or (contacts if len(contacts) == 1 else [])


def _item(kind: str, raw: Json, element: Any) -> Item:
    number = text(at(raw.get("metadata"), "phone_number_id"))
    route = number or text(raw.get("waba")) or ""
    return Item(
        dedupe_key=dedupe_key(route, *_key(kind, raw, element)),
        route_kind="phone_number_id" if number else "waba",
        route_value=route,
        kind=kind,
        order_key=_order_key(route, kind, element),
        raw={name: part for name, part in raw.items() if part is not None},
    )


def _key(kind: str, raw: Json, element: Any) -> list[str]:
    identity = text(at(element, "id"))
    if identity is None:
        when = first_text(at(element, "timestamp"), raw.get("time")) or "0"
        return [kind, digest(element), when]
    if kind == "messages":
        return ["msg", identity]
    if kind == "statuses":
        said = (text(at(element, name)) for name in ("status", "timestamp"))
        participant = text(at(element, "recipient_participant_id"))
        return [
            "st",
            identity,
            *(part or "0" for part in said),
            *([participant] if participant else []),
        ]
    if kind in _IN_CHAT:
        empty = text(at(element, "type")) == PLACEHOLDER
        return [kind, identity, *(["empty"] if empty else [])]
    return [kind, identity, digest(element)]


def _order_key(route: str, kind: str, element: Any) -> str | None:
    if kind not in _IN_CHAT:
        return None
    other = ("to", "to_user_id") if kind == "smb_message_echoes" else ("from", "from_user_id")
    names = ("group_id", "thread_id", *other)
    chat = first_text(*(record(element).get(name) for name in names))
    return dedupe_key(route, chat) if chat else None
