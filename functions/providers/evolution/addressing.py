"""Whose chat it is and who wrote in it.

A chat has up to two addresses, phone and LID, in fields that changed with every release
(`remoteJidAlt`, `senderPn`, `previousRemoteJid`, swapped in 2.4). Both become identities.
"""

from typing import Any

from functions.providers.events import Identity, Json, Origin
from functions.providers.fields import first_text, record, text
from functions.providers.identity import (
    Jid,
    address_text,
    jid_identities,
    parse_jid,
    phone_of,
    profile_name,
)


def is_true(value: Any) -> bool:
    return value is True or value == 1 or (isinstance(value, str) and value.lower() == "true")


def origin_of(kind: str, from_me: bool) -> Origin:
    if kind == "send.message":
        return "api_echo"
    return "phone_echo" if from_me else "contact"


def identities_of(chat: Jid, key: Json, data: Json, context: Json, from_me: bool) -> list[Identity]:
    own = parse_jid(context.get("sender"))
    names = [key.get("remoteJidAlt"), data.get("remoteJidAlt"), key.get("previousRemoteJid")]
    if not from_me:  # of our own messages these are our own
        names += [holder.get(name) for name in ("senderPn", "senderLid") for holder in (key, data)]
    others = [jid for name in names if (jid := parse_jid(name)) and not is_own(jid, own)]
    if from_me and chat.is_phone:
        # Baileys fills remoteJidAlt from the sender, which is us: that LID would be ours.
        others = [jid for jid in others if not jid.is_lid]
    found = jid_identities(chat, *others)
    username = address_text(key.get("remoteJidUsername"))
    return found + ([Identity("username", username.lstrip("@"))] if username else [])


def is_own(jid: Jid | None, own: Jid | None) -> bool:
    if jid is None or own is None or jid.server != own.server:
        return False
    return jid.user == own.user or (jid.is_phone and phone_of(jid.user) == phone_of(own.user))


def address_of(chat: Jid, identities: list[Identity]) -> str:
    """The phone where it is known: servers before 2.4 cannot send to every LID."""
    if chat.is_lid:
        phone = next((known.value for known in identities if known.kind == "wa_id"), None)
        return f"{phone}@s.whatsapp.net" if phone else str(chat)
    return str(chat)


def author_of(key: Json, data: Json, name: str | None) -> Json | None:
    names = [key.get(part) for part in ("participantAlt", "participantPn", "participant")]
    jids = [jid for value in (*names, data.get("participant")) if (jid := parse_jid(value))]
    chosen = next((jid for jid in jids if jid.is_phone), jids[0] if jids else None)
    return {"id": str(chosen), "name": name} if chosen else None


def name_of(data: Json, key: Json) -> str | None:
    """The profile name; Evolution fills an unknown one with the digits of the address."""
    name = first_text(data.get("pushName"), data.get("verifiedBizName"))
    parts = ("remoteJid", "remoteJidAlt", "participant", "participantAlt", "participantPn")
    return profile_name(name, data.get("participant"), *(key.get(part) for part in parts))


def actor_of(chat: Jid, from_me: bool, author: Json | None) -> str | None:
    """The same for every address of one contact."""
    if from_me:
        return "us"
    return "contact" if chat.chat_kind == "direct" else text(record(author).get("id"))
