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


def connection(number: Number, reason: int = 200) -> Json:
    data: Json = {"instance": number.id, "state": number.state, "statusReason": reason}
    if number.state == "open":
        data |= {"wuid": f"{number.phone}@s.whatsapp.net", "profileName": "Recado"}
    return evolution(number, "connection.update", data)


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
    if order["type"] in ("edit", "revoke"):
        return evolution(number, "messages.edited", evolution_change(order, key["remoteJid"]))
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


def evolution_change(order: Json, remote: str, from_me: bool = False) -> Json:
    """A bare ProtocolMessage, as `messages.edited` and `send.message.update` carry it."""
    key = {"remoteJid": remote, "fromMe": from_me, "id": order.get("target")}
    if order["type"] == "revoke":
        return {"key": key, "type": "REVOKE"}
    moment = str(int(order.get("timestamp", time.time())) * 1000)
    said = {"conversation": order.get("body")}
    return {"key": key, "type": "MESSAGE_EDIT", "editedMessage": said, "timestampMs": moment}


def evolution_deletion(order: Json, remote: str, from_me: bool = False) -> Json:
    return {"remoteJid": remote, "fromMe": from_me, "id": order.get("target"), "status": "DELETED"}


def evolution_message(type: str, order: Json) -> Json:
    body = order.get("body")
    if type in ("image", "video", "audio", "document", "sticker"):
        media = {"mimetype": order.get("mime_type"), "caption": body, "fileLength": "1024"}
        url = order.get("url") or "https://mmg.whatsapp.net/v/fake.enc"
        return {f"{type}Message": {"url": url, **media, "fileName": order.get("file_name")}}
    if type == "reaction":
        return {"reactionMessage": {"key": {"id": order.get("target")}, "text": body or ""}}
    if type == "location":
        place = {
            "degreesLatitude": order.get("latitude"),
            "degreesLongitude": order.get("longitude"),
        }
        return {"locationMessage": {**place, "name": order.get("name")}}
    if type in _NAMED:
        return {_NAMED[type]: {"name": body, "displayName": body, "title": body}}
    return {"conversation": body}


_NAMED = {
    "contacts": "contactMessage",
    "poll": "pollCreationMessageV3",
    "buttons": "interactiveMessage",
    "list": "listMessage",
}


def template_status(number: Number, row: Json) -> Json:
    value = {
        "event": row["status"],
        "message_template_id": int(row["id"]),
        "message_template_name": row["name"],
        "message_template_language": row["language"],
        "message_template_category": row["category"],
        "reason": row.get("rejected_reason", "NONE"),
    }
    return meta_account(number, "message_template_status_update", value)


def meta_account(number: Number, field: str, value: Json) -> Json:
    """News of the whole account: they name no number."""
    entry = {"id": number.waba, "time": int(time.time())}
    changes = [{"field": field, "value": value}]
    return {"object": "whatsapp_business_account", "entry": [{**entry, "changes": changes}]}


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
        return {"message_id": order.get("target"), "emoji": body or ""}
    if type == "revoke":
        return {"original_message_id": order.get("target")}
    if type == "edit":
        new = {"type": "text", "text": {"body": body}}
        return {"original_message_id": order.get("target"), "message": new}
    if type == "button":
        return {"payload": order.get("payload", body), "text": body}
    mime_type = order.get("mime_type", "application/octet-stream")
    media_id = order.get("media_id", "1000000000000001")
    return {"id": media_id, "mime_type": mime_type, "sha256": "c3ludGg=", "caption": body}
