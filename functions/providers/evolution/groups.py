"""Groups, their members, and calls, as Baileys tells of them."""

from datetime import UTC, datetime
from typing import Any

from functions.providers.events import (
    CallChanged,
    CallStatus,
    Event,
    GroupAction,
    GroupChanged,
    Json,
    Notice,
)
from functions.providers.fields import compact, instant, record, records, text, without_none
from functions.providers.identity import Jid, jid_identities, parse_jid, phone_of

_ACTIONS: dict[str, GroupAction] = {
    "add": "add", "remove": "remove", "promote": "promote", "demote": "demote", "modify": "changed",
}  # fmt: skip
_CALLS: dict[str, CallStatus] = {
    "offer": "ringing", "ringing": "ringing", "accept": "accepted", "reject": "rejected",
    "timeout": "missed", "terminate": "ended",
}  # fmt: skip


def read_group(kind: str, context: Json, data: Json) -> Event:
    jid = parse_jid(data.get("id") or data.get("remoteJid"))
    if jid is None or jid.chat_kind != "group":
        return Notice(kind, compact(data))
    members = data.get("participants")
    return GroupChanged(
        str(jid),
        "created" if kind == "groups.upsert" else "changed",
        [_member(member) for member in members[:1024]] if isinstance(members, list) else [],
        by=_address(data.get("authorPn"), data.get("author")),
        subject=text(data.get("subject")),
    )


def read_participants(kind: str, context: Json, data: Json) -> Event:
    jid, action = parse_jid(data.get("id")), _ACTIONS.get(text(data.get("action")) or "")
    members = data.get("participants")
    if jid is None or action is None or not isinstance(members, list):
        return Notice(kind, compact(data))
    # From 2.3.6 on the server adds the phones of members that are known by a LID.
    known = {
        address: each.get("phoneNumber")
        for each in records(data.get("participantsData"))
        if (address := text(each.get("jid")))
    }
    by = _address(data.get("authorPn"), data.get("author"))
    return GroupChanged(str(jid), action, [_member(each, known) for each in members[:1024]], by=by)


def _member(member: Any, phones: Json | None = None) -> Json:
    """A participant is an address, or from Baileys 7 on an object with up to two of them."""
    own = record(member)
    address = text(own.get("id")) or text(member)
    jids = [address, own.get("phoneNumber"), own.get("jid"), (phones or {}).get(address or "")]
    found = [jid for value in jids if (jid := parse_jid(value))]
    phone = next((phone_of(jid.user) for jid in found if _is_phone(jid)), None)
    return without_none(id=str(found[0]) if found else address, phone=phone)


def _is_phone(jid: Jid) -> bool:
    return jid.is_phone and phone_of(jid.user) is not None


def _address(*values: Any) -> str | None:
    return next((str(jid) for value in values if (jid := parse_jid(value))), None)


def read_call(kind: str, context: Json, data: Json) -> Event:
    identity, status = text(data.get("id")), _CALLS.get(text(data.get("status")) or "")
    caller, phone = parse_jid(data.get("from")), parse_jid(data.get("callerPn"))
    if identity is None or status is None or caller is None:
        return Notice(kind, compact(data))
    group = parse_jid(data.get("groupJid")) if data.get("isGroup") is True else None
    return CallChanged(
        identity,
        status,
        identities=jid_identities(caller, phone),
        video=data.get("isVideo") is True,
        group=str(group) if group else None,
        at=_moment(data.get("date")),
    )


def _moment(value: Any) -> str | None:
    """A JavaScript Date, as JSON writes it."""
    try:
        moment = datetime.fromisoformat(text(value) or "")
    except ValueError:
        return instant(value)
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC).isoformat()
