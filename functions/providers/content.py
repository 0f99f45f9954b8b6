"""What a message says, as every provider's reader of messages gives it."""

from dataclasses import dataclass, field

from functions.providers.base import Json, MessageType


@dataclass(frozen=True, slots=True)
class Content:
    """The part of a MessageReceived that depends on its type."""

    type: MessageType
    body: str | None = None
    media: Json | None = None
    payload: Json = field(default_factory=dict)
    target: str | None = None
    context: Json = field(default_factory=dict)  # Baileys' contextInfo: the quote, the ad, ...
    version: str | None = None  # of an edit: each has one, whichever event brings it
