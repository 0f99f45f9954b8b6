"""What a WhatsApp provider is to the rest of Recado: the Provider protocol and its shapes.

A provider translates and nothing else: bytes of a webhook into stored items, an item into events,
an outbound message into an HTTP call and its answer into an outcome. It keeps no state, reads no
database and knows no jobs, so every shape here is plain data that orjson can write.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

import httpx

Json = dict[str, Any]
Secrets = Mapping[str, list[str]]

RouteKind = Literal["instance", "phone_number_id", "waba"]
IdentityKind = Literal["phone", "wa_id", "lid", "bsuid", "parent_bsuid", "username"]
Direction = Literal["in", "out"]
Origin = Literal["contact", "phone_echo", "api_echo"]
ChatKind = Literal["direct", "group", "broadcast", "newsletter"]
MessageType = Literal[
    "text",
    "image",
    "audio",
    "video",
    "document",
    "sticker",
    "location",
    "contacts",
    "interactive",
    "button",
    "reaction",
    "order",
    "edit",
    "revoke",
    "poll",
    "system",
    "unsupported",
]
Status = Literal["accepted", "sent", "delivered", "read", "played", "failed"]
InstanceState = Literal["open", "connecting", "closed", "qr", "banned"]
Outcome = Literal["accepted", "retryable", "permanent", "paused", "unknown"]
Scope = Literal["contact", "instance", "account", "recipient", "request"]
OutboundType = Literal["text", "image", "audio", "video", "document", "template", "reaction"]


@dataclass(frozen=True, slots=True)
class Item:
    """One inbound unit, stored as it came: the same unit delivered again has the same key."""

    dedupe_key: str  # at most 300 characters, printable
    route_kind: RouteKind
    route_value: str  # what `route_kind` says; '' when the body names none
    kind: str  # e.g. 'messages.upsert', 'messages', 'statuses', 'account_update'
    order_key: str | None  # the chat; None where order does not matter
    raw: Json  # enough to parse this item alone


@dataclass(frozen=True, slots=True)
class Identity:
    """One name under which WhatsApp knows a contact; phone is E.164, the others as they came."""

    kind: IdentityKind
    value: str


@dataclass(frozen=True, slots=True)
class MessageReceived:
    """A message in a chat: from the contact, or our side's own as the provider repeats it."""

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
    media: Json | None = None  # {"id"|"url", "mime_type", "sha256", "file_name", ...}
    payload: Json = field(default_factory=dict)
    reply_to: str | None = None
    target: str | None = None  # the message a reaction, edit or revoke is about
    status: Status | None = None
    event: Literal["message"] = field(default="message", init=False)


@dataclass(frozen=True, slots=True)
class StatusChanged:
    """What became of a message of ours; `client_ref` is our own id where the provider echoes it."""

    provider_message_id: str
    status: Status
    at: str | None = None
    client_ref: str | None = None
    error: Json | None = None  # {"code", "title", "details", "class"}
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
    at: str | None = None  # ISO 8601
    event: Literal["instance"] = field(default="instance", init=False)


@dataclass(frozen=True, slots=True)
class ContactSeen:
    identities: list[Identity]
    name: str | None = None
    event: Literal["contact"] = field(default="contact", init=False)


@dataclass(frozen=True, slots=True)
class Notice:
    """Something the provider announces that no message, status or connection event covers."""

    name: str
    value: Json
    event: Literal["notice"] = field(default="notice", init=False)


@dataclass(frozen=True, slots=True)
class Unknown:
    """The item is kept; nothing is concluded from it."""

    reason: str
    event: Literal["unknown"] = field(default="unknown", init=False)


Event = MessageReceived | StatusChanged | InstanceChanged | ContactSeen | Notice | Unknown


@dataclass(frozen=True, slots=True)
class Instance:
    """A connected number as a sender needs it."""

    id: str
    provider: str
    base_url: str
    external_id: str  # Evolution: instance name; Meta: phone_number_id
    credentials: Mapping[str, str] = field(repr=False)


@dataclass(frozen=True, slots=True)
class OutboundMessage:
    id: str  # our message uuid; sent along where the provider can echo it
    to: str
    type: OutboundType
    body: str | None = None
    media: Json | None = None  # {"url", "mime_type", "file_name"}
    template: Json | None = None  # {"name", "language", "components"}
    reply_to: str | None = None
    target: str | None = None


@dataclass(frozen=True, slots=True)
class SendResult:
    """What is known after one attempt.

    accepted   the provider has it; `provider_message_id` is set
    retryable  it was not sent; send again after a while
    paused     it was not sent and nothing else of `scope` will be until something changes
    permanent  it was not sent and never will be as it is
    unknown    it may have been sent: never repeat it without proof that it was not
    """

    outcome: Outcome
    provider_message_id: str | None = None
    recipient: str | None = None  # the canonical address the provider answered with
    http_status: int | None = None
    code: str | None = None
    error: str | None = None  # the provider's words, phone numbers removed
    retry_after_seconds: float | None = None
    scope: Scope | None = None


class Provider(Protocol):
    """Implemented by one module per provider; registered in `functions/app.py`."""

    @property
    def name(self) -> str: ...

    def challenge(self, query: Mapping[str, str], secrets: Secrets) -> str | None:
        """The text that answers a subscription request; None refuses it (or there is no such)."""

    def verify(self, headers: Mapping[str, str], raw: bytes, secrets: Secrets) -> bool:
        """Whether these exact bytes come from the provider. Constant time; never raises."""

    def split(self, raw: bytes, endpoint_route: str | None) -> list[Item]:
        """The items of one request, nothing dropped.

        `endpoint_route` is the external id of the instance that the URL's token is bound to, for
        providers where the address decides the tenant.
        Raises: InvalidBody when the body is no JSON object.
        """

    def parse(self, kind: str, raw: Json) -> list[Event]:
        """The events of one item, at least one; never raises: what is not understood is Unknown."""

    async def send(
        self, http: httpx.AsyncClient, instance: Instance, message: OutboundMessage
    ) -> SendResult:
        """One attempt, classified; raises only for a cancelled task."""
