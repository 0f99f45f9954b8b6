"""One message to Evolution: the request, by type; outgoing.py fills in its content."""

import hashlib
from urllib.parse import quote

import httpx

from functions.providers.base import Instance, OutboundMessage, SendResult
from functions.providers.calls import Request, deliver
from functions.providers.events import Json
from functions.providers.evolution.outcomes import read_answer
from functions.providers.evolution.outgoing import content_for
from functions.providers.fields import without_none
from functions.providers.identity import parse_jid

# type -> (method, path); sendMedia is for a file that is no voice note and no sticker
_ROUTES = {
    "text": ("POST", "message/sendText"),
    "image": ("POST", "message/sendMedia"),
    "video": ("POST", "message/sendMedia"),
    "document": ("POST", "message/sendMedia"),
    "audio": ("POST", "message/sendWhatsAppAudio"),
    "sticker": ("POST", "message/sendSticker"),
    "location": ("POST", "message/sendLocation"),
    "contacts": ("POST", "message/sendContact"),
    "poll": ("POST", "message/sendPoll"),
    "buttons": ("POST", "message/sendButtons"),
    "list": ("POST", "message/sendList"),
    "template": ("POST", "message/sendTemplate"),
    "reaction": ("POST", "message/sendReaction"),
    "edit": ("POST", "chat/updateMessage"),
    "revoke": ("DELETE", "chat/deleteMessageForEveryone"),
}
# These change a message: they name it by its key and have no id of their own to plan.
_CHANGES = frozenset({"reaction", "edit", "revoke"})


async def send_message(
    http: httpx.AsyncClient, instance: Instance, message: OutboundMessage
) -> SendResult:
    return await deliver(http, message_request(instance, message), read_answer)


def message_request(instance: Instance, message: OutboundMessage) -> Request | None:
    """None when the message lacks what its type needs."""
    body = request_body(message)
    if body is None:
        return None
    return request_to(instance, *_ROUTES[_route(message, body)], body)


def request_to(instance: Instance, method: str, path: str, body: Json | None = None) -> Request:
    """A request about one instance, with our key."""
    name = quote(instance.external_id, safe="")
    headers = {"apikey": instance.credentials.get("api_key", "")}
    return Request(method, f"{server(instance)}/{path}/{name}", headers, body)


def server(instance: Instance) -> str:
    return instance.base_url.rstrip("/")


def planned_message_id(message_id: str) -> str:
    """The WhatsApp id that a server from 2.4 on gives our message: asked for twice, sent once.

    Shaped like the ids of WhatsApp Web. Servers before 2.4 ignore it and choose their own.
    """
    return "3EB0" + hashlib.sha256(message_id.encode()).hexdigest()[:18].upper()


def request_body(message: OutboundMessage) -> Json | None:
    """None when the message lacks what its type needs. No `delay`: it would block the request."""
    content = content_for(message)
    if content is None:
        return None
    if message.type in _CHANGES:
        return _change(message, content)
    quoted = {"quoted": {"key": {"id": message.reply_to}}} if message.reply_to else {}
    planned = planned_message_id(message.id)
    return {"number": number_of(message.to), **content, **quoted, "messageId": planned}


def _change(message: OutboundMessage, content: Json) -> Json | None:
    jid = parse_jid(message.to)
    if message.target is None or jid is None:
        return None
    ours = message.type != "reaction" or message.target_ours
    key = without_none(
        remoteJid=str(jid),
        fromMe=ours,
        id=message.target,
        participant=None if ours else message.target_author,
    )
    if message.type == "revoke":
        return key
    number = {"number": number_of(message.to)} if message.type == "edit" else {}
    return {**number, "key": key, **content}


def _route(message: OutboundMessage, body: Json) -> str:
    if message.type == "interactive":
        return "list" if "sections" in body else "buttons"
    return "document" if message.type == "audio" and "mediatype" in body else message.type


def number_of(to: str) -> str:
    """Digits for a phone (the server finds the canonical form), the address for all else."""
    jid = parse_jid(to)
    if jid is None:
        return to.removeprefix("+")
    return jid.user if jid.is_phone else str(jid)
