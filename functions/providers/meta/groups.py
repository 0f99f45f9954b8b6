"""Groups of the Cloud API and their members."""

from collections.abc import Callable
from typing import Any

from functions.providers.events import Event, GroupAction, GroupChanged, Json, Notice
from functions.providers.fields import compact, first_text, instant, records, text, without_none
from functions.providers.identity import phone_of

# type -> (action, the field with the members it is about)
_TYPES: dict[str, tuple[GroupAction, str | None]] = {
    "group_create": ("created", None),
    "group_delete": ("deleted", None),
    "group_settings_update": ("changed", None),
    "group_suspend": ("changed", None),
    "group_suspend_cleared": ("changed", None),
    "group_participants_add": ("add", "added_participants"),
    "group_participants_remove": ("remove", "removed_participants"),
    "group_join_request_created": ("join_request", None),
}


def group_reader(kind: str) -> Callable[[Json, Json], list[Event]]:
    """Reads one element of a webhook of this kind; a Notice when it is none of the known types."""

    def read(raw: Json, value: Json) -> list[Event]:
        group, said = text(value.get("group_id")), text(value.get("type")) or ""
        if group is None or said not in _TYPES or value.get("errors"):
            return [Notice(kind, compact(value))]
        action, members = _TYPES[said]
        whole = records(value.get(members)) if members else []
        if action == "join_request":
            whole = [value]
        return [
            GroupChanged(
                group,
                action,
                [_member(member) for member in whole],
                by=first_text(value.get("initiated_by"), value.get("reason")),
                subject=_subject(value),
                at=instant(value.get("timestamp")),
            )
        ]

    return read


def _member(member: Json) -> Json:
    wa_id = text(member.get("wa_id"))
    identity = first_text(wa_id, member.get("user_id"), member.get("input"))
    return without_none(id=identity, phone=phone_of(wa_id) if wa_id else None)


def _subject(value: Json) -> str | None:
    said: Any = value.get("subject") or value.get("group_subject")
    return first_text(said, said.get("text") if isinstance(said, dict) else None)
