"""Baileys messages as Evolution posts them: how the tests write and read one."""

from typing import Any

from functions.providers.events import Event, Json, MessageReceived
from functions.providers.evolution import EVOLUTION

CONTACT = "5531999990001@s.whatsapp.net"
OWN = "5511988880000@s.whatsapp.net"


TEXT = {"conversation": "oi"}
PN = "553199990001@s.whatsapp.net"


def events(data: Any, event: str = "messages.upsert") -> list[Event]:
    return EVOLUTION.parse(event, {"event": event, "instance": "loja", "sender": OWN, "data": data})


def received(
    message: Any, event: str = "messages.upsert", key: Json | None = None, **data: Any
) -> MessageReceived:
    whole = {"remoteJid": CONTACT, "fromMe": False, "id": "3EB0AA", **(key or {})}
    [found] = events(
        {
            "key": whole,
            "pushName": "Ana",
            "message": message,
            "messageTimestamp": 1763326182,
            **data,
        },
        event,
    )
    assert isinstance(found, MessageReceived)
    return found


def summary(message: MessageReceived) -> Json:
    fields = ("type", "body", "media", "payload", "reply_to", "target")
    return {name: got for name in fields if (got := getattr(message, name)) not in (None, {})}
