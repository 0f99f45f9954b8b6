"""The webhook bodies that a message, a status or a change of connection leads to."""

import time
import zlib
from datetime import UTC, datetime, timedelta
from typing import Any

from local.whatsapp.network import Json, Number, Sent

_LOCAL = timedelta(hours=-3)  # Evolution writes local time with a Z


def evolution(number: Number, event: str, data: Any) -> Json:
    moment = datetime.now(UTC) + _LOCAL
    return {
        "event": event,
        "instance": number.id,
        "data": data,
        "destination": number.target.url if number.target else "",
        "date_time": moment.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "sender": f"{number.phone}@s.whatsapp.net",
        "server_url": "http://localhost:8080",
        "apikey": None,
    }


def evolution_row(number: Number, sent: Sent) -> Json:
    """What POST /message/… answers and `send.message` repeats."""
    return {
        "key": {
            "remoteJid": sent.to if "@" in sent.to else f"{sent.to}@s.whatsapp.net",
            "fromMe": True,
            "id": sent.provider_id,
        },
        "pushName": "Você",
        "status": "PENDING",
        "message": sent.message,
        "contextInfo": None,
        "messageType": next(iter(sent.message), "conversation"),
        "messageTimestamp": int(sent.at),
        "instanceId": f"00000000-0000-4000-8000-{zlib.crc32(number.id.encode()):012d}",
        "source": "web",
    }


def evolution_status(number: Number, sent: Sent, status: str, nack: str = "") -> Json:
    data = {
        "keyId": sent.provider_id,
        "remoteJid": sent.to if "@" in sent.to else f"{sent.to}@s.whatsapp.net",
        "fromMe": True,
        "status": status,
        "instanceId": "00000000-0000-4000-8000-000000000001",
        "messageId": f"cm{sent.provider_id[-22:].lower()}",
    }
    if nack:
        data["messageStubParameters"] = [nack]
    return evolution(number, "messages.update", data)


def evolution_inbound(number: Number, identity: str, order: Json) -> Json:
    contact = order["from"]
    key: Json = {"remoteJid": f"{contact}@s.whatsapp.net", "fromMe": False, "id": identity}
    if lid := order.get("lid"):
        key |= {"remoteJid": f"{lid}@lid", "addressingMode": "lid"}
        if not order.get("lid_only"):
            key["remoteJidAlt"] = f"{contact}@s.whatsapp.net"
    message = order.get("message") or evolution_message(order["type"], order)
    data = {
        "key": key,
        "pushName": order["name"],
        "status": "DELIVERY_ACK",
        "message": {"messageContextInfo": {"deviceListMetadataVersion": 2}, **message},
        "messageType": next(iter(message), "conversation"),
        "messageTimestamp": order["timestamp"],
        "instanceId": "00000000-0000-4000-8000-000000000001",
        "source": "android",
    }
    if order.get("reply_to"):
        data["contextInfo"] = {"stanzaId": order["reply_to"]}
    return evolution(number, "messages.upsert", data)


def evolution_message(type: str, order: Json) -> Json:
    body = order.get("body")
    if type in ("image", "video", "audio", "document", "sticker"):
        media = {"mimetype": order.get("mime_type"), "caption": body, "fileLength": "1024"}
        url = order.get("url") or "https://mmg.whatsapp.net/v/fake.enc"
        return {f"{type}Message": {"url": url, **media, "fileName": order.get("file_name")}}
    if type == "reaction":
        return {"reactionMessage": {"key": {"id": order.get("target")}, "text": body}}
    return {"conversation": body}


def meta(number: Number, field: str, value: Json) -> Json:
    metadata = {"display_phone_number": number.phone, "phone_number_id": number.id}
    whole = {"messaging_product": "whatsapp", "metadata": metadata, **value}
    changes = [{"field": field, "value": whole}]
    return {
        "object": "whatsapp_business_account",
        "entry": [{"id": number.waba, "changes": changes}],
    }


def meta_status(number: Number, sent: Sent, status: str, error: Json | None = None) -> Json:
    entry: Json = {
        "id": sent.provider_id,
        "status": status,
        "timestamp": str(int(time.time())),
        "recipient_id": sent.to,
    }
    if sent.client_ref is not None:
        entry["biz_opaque_callback_data"] = sent.client_ref
    if error is not None:
        entry["errors"] = [error]
    return meta(number, "messages", {"statuses": [entry]})


def meta_inbound(number: Number, identity: str, order: Json) -> Json:
    contact: Json = {"profile": {"name": order["name"]}}
    message: Json = {"id": identity, "timestamp": str(order["timestamp"]), "type": order["type"]}
    if user_id := order.get("user_id"):
        contact["user_id"] = message["from_user_id"] = user_id
    if not order.get("user_id_only"):
        contact["wa_id"] = message["from"] = order["from"]
    if order.get("reply_to"):
        message["context"] = {"from": number.phone, "id": order["reply_to"]}
    message[order["type"]] = order.get("message") or meta_content(order["type"], order)
    return meta(number, "messages", {"contacts": [contact], "messages": [message]})


def meta_content(type: str, order: Json) -> Json:
    body = order.get("body")
    if type == "text":
        return {"body": body}
    if type == "reaction":
        return {"message_id": order.get("target"), "emoji": body}
    if type == "button":
        return {"payload": order.get("payload", body), "text": body}
    mime_type = order.get("mime_type", "application/octet-stream")
    return {"id": "1000000000000001", "mime_type": mime_type, "sha256": "c3ludGg=", "caption": body}
