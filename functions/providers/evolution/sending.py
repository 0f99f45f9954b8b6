"""One message to Evolution: POST /message/{action}/{instance}."""

import hashlib
from urllib.parse import quote

import httpx
import orjson

from functions.providers.attempt import TIMEOUT, classified, failed_transport
from functions.providers.base import Instance, Json, OutboundMessage, SendResult
from functions.providers.evolution.outcomes import read_answer
from functions.providers.fields import record, text, without_none
from functions.providers.identity import parse_jid

_ACTIONS = {
    "text": "sendText",
    "image": "sendMedia",
    "video": "sendMedia",
    "document": "sendMedia",
    "audio": "sendWhatsAppAudio",
    "template": "sendTemplate",
    "reaction": "sendReaction",
}


async def send_message(
    http: httpx.AsyncClient, instance: Instance, message: OutboundMessage
) -> SendResult:
    body = request_body(message)
    if body is None:
        return classified("request", code="incomplete", error="The message lacks its content")
    action = _ACTIONS[message.type]
    name = quote(instance.external_id, safe="")
    try:
        response = await http.post(
            f"{instance.base_url.rstrip('/')}/message/{action}/{name}",
            content=orjson.dumps(body),
            headers={
                "apikey": instance.credentials.get("api_key", ""),
                "content-type": "application/json",
            },
            timeout=TIMEOUT,
            follow_redirects=False,
        )
    except (httpx.HTTPError, httpx.InvalidURL, UnicodeError) as failure:
        return failed_transport(failure)
    try:
        answer = orjson.loads(response.content)
    except orjson.JSONDecodeError:
        answer = None
    return read_answer(response, answer)


def planned_message_id(message_id: str) -> str:
    """The WhatsApp id that a server from 2.4 on gives our message: asked for twice, sent once.

    Shaped like the ids of WhatsApp Web. Servers before 2.4 ignore it and choose their own.
    """
    return "3EB0" + hashlib.sha256(message_id.encode()).hexdigest()[:18].upper()


def request_body(message: OutboundMessage) -> Json | None:
    """None when the message lacks what its type needs. No `delay`: it would block the request."""
    content = _content(message)
    if content is None:
        return None
    if message.type == "reaction":
        return content
    quoted = {"quoted": {"key": {"id": message.reply_to}}} if message.reply_to else {}
    planned = planned_message_id(message.id)
    return {"number": _number(message.to), **content, **quoted, "messageId": planned}


def _number(to: str) -> str:
    """Digits for a phone (the server finds the canonical form), the address for all else."""
    jid = parse_jid(to)
    if jid is None:
        return to.removeprefix("+")
    return jid.user if jid.is_phone else str(jid)


def _content(message: OutboundMessage) -> Json | None:
    media, template = record(message.media), record(message.template)
    url = text(media.get("url"))
    if message.type == "text":
        return {"text": message.body} if message.body else None
    if message.type == "audio":
        return {"audio": url} if url else None
    if message.type == "template":
        return _template(template)
    if message.type == "reaction":
        return _reaction(message)
    if url is None:
        return None
    return without_none(
        mediatype=message.type,
        media=url,
        mimetype=text(media.get("mime_type")),
        fileName=text(media.get("file_name")),
        caption=text(message.body),
    )


def _template(template: Json) -> Json | None:
    name, language = text(template.get("name")), template.get("language")
    code = text(language.get("code")) if isinstance(language, dict) else text(language)
    if name is None or code is None:
        return None
    return {"name": name, "language": code, "components": template.get("components") or []}


def _reaction(message: OutboundMessage) -> Json | None:
    jid = parse_jid(message.to)
    if message.target is None or jid is None:
        return None
    # People react to what the other side wrote; WhatsApp looks the message up by its id.
    key = {"remoteJid": str(jid), "fromMe": False, "id": message.target}
    return {"key": key, "reaction": message.body or ""}
