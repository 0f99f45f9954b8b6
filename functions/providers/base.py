"""What a WhatsApp provider is to the rest of Recado: the Provider protocol and its shapes.

A provider translates and nothing else: bytes of a webhook into stored items, an item into events,
an outbound message or a command into HTTP calls and their answers into an outcome. It keeps no
state, reads no database and knows no jobs. A further one is a module with an object that fulfils
the protocol, and its line in `functions/app.py`; then its numbers work, registered by the SQL
functions `create_inbound_endpoint` and `create_instance`. For people to connect them by a form or
a command, say what it asks for in `messaging/numbers_models.py` and `cli/numbers.py`.

events.py    what an item says            commands.py  what can be asked for beside a send
attempt.py   the classes of failure and the reaction to each
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, Protocol

import httpx

from functions.providers.events import Event, Identity, Json

if TYPE_CHECKING:
    from functions.providers.attempt import Reaction
    from functions.providers.commands import Answer, Command

Secrets = Mapping[str, list[str]]

RouteKind = Literal["instance", "phone_number_id", "waba"]
Outcome = Literal["accepted", "retryable", "permanent", "paused", "unknown"]
Scope = Literal["contact", "instance", "account", "recipient", "request"]
OutboundType = Literal[
    "text", "image", "audio", "video", "document", "sticker", "location", "contacts", "poll",
    "interactive", "template", "reaction", "edit", "revoke",
]  # fmt: skip


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
class Instance:
    """A connected number as a sender needs it."""

    id: str
    provider: str
    base_url: str
    external_id: str  # Evolution: instance name; Meta: phone_number_id
    credentials: Mapping[str, str] = field(repr=False)
    account_id: str = ""  # Meta: WABA; for what belongs to it, as templates and subscriptions


@dataclass(frozen=True, slots=True)
class OutboundMessage:
    """A message to send.

    `target`: of a reaction, edit or revoke. Edits and revokes change our own messages; a reaction
    says with `target_ours` whose message it is on, and in a group with `target_author`.
    `content`, in the form of Meta's documentation: of a location {latitude, longitude, name?,
    address?}, of contacts {"contacts": [...]}, of an interactive message {type, body, action, ...};
    of a poll {name, options, selectable?}.
    """

    id: str  # our message uuid; sent along where the provider can echo it
    to: str
    type: OutboundType
    body: str | None = None
    # {"id" | "url" | "base64", "mime_type", "file_name", "voice"?}; voice: a voice note
    media: Json | None = None
    template: Json | None = None  # {"name", "language", "components"}
    reply_to: str | None = None
    target: str | None = None
    target_ours: bool = False
    target_author: str | None = None
    content: Json | None = None


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
    # The recipient as the provider names them: one person with whom the message was addressed to.
    identities: list[Identity] = field(default_factory=list)
    http_status: int | None = None
    code: str | None = None
    error: str | None = None  # the provider's words, phone numbers removed
    retry_after_seconds: float | None = None
    scope: Scope | None = None
    error_class: str | None = None  # of attempt.ErrorClass
    reaction: "Reaction | None" = None  # what to do beside settling this message


class Provider(Protocol):
    """Implemented by one module per provider; registered in `functions/app.py`."""

    @property
    def name(self) -> str: ...

    @property
    def commands(self) -> frozenset[type]:
        """The commands it has; `perform` answers any other with the code `unsupported`."""

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

    async def perform(
        self, http: httpx.AsyncClient, instance: Instance, command: "Command"
    ) -> "Answer":
        """Asks for something that is no message; raises only for a cancelled task."""
