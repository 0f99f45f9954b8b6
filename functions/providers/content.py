"""What a message says, as every provider's reader of messages gives it.

Its media, each part only where it is known:

id         Meta's id of the file               encrypted  `url` holds it as WhatsApp encrypts
url        where it is, or was for a while     inline     its bytes are in the stored item
mime_type, file_name, bytes, seconds           voice      a voice note
sha256     of the bytes, as base64
"""

from dataclasses import dataclass, field

from functions.providers.events import Json, MessageType


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
