"""Webhooks of Meta: how the tests write and read one."""

from typing import Any

import orjson

from functions.providers.events import Event, Identity, Json, MessageReceived
from functions.providers.meta import META

METADATA = {"display_phone_number": "15550783881", "phone_number_id": "106540352242922"}
CONTACT = {"profile": {"name": "Sheena"}, "wa_id": "16505551234"}
PHONE = [Identity("phone", "+16505551234"), Identity("wa_id", "16505551234")]
BSUID = "US.13491208655302741918"
PARENT = "US.ENT.11815799212886844830"


def posted(field: str, value: Any) -> list[Event]:
    change = {"field": field, "value": value}
    body = {
        "object": "whatsapp_business_account",
        "entry": [{"id": "102", "time": 1751247548, "changes": [change]}],
    }
    items = META.split(orjson.dumps(body), None)
    return [event for item in items for event in META.parse(item.kind, item.raw)]


def received(
    message: Json, contacts: list[Json] | None = None, field: str = "messages"
) -> MessageReceived:
    whole = {"from": "16505551234", "id": "wamid.A", "timestamp": "1749416383", **message}
    name = "message_echoes" if field == "smb_message_echoes" else field
    value = {"metadata": METADATA, "contacts": contacts or [CONTACT], name: [whole]}
    found = posted(field, value)[0]
    assert isinstance(found, MessageReceived), found
    return found


def summary(message: MessageReceived) -> Json:
    fields = ("type", "body", "media", "payload", "reply_to", "target")
    return {name: got for name in fields if (got := getattr(message, name)) not in (None, {})}
