"""One stored item of Meta into events."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from functions.providers.attempt import failure_of
from functions.providers.events import (
    ContactSeen,
    Event,
    InstanceChanged,
    Json,
    LimitChanged,
    Notice,
    PreferenceChanged,
    Status,
    StatusChanged,
    TemplateChanged,
    Unknown,
)
from functions.providers.fields import at, compact, first_text, instant, record, records, text
from functions.providers.meta.account import (
    TEMPLATE_READERS,
    read_account,
    read_capability,
    read_number_quality,
)
from functions.providers.meta.calls import read_call
from functions.providers.meta.contacts import contact_identities, contact_of
from functions.providers.meta.groups import group_reader
from functions.providers.meta.messages import (
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
_GROUP_KINDS = (
    "group_lifecycle_update",
    "group_participants_update",
    "group_settings_update",
    "group_status_update",
)
_RENUMBERED = ("user_changed_number", "customer_changed_number")
# Of a status that says nothing of how far the message came.
_REMARKS = ("deleted", "pending", "warning")
_WANTED = {"stop": False, "resume": True, "signup": True}
_NOTICES = frozenset({
    "account_alerts", "account_review_update", "account_settings_update", "automatic_events",
    "business_status_update", "business_username_update", "errors", "flows", "history_chunk",
    "message_handovers", "messaging_handovers", "partner_solutions", "payment_configuration_update",
    "phone_number_name_update", "security", "standby", "template_correct_category_detection",
    "tracking_events",
})  # fmt: skip
_DATED = (InstanceChanged, TemplateChanged, LimitChanged)


def _timed(event: Event, at: str | None) -> Event:
    return replace(event, at=at) if isinstance(event, _DATED) else event


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
    # Of a call or of what a customer pays: that says nothing of the message it names.
    if value.get("type") == "call":
        return read_call(raw, value)
    if value.get("type") == "payment":
        return [Notice("payments", compact(value))]
    if identity is None:
        return [Unknown("status without the id of a message")]
    status = _STATUSES.get(said)
    if status is None and said in _REMARKS:
        return [Notice("statuses", compact(value))]
    if status is None:
        return [Unknown(f"status {said[:40] or 'missing'}")]
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
    """Only where it ties a phone and a business-scoped id: of one alone there is no news."""
    if value.get("recipient_type") == "group" or str(value.get("recipient_id")).endswith("@g.us"):
        return []
    wa_id, user_id = text(value.get("recipient_id")), text(value.get("recipient_user_id"))
    contact = contact_of(raw, wa_id, user_id)
    parent = value.get("parent_recipient_user_id") or value.get("recipient_parent_user_id")
    found = contact_identities(
        wa_id or contact.get("wa_id"),
        user_id or contact.get("user_id"),
        parent or contact.get("parent_user_id"),
        at(contact, "profile", "username"),
    )
    return found if {"phone", "bsuid"} <= {identity.kind for identity in found} else []


def _error(error: Json) -> Json:
    """Sent once and never to be had again: the code, both texts, and what to do about it."""
    code = text(error.get("code"))
    return {
        "code": code or "unnamed",
        "title": first_text(error.get("title"), error.get("message")),
        "details": first_text(at(error, "error_data", "details"), error.get("details")),
        **failure_of(error_class(code) or "request"),
    }


def _read_preference(raw: Json, value: Json) -> list[Event]:
    """Marketing messages: stop, resume, or a signup."""
    wa_id, user_id = text(value.get("wa_id")), text(value.get("user_id"))
    contact = contact_of(raw, wa_id, user_id)
    identities = contact_identities(
        wa_id or contact.get("wa_id"),
        user_id or contact.get("user_id"),
        value.get("parent_user_id") or contact.get("parent_user_id"),
    )
    wanted = _WANTED.get((text(value.get("value")) or "").lower())
    if wanted is None or not identities:
        return [Notice("user_preferences", compact(value))]
    moment, detail = instant(value.get("timestamp")), text(value.get("detail"))
    return [PreferenceChanged(identities, wanted, moment, detail)]


def _read_user_id(raw: Json, value: Json) -> list[Event]:
    """The contact's business-scoped ids changed; the old and the new are the same person."""
    identities = contact_identities(
        value.get("wa_id"), at(value, "user_id", "current"), at(value, "parent_user_id", "current")
    )
    identities += contact_identities(
        None, at(value, "user_id", "previous"), at(value, "parent_user_id", "previous")
    )
    if not identities:
        return [Notice("user_id_update", compact(value))]
    moment = instant(value.get("timestamp"))
    return [ContactSeen(identities, evidence="user_id_update", at=moment)]


def _read_message(raw: Json, value: Json) -> list[Event]:
    return [read_inbound(raw, value), *_renumbered(value)]


def _renumbered(message: Json) -> list[Event]:
    """WhatsApp says in the chat that its contact has another number: one person under both."""
    system = record(message.get("system"))
    new = first_text(system.get("new_wa_id"), system.get("wa_id"))
    old = first_text(message.get("from"), system.get("customer"))
    if system.get("type") not in _RENUMBERED or not new or not old or new == old:
        return []
    both = contact_identities(new, None, None) + contact_identities(old, None, None)
    moment = instant(message.get("timestamp"))
    return [ContactSeen(both, evidence="user_changed_number", at=moment)] if both else []


def _read_address_book(raw: Json, value: Json) -> list[Event]:
    """The phone's own address book, where the number is shared with the app."""
    contact = record(value.get("contact"))
    identities = contact_identities(
        contact.get("phone_number"), contact.get("user_id"), contact.get("parent_user_id")
    )
    if value.get("type") != "contact" or value.get("action") == "remove" or not identities:
        return [Notice("smb_app_state_sync", compact(value))]
    name = first_text(contact.get("full_name"), contact.get("first_name"))
    return [ContactSeen(identities, name.strip() if name else None, evidence="address_book")]


Reader = Callable[[Json, Json], list[Event]]

_READERS: dict[str, Reader] = {
    "messages": _read_message,
    "smb_message_echoes": _one(read_echo),
    "history": _one(read_past),
    "statuses": _read_status,
    "account_update": read_account,
    "phone_number_quality_update": read_number_quality,
    "business_capability_update": read_capability,
    "user_preferences": _read_preference,
    "user_id_update": _read_user_id,
    "smb_app_state_sync": _read_address_book,
    "calls": read_call,
    **TEMPLATE_READERS,
    **{kind: group_reader(kind) for kind in _GROUP_KINDS},
}
