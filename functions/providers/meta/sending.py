"""One message to Meta: POST /{version}/{phone_number_id}/messages."""

import re
from typing import Any
from urllib.parse import quote

import httpx
import orjson

from functions.providers.attempt import TIMEOUT, classified, failed_transport
from functions.providers.base import Instance, Json, OutboundMessage, SendResult
from functions.providers.fields import record, text, without_none
from functions.providers.identity import is_bsuid, parse_jid
from functions.providers.meta.outcomes import read_answer

VERSION = "v24.0"  # used when the instance's base address names none
_CAPTIONED = ("image", "video", "document")
_NO_QUOTE = ("reaction",)


async def send_message(
    http: httpx.AsyncClient, instance: Instance, message: OutboundMessage
) -> SendResult:
    body = request_body(message)
    if body is None:
        return classified("request", code="incomplete", error="The message lacks its content")
    try:
        response = await http.post(
            messages_url(instance),
            content=orjson.dumps(body),
            headers={
                "authorization": f"Bearer {instance.credentials.get('access_token', '')}",
                "content-type": "application/json",
            },
            timeout=TIMEOUT,
            follow_redirects=False,
        )
    except (httpx.HTTPError, httpx.InvalidURL, UnicodeError) as failure:
        return failed_transport(failure)
    return read_answer(response, answer_json(response))


def messages_url(instance: Instance) -> str:
    base = instance.base_url.rstrip("/")
    if not re.search(r"/v\d+(\.\d+)?$", base):
        base = f"{base}/{VERSION}"
    return f"{base}/{quote(instance.external_id, safe='')}/messages"


def answer_json(response: httpx.Response) -> Any:
    try:
        return orjson.loads(response.content)
    except orjson.JSONDecodeError:
        return None


def request_body(message: OutboundMessage) -> Json | None:
    """None when the message lacks what its type needs."""
    content = _content(message)
    if content is None:
        return None
    quoted = message.reply_to if message.type not in _NO_QUOTE else None
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


def _content(message: OutboundMessage) -> Json | None:
    media = record(message.media)
    if message.type == "text":
        return {"body": message.body, "preview_url": True} if message.body else None
    if message.type == "reaction":
        target = message.target
        return {"message_id": target, "emoji": message.body or ""} if target else None
    if message.type == "template":
        return _template(record(message.template))
    source = without_none(id=text(media.get("id")), link=text(media.get("url")))
    if not source:
        return None
    if "id" in source:
        source.pop("link", None)
    if message.type in _CAPTIONED and message.body:
        source["caption"] = message.body
    if message.type == "document" and text(media.get("file_name")):
        source["filename"] = media["file_name"]
    return source


def _template(template: Json) -> Json | None:
    name, language = text(template.get("name")), template.get("language")
    code = text(language.get("code")) if isinstance(language, dict) else text(language)
    if name is None or code is None:
        return None
    components = template.get("components")
    extra = {"components": components} if isinstance(components, list) and components else {}
    return {"name": name, "language": {"code": code}, **extra}
