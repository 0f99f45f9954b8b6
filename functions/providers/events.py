"""What a stored item says, in the words of messaging: plain data that orjson can write.

Every event stands alone. Items come twice, late and in any order, so an event that changes
something names the time by which it ranks, where the provider tells one.
"""

from dataclasses import dataclass, field
from typing import Any, Literal

Json = dict[str, Any]

IdentityKind = Literal["phone", "wa_id", "lid", "bsuid", "parent_bsuid", "username"]
Direction = Literal["in", "out"]
Origin = Literal["contact", "phone_echo", "api_echo"]
ChatKind = Literal["direct", "group", "broadcast", "newsletter"]
MessageType = Literal[
    "text", "image", "audio", "video", "document", "sticker", "location", "contacts", "interactive",
    "button", "reaction", "order", "edit", "revoke", "poll", "vote", "system", "unsupported",
]  # fmt: skip
Status = Literal["accepted", "sent", "delivered", "read", "played", "failed"]
InstanceState = Literal["open", "connecting", "closed", "qr", "banned", "degraded"]
TemplateStatus = Literal[
    "approved", "pending", "rejected", "paused", "disabled", "flagged", "in_appeal", "deleted",
    "archived", "locked", "limit_exceeded",
]  # fmt: skip
LimitScope = Literal["number", "account"]
CallStatus = Literal["ringing", "accepted", "rejected", "missed", "ended"]
GroupAction = Literal[
    "created", "changed", "deleted", "add", "remove", "promote", "demote", "join_request",
]  # fmt: skip


@dataclass(frozen=True, slots=True)
class Identity:
    """One name under which WhatsApp knows a contact; phone is E.164, the others as they came."""

    kind: IdentityKind
    value: str


@dataclass(frozen=True, slots=True)
class MessageReceived:
    """A message in a chat: from the contact, or our side's own as the provider repeats it.

    Of type reaction, edit, revoke or vote it is about `target`, which may come later or never:

    reaction  `actor` has this emoji on it from `sent_at` on; payload.removed: none any more. One
              per actor, the latest counts.
    edit      it now says this (payload.type, body, media). The latest counts; one without a time
              is a copy of another event and ranks below every one that has a time.
    revoke    it is deleted for everyone, whatever edits say.
    vote      `actor` chooses payload.options of the poll, none of them where that is empty; without
              it the choice cannot be read. The latest of each actor counts; one without a time is a
              copy of another, which it makes readable (payload.emitted orders the copies).
    """

    provider_message_id: str
    sent_at: str | None  # ISO 8601, UTC; None when the body has no time: the arrival counts
    chat_address: str  # where an answer goes
    direction: Direction = "in"
    origin: Origin = "contact"
    chat_kind: ChatKind = "direct"
    identities: list[Identity] = field(default_factory=list)  # of the contact; phone first
    author: Json | None = None  # {"id", "name"} of a group's participant
    name: str | None = None  # profile name; never ''
    type: MessageType = "unsupported"
    body: str | None = None
    # How to get the file: see providers/content.py. FetchMedia takes it as it is.
    media: Json | None = None
    payload: Json = field(default_factory=dict)
    reply_to: str | None = None  # the message this one answers
    quoted: Json | None = None  # {"author", "type", "body"} of it, as this message tells
    target: str | None = None  # the message a reaction, edit, revoke or vote is about
    actor: str | None = None  # who does it: 'us', 'contact', a participant; None: target's author
    status: Status | None = None
    event: Literal["message"] = field(default="message", init=False)


@dataclass(frozen=True, slots=True)
class StatusChanged:
    """What became of a message of ours; `client_ref` is our own id where the provider echoes it."""

    provider_message_id: str
    status: Status
    at: str | None = None
    client_ref: str | None = None
    # {"code", "title", "details", "class", "reaction": {...} as attempt.Reaction}
    error: Json | None = None
    # Of the recipient, where the report ties several names to one person.
    identities: list[Identity] = field(default_factory=list)
    event: Literal["status"] = field(default="status", init=False)


@dataclass(frozen=True, slots=True)
class InstanceChanged:
    """The connection of a number changed; None in a field means the event says nothing about it.

    `at` orders the changes of one number. It is the clock of its server, whatever that shows.
    """

    state: InstanceState | None = None
    reason: str | None = None
    number: str | None = None  # E.164
    qr: str | None = None
    pairing_code: str | None = None  # typed on the phone instead of the QR
    at: str | None = None  # ISO 8601
    event: Literal["instance"] = field(default="instance", init=False)


@dataclass(frozen=True, slots=True)
class ContactSeen:
    """Names of one person, the current ones first; `evidence` is what tied them together."""

    identities: list[Identity]
    name: str | None = None
    evidence: str | None = None
    at: str | None = None
    event: Literal["contact"] = field(default="contact", init=False)


@dataclass(frozen=True, slots=True)
class PreferenceChanged:
    """A contact wants marketing messages, or no more; the latest `at` counts."""

    identities: list[Identity]
    wanted: bool
    at: str | None = None
    detail: str | None = None
    event: Literal["preference"] = field(default="preference", init=False)


@dataclass(frozen=True, slots=True)
class TemplateChanged:
    """A template of the account; None in a field means the event says nothing about it."""

    name: str
    language: str
    template_id: str | None = None
    status: TemplateStatus | None = None
    reason: str | None = None
    category: str | None = None  # 'marketing', 'utility', 'authentication'
    quality: str | None = None  # 'green', 'yellow', 'red', 'unknown'
    components: list[Json] | None = None
    at: str | None = None
    event: Literal["template"] = field(default="template", init=False)


@dataclass(frozen=True, slots=True)
class LimitChanged:
    """What a number or its account may send, and how its recipients rate it.

    `daily_limit`: unique contacts in 24 hours outside the window; 0 is none, -1 no limit.
    `restriction`: what the account may not do (`until`, or for good); '' lifts all.
    """

    scope: LimitScope
    number: str | None = None  # E.164; None: that of the item, or all of the account
    daily_limit: int | None = None
    quality: str | None = None  # 'green', 'yellow', 'red', 'unknown'
    throughput: str | None = None  # 'standard', 'high'
    restriction: str | None = None
    until: str | None = None
    at: str | None = None
    event: Literal["limit"] = field(default="limit", init=False)


@dataclass(frozen=True, slots=True)
class GroupChanged:
    """A group or its members; members of groups are no contacts."""

    group: str
    action: GroupAction
    participants: list[Json] = field(default_factory=list)  # {"id", "phone"?}
    by: str | None = None
    subject: str | None = None
    at: str | None = None
    event: Literal["group"] = field(default="group", init=False)


@dataclass(frozen=True, slots=True)
class CallChanged:
    call_id: str
    status: CallStatus
    direction: Direction = "in"
    identities: list[Identity] = field(default_factory=list)
    video: bool = False
    group: str | None = None
    seconds: int | None = None
    at: str | None = None
    event: Literal["call"] = field(default="call", init=False)


@dataclass(frozen=True, slots=True)
class Notice:
    """Something the provider announces that none of the other events covers."""

    name: str
    value: Json
    event: Literal["notice"] = field(default="notice", init=False)


@dataclass(frozen=True, slots=True)
class Unknown:
    """The item is kept; nothing is concluded from it."""

    reason: str
    event: Literal["unknown"] = field(default="unknown", init=False)


Event = (
    MessageReceived
    | StatusChanged
    | InstanceChanged
    | ContactSeen
    | PreferenceChanged
    | TemplateChanged
    | LimitChanged
    | GroupChanged
    | CallChanged
    | Notice
    | Unknown
)
