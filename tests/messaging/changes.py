"""What is done to a message later, as a number's provider posts it: `by` says who does it."""

from typing import Any

from tests.messaging import bodies
from tests.tenants import Number

Json = dict[str, Any]

SENDER = "5511987654321"


def _meta(number: Number, id: str, at: int, type: str, value: Json, by: str) -> Json:
    said: Json = {"id": id, "timestamp": str(at), "type": type, type: value}
    if by == "us":
        said |= {"from": number.phone, "to": SENDER}
        return bodies.meta(number, "smb_message_echoes", {"message_echoes": [said]})
    contact = {"profile": {"name": "Ana"}, "wa_id": SENDER}
    said["from"] = SENDER
    return bodies.meta(number, "messages", {"contacts": [contact], "messages": [said]})


def _evolution(number: Number, id: str, at: int, message: Json, by: str) -> Json:
    key = {"remoteJid": f"{SENDER}@s.whatsapp.net", "fromMe": by == "us", "id": id}
    data = {"key": key, "pushName": "Ana", "message": message, "messageTimestamp": at}
    return bodies.evolution(number, "messages.upsert", data)


def reaction(
    number: Number, target: str, emoji: str, at: int, *, id: str, by: str = "contact"
) -> Json:
    """'' takes it back."""
    if number.provider == "meta":
        value = {"message_id": target} | ({"emoji": emoji} if emoji else {})
        return _meta(number, id, at, "reaction", value, by)
    key = {"remoteJid": f"{SENDER}@s.whatsapp.net", "fromMe": False, "id": target}
    content = {"reactionMessage": {"key": key, "text": emoji}}
    return _evolution(number, id, at, content, by)


def edit(
    number: Number, target: str, text: str, at: int, *, id: str = "", by: str = "contact"
) -> Json:
    if number.provider == "meta":
        value = {"original_message_id": target, "message": {"type": "text", "text": {"body": text}}}
        return _meta(number, id or bodies.new_id(), at, "edit", value, by)
    key = {"remoteJid": f"{number.phone}@s.whatsapp.net", "fromMe": True, "id": target}
    data = {"key": key, "type": "MESSAGE_EDIT", "editedMessage": {"conversation": text}}
    return bodies.evolution(number, "messages.edited", data | {"timestampMs": str(at * 1000)})


def copy_of_edit(number: Number, target: str, text: str) -> Json:
    """What Evolution adds to an edit: the message's row with its new content, without a time."""
    data = {"keyId": target, "remoteJid": f"{SENDER}@s.whatsapp.net", "fromMe": False}
    data |= {
        "status": "SERVER_ACK",
        "message": {"editedMessage": {"message": {"conversation": text}}},
    }
    return bodies.evolution(number, "messages.update", data)


def revoke(number: Number, target: str, at: int, *, id: str = "", by: str = "contact") -> Json:
    if number.provider == "meta":
        value = {"original_message_id": target}
        return _meta(number, id or bodies.new_id(), at, "revoke", value, by)
    key = {"remoteJid": f"{SENDER}@s.whatsapp.net", "fromMe": by == "us", "id": target}
    content = {"protocolMessage": {"key": key, "type": "REVOKE"}}
    return _evolution(number, id or bodies.new_id(), at, content, by)


def vote(number: Number, target: str, options: list[str], at: int, *, id: str) -> Json:
    """Of Evolution, which decrypts it; Meta has no polls."""
    key = {"remoteJid": f"{SENDER}@s.whatsapp.net", "fromMe": False, "id": target}
    content = {"pollCreationMessageKey": key, "vote": {"selectedOptions": options}}
    return _evolution(number, id, at, {"pollUpdateMessage": content}, "contact")


def maybe_gone(number: Number, target: str) -> Json:
    """Evolution's DELETED, which it also says of edited messages and of votes."""
    data = {"keyId": target, "remoteJid": f"{SENDER}@s.whatsapp.net", "fromMe": False}
    return bodies.evolution(number, "messages.update", data | {"status": "DELETED"})


def answer(number: Number, quoted: str, text: str, *, id: str, at: int = bodies.NOON) -> Json:
    """The contact answers a message."""
    content = bodies.text(number, SENDER, text, id=id, at=at)
    if number.provider == "meta":
        (said,) = content["entry"][0]["changes"][0]["value"]["messages"]
        said["context"] = {"id": quoted, "from": number.phone}
    else:
        quoting = {"stanzaId": quoted, "participant": f"{number.phone}@s.whatsapp.net"}
        quoting["quotedMessage"] = {"conversation": "Posso ajudar?"}  # type: ignore[assignment]
        content["data"]["contextInfo"] = quoting
    return content
