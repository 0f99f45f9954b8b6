"""Baileys messages inside messages: what is around the content that a person sees."""

from dataclasses import dataclass

from functions.providers.events import Json
from functions.providers.fields import record

_FUTURE_PROOF = frozenset({
    "ephemeralMessage", "viewOnceMessage", "viewOnceMessageV2", "viewOnceMessageV2Extension",
    "documentWithCaptionMessage", "editedMessage", "groupMentionedMessage", "lottieStickerMessage",
    "botInvokeMessage", "botTaskMessage", "botForwardedMessage", "associatedChildMessage",
    "pollCreationMessageV4", "pollCreationOptionImageMessage", "eventCoverImage",
    "statusMentionMessage", "groupStatusMentionMessage", "groupStatusMessage",
    "groupStatusMessageV2", "statusAddYours", "questionMessage", "questionReplyMessage",
    "limitSharingMessage", "deviceSentMessage", "commentMessage",
})  # fmt: skip
_VIEW_ONCE = frozenset({"viewOnceMessage", "viewOnceMessageV2", "viewOnceMessageV2Extension"})
_DEEPEST = 12


@dataclass(frozen=True, slots=True)
class Unwrapped:
    message: Json
    view_once: bool
    edited: bool


def _is_bare_poll(value: object) -> bool:
    return "options" in record(value)


def unwrap(message: Json) -> Unwrapped:
    """The innermost message; fields beside a wrapper (base64, mediaUrl) stay visible."""
    view_once = edited = False
    for _ in range(_DEEPEST):
        # Some servers post a poll of this kind without the message around it.
        wrapper = next(
            (
                name
                for name in message
                if name in _FUTURE_PROOF and not _is_bare_poll(message[name])
            ),
            None,
        )
        if wrapper is None:
            break
        inner = record(record(message[wrapper]).get("message"))
        view_once = view_once or wrapper in _VIEW_ONCE
        edited = edited or wrapper == "editedMessage"
        beside = {name: value for name, value in message.items() if name != wrapper}
        if not inner:
            message = beside
            continue
        message = {**beside, **inner}
    return Unwrapped(message, view_once, edited)
