"""Webhook bodies as a number's provider posts them, small and readable."""

from typing import Any
from uuid import uuid4

from tests.tenants import Number

Json = dict[str, Any]

NOON = 1_760_000_000
EVOLUTION_STATUSES = {
    "sent": "SERVER_ACK",
    "delivered": "DELIVERY_ACK",
    "read": "READ",
    "played": "PLAYED",
    "failed": "ERROR",
}


def new_id() -> str:
    return uuid4().hex.upper()


def evolution(number: Number, event: str, data: Any) -> Json:
    return {
        "event": event,
        "instance": number.external_id,
        "data": data,
        "date_time": "2025-10-09T12:00:00.000Z",
        "sender": f"{number.phone}@s.whatsapp.net",
    }


def meta(number: Number, field: str, value: Json) -> Json:
    metadata = {"display_phone_number": number.phone, "phone_number_id": number.external_id}
    change = {"field": field, "value": {"metadata": metadata, **value}}
    return {
        "object": "whatsapp_business_account",
        "entry": [{"id": number.waba_id, "changes": [change]}],
    }


def text(
    number: Number,
    sender: str,
    body: str = "oi",
    *,
    id: str | None = None,
    name: str = "Ana",
    at: int = NOON,
) -> Json:
    """A contact writes."""
    id = id or new_id()
    if number.provider == "evolution":
        return evolution(
            number,
            "messages.upsert",
            {
                "key": {"remoteJid": f"{sender}@s.whatsapp.net", "fromMe": False, "id": id},
                "pushName": name,
                "message": {"conversation": body},
                "messageType": "conversation",
                "messageTimestamp": at,
            },
        )
    said = {"id": id, "from": sender, "timestamp": str(at), "type": "text", "text": {"body": body}}
    contact = {"profile": {"name": name}, "wa_id": sender}
    return meta(number, "messages", {"contacts": [contact], "messages": [said]})


def echo(number: Number, to: str, body: str, *, id: str, at: int = NOON) -> Json:
    """Our side's message as the provider repeats it: Evolution those of its API, Meta those
    written on the phone."""
    if number.provider == "evolution":
        return evolution(
            number,
            "send.message",
            {
                "key": {"remoteJid": f"{to}@s.whatsapp.net", "fromMe": True, "id": id},
                "status": "PENDING",
                "message": {"conversation": body},
                "messageTimestamp": at,
            },
        )
    said = {
        "id": id,
        "from": number.phone,
        "to": to,
        "timestamp": str(at),
        "type": "text",
        "text": {"body": body},
    }
    return meta(number, "smb_message_echoes", {"message_echoes": [said]})


def status(
    number: Number, to: str, id: str, said: str, *, at: int = NOON, client_ref: str | None = None
) -> Json:
    """What became of a message of ours."""
    if number.provider == "evolution":
        data = {"keyId": id, "remoteJid": f"{to}@s.whatsapp.net", "fromMe": True}
        return evolution(number, "messages.update", data | {"status": EVOLUTION_STATUSES[said]})
    entry: Json = {"id": id, "status": said, "timestamp": str(at), "recipient_id": to}
    if client_ref is not None:
        entry["biz_opaque_callback_data"] = client_ref
    if said == "failed":
        entry["errors"] = [{"code": 131026, "title": "Message undeliverable"}]
    return meta(number, "messages", {"statuses": [entry]})
