"""What the database holds of a company, without what differs by nature: our ids and the clock."""

from datetime import UTC, datetime
from typing import Any

from functions.providers.identity import parse_jid, phone_of
from tests.messaging.conftest import Company

Json = dict[str, Any]

MESSAGE = (
    "direction", "origin", "type", "status", "body", "payload", "author", "reply_to",
    "target", "quoted", "error_code", "error_detail", "occurred_at", "accepted_at", "sent_at",
    "delivered_at", "read_at", "failed_at", "deleted_at", "edited_at", "revoked_at", "original",
)  # fmt: skip
CHANGE = ("type", "actor", "body", "media", "payload", "sent_at", "received_at")
# What becomes of a file here depends on when it is fetched.
FETCHED = ("state", "object", "size", "error")
TOLD = ("event", "occurred_at", "data")
NUMBER = (
    "provider", "state", "state_reason", "state_at", "quality", "throughput", "portfolio_limit",
    "cooldown_until", "cold_blocked_until", "campaigns_paused_until",
)  # fmt: skip
SUPPRESSION = ("scope", "reason", "suppressed_at")
CONVERSATION = (
    "kind", "title", "status", "unread", "last_message_at", "last_message_preview",
    "last_message_direction", "last_inbound_at", "waiting_since",
)  # fmt: skip


def plain(value: Any, since: datetime) -> Any:
    """A moment after `since` is the time at which something arrived, and becomes "now"."""
    try:
        arrived = datetime.fromisoformat(value) >= since
    except (TypeError, ValueError):
        return value
    return "now" if arrived else value


def pick(row: Json, names: tuple[str, ...], since: datetime) -> Json:
    return {name: plain(row[name], since) for name in names}


def address(text: str) -> str:
    """The forms of a Brazilian mobile are one address."""
    jid = parse_jid(text)
    return (phone_of(jid.user) if jid and jid.is_phone else None) or text


async def _said(company: Company, since: datetime) -> Json:
    """Messages as they are shown, and what was told of them."""
    conversations = {row["id"]: row for row in await company.rows("conversations")}
    return {
        "messages": {
            row["provider_message_id"]: pick(row, MESSAGE, since)
            | {"in": address(conversations[row["conversation_id"]]["address"])}
            | {"media": {k: v for k, v in (row["media"] or {}).items() if k not in FETCHED}}
            | {"reactions": [(r["actor"], r["emoji"]) for r in row["reactions"] or []]}
            | {"votes": [(v["voter"], v["options"]) for v in row["votes"] or []]}
            for row in await company.rows("messages")
        },
        "changes": {
            (row["target"], row["change_id"]): pick(row, CHANGE, since)
            for row in await company.rows("message_changes")
        },
        "reports": {
            (row["provider_message_id"], row["status"]): (
                plain(row["occurred_at"], since),
                {name: plain(value, since) for name, value in (row["error"] or {}).items()},
            )
            for row in await company.rows("message_status_events")
        },
    }


async def _people(company: Company, since: datetime) -> Json:
    """Merged contacts are signposts, and the conversation that went along is empty: not in it."""
    identities: dict[str, list[str]] = {}
    for row in await company.rows("contact_identities"):
        identities.setdefault(row["contact_id"], []).append(f"{row['kind']} {row['value']}")
    names = {id: " ".join(sorted(found)) for id, found in identities.items()}
    return {
        "contacts": {
            names[row["id"]]: (row["name"], row["phone"])
            for row in await company.rows("contacts", merged_into="is.null")
        },
        "conversations": {
            address(row["address"]): pick(row, CONVERSATION, since)
            | {"contact": names.get(row["contact_id"])}
            for row in await company.rows("conversations", last_message_preview="not.is.null")
        },
        "suppressions": sorted(
            repr(pick(row, SUPPRESSION, since)) + names.get(row["contact_id"], "")
            for row in await company.rows("suppressions", lifted_at="is.null")
        ),
    }


async def snapshot(company: Company, since: datetime) -> Json:
    """Messages, changes, reports, people, threads, numbers and items; equal for equal histories."""
    items = await company.rows("inbound_events")
    instances = await company.rows("instances", order="provider")
    return {
        **await _said(company, since),
        **await _people(company, since),
        # The number itself is each company's own.
        "told": sorted(
            repr(pick(row, TOLD, since)).replace(company.tenant.meta.phone, "ours")
            for row in await company.rows("provider_events")
        ),
        "numbers": [pick(row, NUMBER, since) for row in instances],
        "items": {(row["kind"], row["state"], row["outcome"], row["error"]) for row in items},
    }


def now() -> datetime:
    return datetime.now(UTC)
