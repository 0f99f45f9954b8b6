"""News of an account and its numbers: bans, restrictions, limits, quality, templates."""

from collections.abc import Callable, Mapping
from typing import Any

from functions.providers.events import (
    Event,
    InstanceChanged,
    InstanceState,
    Json,
    LimitChanged,
    Notice,
    TemplateChanged,
    TemplateStatus,
)
from functions.providers.fields import (
    at,
    compact,
    first_text,
    instant,
    integer,
    record,
    records,
    text,
)
from functions.providers.identity import phone_of

# Unique contacts in 24 hours; -1: no limit.
TIERS: Mapping[str, int] = {
    "TIER_NOT_SET": 0, "TIER_50": 50, "TIER_250": 250, "TIER_1K": 1_000, "TIER_2K": 2_000,
    "TIER_10K": 10_000, "TIER_100K": 100_000, "TIER_UNLIMITED": -1,
}  # fmt: skip
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
# It may not grow, and sends as before.
_HARMLESS = frozenset({"RESTRICTED_ADD_PHONE_NUMBER_ACTION"})
_TEMPLATE_STATUSES: dict[str, TemplateStatus] = {
    "APPROVED": "approved", "REINSTATED": "approved",
    "UNPAUSED": "approved", "UNLOCKED": "approved",
    "PENDING": "pending", "REJECTED": "rejected", "PAUSED": "paused", "DISABLED": "disabled",
    "FLAGGED": "flagged", "IN_APPEAL": "in_appeal", "DELETED": "deleted",
    "PENDING_DELETION": "deleted", "ARCHIVED": "archived", "LOCKED": "locked",
    "LIMIT_EXCEEDED": "limit_exceeded",
}  # fmt: skip
# phone_number_quality_update: 'no longer low' does not say how good.
_QUALITIES = {"FLAGGED": "red", "UNFLAGGED": "unknown"}


def read_account(raw: Json, value: Json) -> list[Event]:
    notice = Notice("account_update", compact(value))
    event = text(value.get("event")) or ""
    ban = text(at(value, "ban_info", "waba_ban_state"))
    if ban is not None and ban in _BAN_STATES:
        return [InstanceChanged(state=_BAN_STATES[ban], reason=ban), *_lifted(ban), notice]
    if event in _ACCOUNT_EVENTS:
        return [InstanceChanged(state=_ACCOUNT_EVENTS[event], reason=event), notice]
    restrictions = [
        _restriction(info)
        for info in records(value.get("restriction_info"))
        if text(info.get("restriction_type")) not in _HARMLESS
    ]
    return [*restrictions, notice]


def _lifted(ban: str) -> list[Event]:
    return [LimitChanged("account", restriction="")] if ban == "REINSTATE" else []


def _restriction(info: Json) -> LimitChanged:
    said = (text(info.get("restriction_type")) or "restricted").lower()
    return LimitChanged("account", restriction=said[:100], until=instant(info.get("expiration")))


def read_number_quality(raw: Json, value: Json) -> list[Event]:
    event = text(value.get("event")) or ""
    shown = "".join(filter(str.isdigit, text(value.get("display_phone_number")) or ""))
    limit = _limit(value.get("max_daily_conversations_per_business"))
    if limit is None and event != "THROUGHPUT_UPGRADE":  # there it is the level of throughput
        limit = _limit(value.get("current_limit"))
    return [
        LimitChanged(
            "number",
            number=phone_of(shown),
            daily_limit=limit,
            quality=_QUALITIES.get(event),
            throughput="high" if event == "THROUGHPUT_UPGRADE" else None,
        ),
        Notice("phone_number_quality_update", compact(value)),
    ]


def read_capability(raw: Json, value: Json) -> list[Event]:
    names = ("max_daily_conversations_per_business", "max_daily_conversation_per_phone")
    limits = [limit for name in names if (limit := _limit(value.get(name))) is not None]
    notice = Notice("business_capability_update", compact(value))
    return [LimitChanged("account", daily_limit=limits[0]), notice] if limits else [notice]


def _limit(value: Any) -> int | None:
    return TIERS.get(text(value) or "", integer(value))


def read_template(row: Json) -> TemplateChanged | None:
    """One row of the account's list of templates."""
    return _template(
        text(row.get("name")),
        text(row.get("language")),
        row.get("id"),
        status=_TEMPLATE_STATUSES.get(text(row.get("status")) or ""),
        reason=_reason(row.get("rejected_reason")),
        category=_lower(row.get("category")),
        quality=_lower(at(row, "quality_score", "score")),
        components=compact(row.get("components")) or None,
    )


def _template(
    name: str | None, language: str | None, identity: Any, **changes: Any
) -> TemplateChanged | None:
    if name is None or language is None:
        return None
    return TemplateChanged(name, language, text(identity), **changes)


def _announced(changes: Callable[[Json], Json]) -> Callable[[Json, Json], list[Event]]:
    """Reads a webhook about one template; a Notice where it says nothing that we know of."""

    def read(raw: Json, value: Json) -> list[Event]:
        said = {name: change for name, change in changes(value).items() if change is not None}
        template = _template(
            text(value.get("message_template_name")),
            text(value.get("message_template_language")),
            value.get("message_template_id"),
            **said,
        )
        if template is None or not said:
            return [Notice(text(raw.get("field")) or "template", compact(value))]
        return [template]

    return read


def _status(value: Json) -> Json:
    why = first_text(at(value, "rejection_info", "reason"), at(value, "other_info", "description"))
    return {
        "status": _TEMPLATE_STATUSES.get((text(value.get("event")) or "").upper()),
        "reason": why or _reason(value.get("reason")),
        "category": _lower(value.get("message_template_category")),
    }


def _quality(value: Json) -> Json:
    return {"quality": _lower(value.get("new_quality_score"))}


def _category(value: Json) -> Json:
    # With `correct_category` alone it is announced for later.
    return {"category": _lower(value.get("new_category"))}


def _components(value: Json) -> Json:
    """As the list of templates has them."""
    parts: list[Json] = [
        {"type": kind, "text": said}
        for kind, name in (("HEADER", "title"), ("BODY", "element"), ("FOOTER", "footer"))
        if (said := text(value.get(f"message_template_{name}")))
    ]
    buttons = [compact(record(each)) for each in records(value.get("message_template_buttons"))]
    if buttons:
        parts.append({"type": "BUTTONS", "buttons": buttons})
    return {"components": parts or None}


def _lower(value: Any) -> str | None:
    said = text(value)
    return said.lower() if said else None


def _reason(value: Any) -> str | None:
    said = text(value)
    return None if said in (None, "NONE") else said


TEMPLATE_READERS: dict[str, Callable[[Json, Json], list[Event]]] = {
    "message_template_status_update": _announced(_status),
    "message_template_quality_update": _announced(_quality),
    "template_category_update": _announced(_category),
    "message_template_components_update": _announced(_components),
}
