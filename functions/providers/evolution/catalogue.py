"""Which kinds of Baileys message there are, and which function reads each."""

from dataclasses import replace
from typing import Any

from functions.providers.content import Content
from functions.providers.events import Json
from functions.providers.evolution.answers import (
    read_button,
    read_flow_reply,
    read_list_reply,
    read_reaction,
    read_vote,
)
from functions.providers.evolution.content import (
    Reader,
    read_call_log,
    read_contacts,
    read_event,
    read_interactive,
    read_location,
    read_media,
    read_order,
    read_pending,
    read_poll,
    read_rich_response,
    read_system,
    read_text,
)
from functions.providers.evolution.wrapped import unwrap
from functions.providers.fields import at, integer, record, text
from functions.providers.keys import digest


def content_of(message: Json) -> Content | None:
    """The content; unsupported under the name of what it holds; None when there is nothing."""
    outer = unwrap(message)
    inner = outer.message
    # The order of CONTENT decides: an edit or revoke is not hidden by what stands beside it.
    name = next((name for name in CONTENT if inner.get(name) not in (None, "", {}, [])), None)
    name = name or next((name for name in CONTENT if inner.get(name) is not None), None)
    if name is None:
        unknown = next((key for key in inner if key not in BESIDE), None)
        if unknown is None:
            return None
        return Content("unsupported", payload={"content": unknown[:64]})
    content = CONTENT[name](inner[name], inner)
    if content is None or not (outer.view_once or outer.edited):
        return content
    payload = dict(content.payload)
    if outer.view_once:
        payload["view_once"] = True
    if outer.edited and content.type != "edit":
        payload["edited"] = True
    return replace(content, payload=payload)


def _protocol(value: Any, message: Json) -> Content | None:
    """Deletions and edits; the rest is talk between devices and says nothing to people."""
    own = record(value)
    target = text(at(own, "key", "id"))
    kind = text(own.get("type")) or ("14" if own.get("editedMessage") else "0")
    if kind in ("14", "MESSAGE_EDIT"):
        return edited(own, target)
    if kind in ("0", "REVOKE") and target:
        return Content("revoke", target=target)
    if kind in ("3", "EPHEMERAL_SETTING"):
        seconds = integer(own.get("ephemeralExpiration")) or 0
        payload = {"kind": "ephemeral_setting", "expiration_seconds": seconds}
        return Content("system", payload=payload)
    return None


def edited(own: Json, target: str | None) -> Content:
    """The new content under type 'edit'; payload.type says what it is."""
    said = record(own.get("editedMessage"))
    new = content_of(said) or Content("unsupported")
    payload = {**new.payload, "type": new.type}
    changed = integer(own.get("timestampMs"))
    version = digest(said)[:16] if changed is None else str(changed)
    return Content("edit", new.body, new.media, payload, target, new.context, version)


def _encrypted_change(value: Any, message: Json) -> Content:
    target = text(at(value, "targetMessageKey", "id"))
    kind = text(at(value, "secretEncType")) or ""
    payload = {"encrypted": True, "content": kind[:64]}
    return Content(
        "edit" if kind in ("2", "MESSAGE_EDIT") else "unsupported", None, None, payload, target
    )


# What stands beside a content without being one.
BESIDE = frozenset({
    "messageContextInfo", "senderKeyDistributionMessage", "base64", "mediaUrl", "speechToText",
    "fastRatchetKeySenderKeyDistributionMessage", "contextInfo", "pollUpdates", "messageSecret",
    "stickerSyncRmrMessage", "messageHistoryBundle", "chat",
})  # fmt: skip

CONTENT: dict[str, Reader] = {
    "protocolMessage": _protocol,
    "reactionMessage": read_reaction,
    "encReactionMessage": read_reaction,
    "secretEncryptedMessage": _encrypted_change,
    "pollUpdateMessage": read_vote,
    "imageMessage": read_media("image"),
    "videoMessage": read_media("video"),
    "ptvMessage": read_media("video"),
    "audioMessage": read_media("audio"),
    "documentMessage": read_media("document"),
    "stickerMessage": read_media("sticker"),
    "locationMessage": read_location,
    "liveLocationMessage": read_location,
    "contactMessage": read_contacts,
    "contactsArrayMessage": read_contacts,
    "templateButtonReplyMessage": read_button,
    "buttonsResponseMessage": read_button,
    "listResponseMessage": read_list_reply,
    "interactiveResponseMessage": read_flow_reply,
    "orderMessage": read_order,
    "pollCreationMessage": read_poll,
    "pollCreationMessageV2": read_poll,
    "pollCreationMessageV3": read_poll,
    "pollCreationMessageV4": read_poll,
    "pollCreationMessageV5": read_poll,
    "pollResultSnapshotMessage": read_poll,
    "pollResultSnapshotMessageV3": read_poll,
    "buttonsMessage": read_interactive,
    "listMessage": read_interactive,
    "templateMessage": read_interactive,
    "interactiveMessage": read_interactive,
    "highlyStructuredMessage": read_interactive,
    "productMessage": read_interactive,
    "groupInviteMessage": read_interactive,
    "newsletterAdminInviteMessage": read_interactive,
    "newsletterFollowerInviteMessageV2": read_interactive,
    "eventMessage": read_event,
    "richResponseMessage": read_rich_response,
    "stickerPackMessage": read_interactive,
    "questionResponseMessage": read_text,
    "statusQuestionAnswerMessage": read_text,
    "statusQuotedMessage": read_text,
    "albumMessage": read_system,
    "pinInChatMessage": read_system,
    "keepInChatMessage": read_system,
    "callLogMesssage": read_call_log,  # spelled so in the protocol
    "bcallMessage": read_system,
    "messageHistoryNotice": read_system,
    "statusNotificationMessage": read_system,
    "call": read_system,
    "scheduledCallCreationMessage": read_system,
    "scheduledCallEditMessage": read_system,
    "requestPhoneNumberMessage": read_system,
    "sendPaymentMessage": read_system,
    "requestPaymentMessage": read_system,
    "declinePaymentRequestMessage": read_system,
    "cancelPaymentRequestMessage": read_system,
    "paymentInviteMessage": read_system,
    "invoiceMessage": read_system,
    "placeholderMessage": read_pending,
    "conversation": read_text,
    "extendedTextMessage": read_text,
}  # fmt: skip
