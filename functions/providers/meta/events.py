"""One stored item of Meta into events."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from functions.providers.base import (
    ContactSeen,
    Event,
    InstanceChanged,
    InstanceState,
    Json,
    Notice,
    Status,
    StatusChanged,
    Unknown,
)
from functions.providers.fields import at, compact, first_text, instant, record, records, text
from functions.providers.meta.messages import (
    contact_identities,
    contact_of,
    read_echo,
    read_inbound,
    read_past,
)
from functions.providers.meta.outcomes import error_class

_STATUSES: dict[str, Status] = {
    "accepted": "accepted",
    "sent": "sent",
    "delivered": "delivered",
    "read": "read",
    "played": "played",
    "failed": "failed",
}
# Of a call or of what a customer pays: such a status says nothing of the message it names.
_NOT_DELIVERY = {"call": "calls", "payment": "payments"}
# account_update by its event, and for a ban by its state; what is not listed changes no instance.
_ACCOUNT_EVENTS: dict[str, InstanceState] = {
    "ACCOUNT_DELETED": "closed",
    "ACCOUNT_OFFBOARDED": "closed",
    "PARTNER_REMOVED": "closed",
    "PARTNER_APP_UNINSTALLED": "closed",
    "ACCOUNT_RECONNECTED": "open",
}
_BAN_STATES: dict[str, InstanceState | None] = {
    "DISABLE": "banned",
    "SCHEDULE_FOR_DISABLE": None,  # a warning: the number still works
    "REINSTATE": "open",
}
_NOTICES = frozenset({
    "account_alerts", "account_review_update", "account_settings_update", "automatic_events",
    "business_capability_update", "business_status_update", "business_username_update", "calls",
    "errors", "flows", "group_lifecycle_update", "group_participants_update",
    "group_settings_update", "group_status_update", "history_chunk", "message_handovers",
    "message_template_components_update", "message_template_quality_update",
    "message_template_status_update", "messaging_handovers", "partner_solutions",
    "payment_configuration_update", "phone_number_name_update", "phone_number_quality_update",
    "security", "standby", "template_category_update", "template_correct_category_detection",
    "tracking_events",
})  # fmt: skip


def _timed(event: Event, at: str | None) -> Event:
    return replace(event, at=at) if isinstance(event, InstanceChanged) else event


def parse_item(kind: str, raw: Json) -> list[Event]:
    raw = record(raw)
    value = raw.get("value")
    if not isinstance(value, dict):
        return [Unknown(f"{kind} carries no object")]
    reader = _READERS.get(kind)
    if reader is not None:
        return [_timed(event, instant(raw.get("time"))) for event in reader(raw, value)]
    if kind in _NOTICES:
        return [Notice(kind, compact(value))]
    return [Unknown(f"field {kind}")]


def _one(read: Callable[[Json, Json], Event]) -> "Reader":
    return lambda raw, value: [read(raw, value)]


def _read_status(raw: Json, value: Json) -> list[Event]:
    identity = text(value.get("id"))
    said = (text(value.get("status")) or "").lower()
    about = _NOT_DELIVERY.get(text(value.get("type")) or "")
    if about:
        return [Notice(about, compact(value))]
    if identity is None:
        return [Unknown("status without the id of a message")]
    status = _STATUSES.get(said)
    if status is None:
        return [Unknown(f"status {said[:40] or 'missing'} of message {identity}")]
    errors = records(value.get("errors"))
    return [
        StatusChanged(
            provider_message_id=identity,
            status=status,
            at=instant(value.get("timestamp")),
            client_ref=text(value.get("biz_opaque_callback_data")),
            error=_error(errors[0]) if errors else None,
            identities=_recipient(raw, value),
        )
    ]


def _recipient(raw: Json, value: Json) -> list[Any]:
    if value.get("recipient_type") == "group" or str(value.get("recipient_id")).endswith("@g.us"):
        return []
    wa_id, user_id = text(value.get("recipient_id")), text(value.get("recipient_user_id"))
    contact = contact_of(raw, wa_id, user_id)
    parent = value.get("parent_recipient_user_id") or value.get("recipient_parent_user_id")
    return contact_identities(
        wa_id or contact.get("wa_id"),
        user_id or contact.get("user_id"),
        parent or contact.get("parent_user_id"),
        at(contact, "profile", "username"),
    )


def _error(error: Json) -> Json:
    """Sent once and never to be had again: the code, both texts, and what to do about it."""
    code = text(error.get("code"))
    return {
        "code": code or "unnamed",
        "title": first_text(error.get("title"), error.get("message")),
        "details": first_text(at(error, "error_data", "details"), error.get("details")),
        "class": error_class(code) or "unknown",
    }


def _read_account(raw: Json, value: Json) -> list[Event]:
    notice = Notice("account_update", compact(value))
    event = text(value.get("event")) or ""
    ban = text(at(value, "ban_info", "waba_ban_state"))
    if ban is not None and ban in _BAN_STATES:
        return [InstanceChanged(state=_BAN_STATES[ban], reason=ban), notice]
    if event in _ACCOUNT_EVENTS:
        return [InstanceChanged(state=_ACCOUNT_EVENTS[event], reason=event), notice]
    return [notice]


def _read_preference(raw: Json, value: Json) -> list[Event]:
    """Marketing messages: `value` is stop or resume; `identities` say whose."""
    wa_id, user_id = text(value.get("wa_id")), text(value.get("user_id"))
    contact = contact_of(raw, wa_id, user_id)
    identities = contact_identities(
        wa_id or contact.get("wa_id"),
        user_id or contact.get("user_id"),
        value.get("parent_user_id") or contact.get("parent_user_id"),
    )
    named = [{"kind": identity.kind, "value": identity.value} for identity in identities]
    return [Notice("user_preferences", {**compact(value), "identities": named})]


def _read_user_id(raw: Json, value: Json) -> list[Event]:
    """The contact's business-scoped ids changed; the old and the new are the same person."""
    identities = contact_identities(
        value.get("wa_id"), at(value, "user_id", "current"), at(value, "parent_user_id", "current")
    )
    identities += contact_identities(
        None, at(value, "user_id", "previous"), at(value, "parent_user_id", "previous")
    )
    notice = Notice("user_id_update", compact(value))
    return [ContactSeen(identities), notice] if identities else [notice]


def _read_address_book(raw: Json, value: Json) -> list[Event]:
    """The phone's own address book, where the number is shared with the app."""
    contact = record(value.get("contact"))
    identities = contact_identities(
        contact.get("phone_number"), contact.get("user_id"), contact.get("parent_user_id")
    )
    if value.get("type") != "contact" or value.get("action") == "remove" or not identities:
        return [Notice("smb_app_state_sync", compact(value))]
    name = first_text(contact.get("full_name"), contact.get("first_name"))
    return [ContactSeen(identities, name.strip() if name else None)]


Reader = Callable[[Json, Json], list[Event]]

_READERS: dict[str, Reader] = {
    "messages": _one(read_inbound),
    "smb_message_echoes": _one(read_echo),
    "history": _one(read_past),
    "statuses": _read_status,
    "account_update": _read_account,
    "user_preferences": _read_preference,
    "user_id_update": _read_user_id,
    "smb_app_state_sync": _read_address_book,
}
