"""What can be asked of a provider beside sending a message, and what it answers.

A command is a value and its answer is one; what happens to a number on the way comes as the same
events that a webhook brings. All of them may be repeated.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

from functions.providers.base import OutboundMessage, SendResult
from functions.providers.events import Event, Identity, Json


@dataclass(frozen=True, slots=True)
class MarkRead:
    """The contact sees that these messages were read. Meta: all up to the last one."""

    chat: str
    message_ids: Sequence[str]


@dataclass(frozen=True, slots=True)
class ShowTyping:
    """The contact sees us typing for some seconds. Meta: as the answer to `message_id`, only."""

    chat: str
    message_id: str | None = None


class Writable(Protocol):
    """Where a file goes as it comes. Raises FileTooLarge when it becomes larger than wanted."""

    def write(self, chunk: bytes, /) -> object: ...


class FileTooLarge(Exception):
    """A file is over the limit of whoever wants it; the rest of it is not read."""


@dataclass(frozen=True, slots=True)
class FetchMedia:
    """A file, its bytes written `into` as they come: `media` as the message had it.

    `stored`: the raw item; needed where `media` says that the bytes are `inline` in it.
    """

    chat: str
    message_id: str
    media: Json
    into: Writable = field(repr=False)
    from_us: bool = False
    stored: Json | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class UploadMedia:
    """Leaves a file with the provider, to be sent by its id. Meta keeps it for 30 days."""

    content: bytes = field(repr=False)
    mime_type: str
    file_name: str = "file"


@dataclass(frozen=True, slots=True)
class CheckNumbers:
    """Which of these phones are on WhatsApp."""

    numbers: Sequence[str]


@dataclass(frozen=True, slots=True)
class Webhook:
    """Where the provider shall post, and the secret by which we know it."""

    url: str
    secret: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class CreateInstance:
    """Makes the instance under its external id. `number`: for a pairing code instead of a QR."""

    webhook: Webhook | None = None
    number: str | None = None


@dataclass(frozen=True, slots=True)
class Connect:
    """Opens the connection: a QR or pairing code to scan; Meta: registers with the PIN."""

    number: str | None = None
    pin: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class ReadState:
    """What the provider believes of the connection, its number, quality and limits."""


@dataclass(frozen=True, slots=True)
class Probe:
    """Whether the connection lives, by something that only a live one can answer."""

    number: str


@dataclass(frozen=True, slots=True)
class Restart:
    """Connects anew, under the same login."""


@dataclass(frozen=True, slots=True)
class LogOut:
    """Ends the login: to come back, a person has to connect again."""


@dataclass(frozen=True, slots=True)
class DeleteInstance:
    """Removes the instance from its server."""


@dataclass(frozen=True, slots=True)
class SetWebhook:
    """Makes the provider post to us."""

    webhook: Webhook


@dataclass(frozen=True, slots=True)
class ListTemplates:
    """All templates of the account."""


@dataclass(frozen=True, slots=True)
class Reconcile:
    """Whether a message whose answer was lost has been sent, by what the server keeps.

    `since`: seconds since 1970 before which it cannot have been. `others`: ids that are known to be
    other messages. Nothing found is no proof that it was not sent.
    """

    message: OutboundMessage
    since: int
    others: Sequence[str] = ()


Command = (
    MarkRead
    | ShowTyping
    | FetchMedia
    | UploadMedia
    | CheckNumbers
    | CreateInstance
    | Connect
    | ReadState
    | Probe
    | Restart
    | LogOut
    | DeleteInstance
    | SetWebhook
    | ListTemplates
    | Reconcile
)


@dataclass(frozen=True, slots=True)
class File:
    """What is told of a file that was fetched."""

    mime_type: str | None = None
    name: str | None = None


@dataclass(frozen=True, slots=True)
class NumberChecked:
    """`identities`: how WhatsApp knows the phone that was asked for."""

    number: str
    exists: bool
    identities: list[Identity] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Answer:
    """`failure` is None when it was done; then what was asked for is in its field."""

    failure: SendResult | None = None
    events: list[Event] = field(default_factory=list)
    file: File | None = None
    media_id: str | None = None
    numbers: list[NumberChecked] = field(default_factory=list)
    credentials: dict[str, str] = field(default_factory=dict, repr=False)  # of a new instance
    sent: SendResult | None = None  # of Reconcile: accepted; None: not found
