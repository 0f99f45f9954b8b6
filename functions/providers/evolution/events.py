"""One stored item of Evolution into events."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from functions.providers.attempt import failure_of
from functions.providers.events import (
    ContactSeen,
    Event,
    GroupChanged,
    InstanceChanged,
    InstanceState,
    Json,
    Notice,
    StatusChanged,
    Unknown,
)
from functions.providers.evolution.changes import read_delete, read_edit, read_update, read_votes
from functions.providers.evolution.envelope import event_kind, message_id
from functions.providers.evolution.groups import read_call, read_group, read_participants
from functions.providers.evolution.messages import read_message, status_of
from functions.providers.evolution.outcomes import nack_class
from functions.providers.fields import at, compact, first_text, record, records, text
from functions.providers.identity import Jid, jid_identities, parse_jid, phone_of, profile_name

# DisconnectReason of Baileys and what WhatsApp means by the ones it does not name.
REASONS: dict[str, tuple[InstanceState, str]] = {
    "401": ("closed", "logged_out"),
    "402": ("banned", "temporarily_banned"),
    "403": ("banned", "locked"),
    "406": ("banned", "banned"),
    "408": ("closed", "timed_out"),
    "411": ("closed", "multidevice_mismatch"),
    "428": ("closed", "connection_closed"),
    "440": ("closed", "connection_replaced"),
    "500": ("closed", "bad_session"),
    "503": ("closed", "unavailable_service"),
    "515": ("closed", "restart_required"),
}
_STATES: dict[str, InstanceState] = {
    "open": "open", "connected": "open",
    "connecting": "connecting",
    "close": "closed", "closed": "closed", "disconnected": "closed", "refused": "closed",
    "removed": "closed",
}  # fmt: skip
_NOTICES = (
    "application.startup", "chats.", "creds.update", "error", "instance.create", "labels.",
    "messaging.history.set", "presence.update", "typebot.",
)  # fmt: skip
_GONE = ("instance.delete", "logout.instance", "remove.instance")
_LONGEST_REASON = 200


def parse_item(kind: str, raw: Json) -> list[Event]:
    """At least one event; an element that is no object is Unknown."""
    kind = event_kind(kind)
    context = record(raw)
    data = context.get("data")
    elements = data if isinstance(data, list) else [data]
    events: list[Event] = []
    for element in elements:
        events += _parse_element(kind, context, element)
    return [_timed(event, context) for event in events] or [Unknown(f"{kind} is empty")]


def _timed(event: Event, context: Json) -> Event:
    """`date_time` is local time with a false Z: it orders the events of one server, no more."""
    if not isinstance(event, InstanceChanged | ContactSeen | GroupChanged) or event.at:
        return event
    try:
        moment = datetime.fromisoformat(text(context.get("date_time")) or "")
    except ValueError:
        return event
    return replace(event, at=moment.replace(tzinfo=UTC).isoformat())


def _parse_element(kind: str, context: Json, element: Any) -> list[Event]:
    reader = _READERS.get(kind)
    if reader is not None and isinstance(element, dict):
        found = reader(kind, context, element)
        return found if isinstance(found, list) else [found]
    if kind in _GONE:
        return [InstanceChanged(state="closed", reason=kind)]
    if kind.startswith(_NOTICES):
        value = compact(element)
        return [Notice(kind, value if isinstance(value, dict) else {"value": value})]
    if reader is not None:
        return [Unknown(f"{kind} carries no object")]
    return [Unknown(f"event {kind}")]


def _read_status(kind: str, context: Json, data: Json) -> Event | list[Event]:
    identity = message_id(data)
    if identity is None:
        return Unknown("status without the id of a message")
    said = first_text(data.get("status"), at(data, "update", "status"))
    status = status_of(said)
    if status is None or data.get("message") or data.get("pollUpdates"):
        return _other_update(identity, said, context, data)
    # No identities: its address may be our own device, and 2.4 leaves a LID without its server.
    error = _nack(data) if status == "failed" else None
    return StatusChanged(provider_message_id=identity, status=status, error=error)


def _other_update(
    identity: str, said: str | None, context: Json, data: Json
) -> Event | list[Event]:
    """An edit, votes, a star, ...: what changes a message and has no status of its own.

    Servers call it DELETED from 2.3.0 on and SERVER_ACK from 2.3.7 on, where they add an edit's
    `message`. Of 'DELETED' alone, only what else is known of the message tells whether it is gone.
    """
    key = record(data.get("key"))
    where = {name: data.get(name, key.get(name)) for name in ("remoteJid", "fromMe")}
    located = {"key": {**key, **where, "id": identity}}
    update = record(data.get("update"))
    message = record(data.get("message")) or record(update.get("message"))
    if votes := read_votes(context, located, records(data.get("pollUpdates"))):
        return votes
    if message:
        return read_update(context, {**located, "message": message})
    if "message" in update and update["message"] is None:  # Baileys' own shape of a deletion
        return read_delete("messages.delete", context, located)
    if (said or "").upper() == "DELETED" and not data.get("pollUpdates"):
        return read_delete("messages.update", context, located)
    value = {name: data[name] for name in ("status", "pollUpdates", "update") if name in data}
    return Notice("message_updated", {"id": identity, **compact(value)})


def _nack(data: Json) -> Json:
    """Servers rarely say why; where they do it is the code of WhatsApp's refusal."""
    update = record(data.get("update"))
    parameters = data.get("messageStubParameters") or update.get("messageStubParameters")
    code = text(parameters[0]) if isinstance(parameters, list) and parameters else None
    code = first_text(code, data.get("errorCode"), at(data, "error", "code"))
    return {
        "code": code or "ERROR",
        "title": "WhatsApp refused the message",
        "details": text(at(data, "error", "message")),
        **failure_of(nack_class(code)),
    }


def _read_connection(kind: str, context: Json, data: Json) -> Event:
    said = (first_text(data.get("state"), data.get("status"), data.get("connection")) or "").lower()
    state = _STATES.get(said)
    if state is None:
        return Unknown(f"connection state {said[:40] or 'missing'}")
    code = first_text(data.get("statusReason"), data.get("disconnectionReasonCode"))
    meant, word = REASONS.get(code or "", (state, ""))
    number = parse_jid(first_text(data.get("wuid"), data.get("ownerJid")))
    if state != "closed":
        return InstanceChanged(state=state, number=_phone(number))
    reason = f"{code} {word}".strip() if code else None
    if said == "refused":
        meant, reason = "closed", f"{code or ''} qr_limit_reached".strip()
    return InstanceChanged(state=meant, reason=reason, number=_phone(number))


def _phone(jid: Jid | None) -> str | None:
    return phone_of(jid.user) if jid and jid.is_phone else None


def _read_qr(kind: str, context: Json, data: Json) -> Event:
    """`qr` is the text to draw; the stored item also has it drawn (`qrcode.base64`)."""
    code = data.get("qrcode")
    qr = first_text(code, at(code, "code"), data.get("code"), at(code, "base64"))
    pairing = first_text(at(code, "pairingCode"), data.get("pairingCode"))
    if qr or pairing:
        return InstanceChanged(state="qr", qr=qr, pairing_code=pairing)
    reason = text(data.get("message"))
    if reason:
        return InstanceChanged(state="closed", reason=reason[:_LONGEST_REASON])
    return Unknown("qrcode.updated without a code")


def _read_contact(kind: str, context: Json, data: Json) -> Event:
    address = first_text(data.get("remoteJid"), data.get("id"), data.get("jid"))
    jid = parse_jid(address)
    others = [parse_jid(data.get(name)) for name in ("remoteJidAlt", "lid", "phoneNumber", "jid")]
    name = _contact_name(data)
    if jid is None or jid.chat_kind != "direct":
        return Notice("chat_seen", {"id": address, "name": name})
    if _phone(jid) and _phone(jid) == _phone(parse_jid(context.get("sender"))):
        return Notice("own_profile_seen", {"name": name})
    identities = jid_identities(jid, *others)
    return ContactSeen(identities, name, kind) if identities else Unknown("contact of nobody")


def _read_chat(kind: str, context: Json, data: Json) -> Event:
    """A chat of the history: on servers from 2.4 on it names the phone and the LID."""
    jid, lid = parse_jid(data.get("remoteJid")), parse_jid(data.get("remoteLid"))
    identities = jid_identities(jid, lid)
    if jid is None or jid.chat_kind != "direct" or len({one.kind for one in identities}) < 3:
        return Notice(kind, compact(data))
    return ContactSeen(identities, profile_name(data.get("name"), data.get("remoteJid")), kind)


def _contact_name(data: Json) -> str | None:
    named = (data.get(field) for field in ("pushName", "name", "notify", "verifiedName"))
    addresses = (data.get(field) for field in ("remoteJid", "id", "jid", "remoteJidAlt", "lid"))
    return profile_name(first_text(*named), *addresses)


Reader = Callable[[str, Json, Json], Event | list[Event]]

_READERS: dict[str, Reader] = {
    "messages.upsert": read_message,
    "messages.set": read_message,
    "send.message": read_message,
    "messages.update": _read_status,
    "messages.edited": read_edit,
    "send.message.update": read_edit,
    "messages.delete": read_delete,
    "connection.update": _read_connection,
    "status.instance": _read_connection,
    "qrcode.updated": _read_qr,
    "chats.set": _read_chat,
    "call": read_call,
    "groups.upsert": read_group,
    "groups.update": read_group,
    "group.update": read_group,
    "group.participants.update": read_participants,
    "contacts.set": _read_contact,
    "contacts.upsert": _read_contact,
    "contacts.update": _read_contact,
}
