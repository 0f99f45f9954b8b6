"""Calls: their signalling, and what became of those that we made."""

from functions.providers.events import CallChanged, CallStatus, Event, Json, Notice
from functions.providers.fields import compact, instant, integer, text
from functions.providers.meta.contacts import contact_identities, contact_of

# The event of a call, or of a terminated one its status; the status of one that we made.
_STATUSES: dict[str, CallStatus] = {
    "CONNECT": "ringing", "RINGING": "ringing", "ACCEPTED": "accepted", "REJECTED": "rejected",
    "COMPLETED": "ended", "FAILED": "missed", "TERMINATE": "ended",
}  # fmt: skip


def read_call(raw: Json, value: Json) -> list[Event]:
    identity = text(value.get("id"))
    said = text(value.get("status")) or text(value.get("event")) or ""
    status = _STATUSES.get(said.upper())
    if identity is None or status is None:
        return [Notice("calls", compact(value))]
    status_of_ours = value.get("type") == "call"
    ours = status_of_ours or value.get("direction") == "BUSINESS_INITIATED"
    side = "recipient" if status_of_ours else "to" if ours else "from"
    wa_id = text(value.get("recipient_id" if status_of_ours else side))
    user_id = text(value.get(f"{side}_user_id"))
    contact = contact_of(raw, wa_id, user_id)
    identities = contact_identities(
        wa_id or contact.get("wa_id"),
        user_id or contact.get("user_id"),
        contact.get("parent_user_id"),
    )
    return [
        CallChanged(
            identity,
            status,
            "out" if ours else "in",
            identities,
            seconds=integer(value.get("duration")),
            at=instant(value.get("timestamp")),
        )
    ]
