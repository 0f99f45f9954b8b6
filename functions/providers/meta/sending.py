"""One message to Meta: POST /{version}/{phone_number_id}/messages."""

import base64
import binascii
import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any
from urllib.parse import quote

import httpx

from functions.providers.attempt import classified
from functions.providers.base import Instance, OutboundMessage, SendResult
from functions.providers.calls import Request, deliver
from functions.providers.events import Json
from functions.providers.fields import record, text, without_none
from functions.providers.identity import is_bsuid, parse_jid
from functions.providers.meta.outcomes import read_answer, read_failure

VERSION = "v24.0"  # used when the instance's base address names none
_CAPTIONED = ("image", "video", "document")


async def send_message(
    http: httpx.AsyncClient, instance: Instance, message: OutboundMessage
) -> SendResult:
    if message.type not in _CONTENT:
        code = "unsupported"
        return classified("unsupported", code=code, error=f"Meta takes no {message.type}")
    media = record(message.media)
    if text(media.get("base64")) and not media.get("id"):
        uploaded = await _uploaded(http, instance, message)
        if isinstance(uploaded, SendResult):
            return uploaded
        message = uploaded
    return await deliver(http, message_request(instance, message), read_answer)


async def _uploaded(
    http: httpx.AsyncClient, instance: Instance, message: OutboundMessage
) -> OutboundMessage | SendResult:
    """The message with its file by id, or why there is none: then nothing was sent."""
    media = record(message.media)
    try:
        content = base64.b64decode(media["base64"], validate=True)
    except (binascii.Error, ValueError):
        return classified("request", code="bad_base64", error="The media is not base64")
    mime_type = text(media.get("mime_type")) or "application/octet-stream"
    name = text(media.get("file_name")) or "file"
    result = await deliver(http, upload_request(instance, content, mime_type, name), _read_upload)
    if result.outcome == "unknown":
        # A file that was uploaded in vain is no message: it may be uploaded again.
        return classified("transient", code=result.code, error=result.error)
    if result.outcome != "accepted":
        return result
    return replace(message, media={**media, "id": result.provider_message_id})


def _read_upload(response: httpx.Response, body: Any) -> SendResult:
    identity = uploaded_id(body)
    if identity is None:
        return read_failure(response, body)
    return SendResult("accepted", identity)


def uploaded_id(body: Any) -> str | None:
    return text(record(body).get("id"))


def upload_request(instance: Instance, content: bytes, mime_type: str, name: str) -> Request:
    return Request(
        "POST",
        graph_url(instance, instance.external_id, "media"),
        bearer(instance),
        form={"messaging_product": "whatsapp", "type": mime_type},
        files={"file": (name, content, mime_type)},
    )


def message_request(instance: Instance, message: OutboundMessage) -> Request | None:
    """None when the message lacks what its type needs."""
    body = request_body(message)
    return Request("POST", messages_url(instance), bearer(instance), body) if body else None


def bearer(instance: Instance) -> dict[str, str]:
    return {"authorization": f"Bearer {instance.credentials.get('access_token', '')}"}


def messages_url(instance: Instance) -> str:
    return graph_url(instance, instance.external_id, "messages")


def graph_url(instance: Instance, node: str, edge: str = "") -> str:
    base = instance.base_url.rstrip("/")
    if not re.search(r"/v\d+(\.\d+)?$", base):
        base = f"{base}/{VERSION}"
    return f"{base}/{quote(node, safe='')}{'/' if edge else ''}{edge}"


def request_body(message: OutboundMessage) -> Json | None:
    """None when the message lacks what its type needs."""
    reader = _CONTENT.get(message.type)
    content = reader(message) if reader else None
    if not content:
        return None
    quoted = message.reply_to if message.type != "reaction" else None
    return {
        "messaging_product": "whatsapp",
        **_recipient(message.to),
        **({"context": {"message_id": quoted}} if quoted else {}),
        "type": message.type,
        message.type: content,
        # Echoed in every status: how the message is found again when this answer is lost.
        "biz_opaque_callback_data": message.id,
    }


def _recipient(to: str) -> Json:
    if is_bsuid(to):
        return {"recipient_type": "individual", "recipient": to}
    jid = parse_jid(to)
    if jid and jid.chat_kind == "group":
        return {"recipient_type": "group", "to": str(jid)}
    return {"recipient_type": "individual", "to": jid.user if jid else to.removeprefix("+")}


def _text(message: OutboundMessage) -> Json | None:
    return {"body": message.body, "preview_url": True} if message.body else None


def _media(message: OutboundMessage) -> Json | None:
    media = record(message.media)
    identity, link = text(media.get("id")), text(media.get("url"))
    if not identity and not link:
        return None
    return without_none(
        id=identity,
        link=None if identity else link,
        caption=(message.body or None) if message.type in _CAPTIONED else None,
        filename=text(media.get("file_name")) if message.type == "document" else None,
        voice=True if message.type == "audio" and media.get("voice") is True else None,
    )


def _template(message: OutboundMessage) -> Json | None:
    template = record(message.template)
    name, language = text(template.get("name")), template.get("language")
    code = text(language.get("code")) if isinstance(language, dict) else text(language)
    if name is None or code is None:
        return None
    components = template.get("components")
    extra = {"components": components} if isinstance(components, list) and components else {}
    return {"name": name, "language": {"code": code}, **extra}


def _reaction(message: OutboundMessage) -> Json | None:
    target = message.target
    return {"message_id": target, "emoji": message.body or ""} if target else None


def _content(message: OutboundMessage) -> Json | None:
    return message.content


def _contacts(message: OutboundMessage) -> Any:
    return record(message.content).get("contacts")


_CONTENT: dict[str, Callable[[OutboundMessage], Any]] = {
    "text": _text,
    "image": _media,
    "audio": _media,
    "video": _media,
    "document": _media,
    "sticker": _media,
    "location": _content,
    "contacts": _contacts,
    "interactive": _content,
    "template": _template,
    "reaction": _reaction,
}
