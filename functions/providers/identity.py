"""Who a WhatsApp address means: JIDs, wa_ids, LIDs and business-scoped ids as identities.

A provider's digits are never validated: WhatsApp keeps Brazilian mobiles without the ninth digit
and Mexican ones with a 1 that the numbering plan has dropped. `phone` is the number as people
write it, `wa_id` the digits as WhatsApp does.
"""

import re
from dataclasses import dataclass
from typing import Any

from functions.providers.events import ChatKind, Identity
from functions.providers.fields import text

_JID = re.compile(r"([^@:/\s]{1,128}?)(?:_\d+)?(?::(\d+))?@([a-z0-9.]{1,32})", re.ASCII)
_DIGITS = re.compile(r"\d{6,15}", re.ASCII)  # E.164 allows 15; shorter ones are not reachable
_E164 = re.compile(r"[1-9]\d{5,14}", re.ASCII)
_LONGEST = 200  # of an identity; WhatsApp's have up to 130
_BRAZIL = re.compile(r"55([1-9][1-9])(9?)([6-9]\d{7})", re.ASCII)
_MEXICO = re.compile(r"52(1?)([2-9]\d{9})", re.ASCII)
_ARGENTINA = re.compile(r"54(9?)([1-9]\d{9})", re.ASCII)
_BSUID = re.compile(r"[A-Z]{2}\.(ENT\.)?\w+", re.ASCII)
_PHONE_SERVERS = frozenset({"s.whatsapp.net", "c.us", "hosted"})
_LID_SERVERS = frozenset({"lid", "hosted.lid"})


@dataclass(frozen=True, slots=True)
class Jid:
    """user@server without the device; `str()` is the address to send to."""

    user: str
    server: str

    def __str__(self) -> str:
        return f"{self.user}@{self.server}"

    @property
    def is_phone(self) -> bool:
        return self.server == "s.whatsapp.net"

    @property
    def is_lid(self) -> bool:
        return self.server == "lid"

    @property
    def chat_kind(self) -> ChatKind:
        if self.server == "g.us":
            return "group"
        if self.server == "broadcast":
            return "broadcast"
        return "newsletter" if self.server == "newsletter" else "direct"


def parse_jid(value: Any) -> Jid | None:
    """`55…:90@s.whatsapp.net` and bare digits give the same Jid; None when it is no address."""
    if not isinstance(value, str):
        return None
    value = value.strip()
    if _DIGITS.fullmatch(value.removeprefix("+")):
        return Jid(value.removeprefix("+"), "s.whatsapp.net")
    match = _JID.fullmatch(value)
    if match is None:
        return None
    user, _, server = match.groups()
    if server in _PHONE_SERVERS:
        server = "s.whatsapp.net"
    elif server in _LID_SERVERS:
        server = "lid"
    return Jid(user, server)


def phone_of(wa_id: str) -> str | None:
    """E.164 with '+', in one form: Brazilian mobiles with the ninth digit, Mexican ones without
    the old 1, Argentine ones with the 9 that only calls from abroad dial."""
    if not _E164.fullmatch(wa_id):
        return None
    if match := _BRAZIL.fullmatch(wa_id):
        return f"+55{match[1]}9{match[3]}"
    if match := _MEXICO.fullmatch(wa_id):
        return f"+52{match[2]}"
    if match := _ARGENTINA.fullmatch(wa_id):
        return f"+549{match[2]}"
    return f"+{wa_id}"


def phone_variants(number: str) -> list[str]:
    """Every wa_id (digits) under which WhatsApp may know this phone or wa_id, as given first."""
    digits = re.sub(r"\D", "", number.split("@")[0].split(":")[0], flags=re.ASCII)
    forms = [digits]
    if match := _BRAZIL.fullmatch(digits):
        forms += [f"55{match[1]}9{match[3]}", f"55{match[1]}{match[3]}"]
    elif match := _MEXICO.fullmatch(digits):
        forms += [f"52{match[2]}", f"521{match[2]}"]
    elif match := _ARGENTINA.fullmatch(digits):
        forms += [f"549{match[2]}", f"54{match[2]}"]
    return list(dict.fromkeys(form for form in forms if form))


def address_text(value: Any) -> str | None:
    """An id or address as text; None for what is too long to be one."""
    said = text(value)
    return said if said is not None and len(said) <= _LONGEST else None


def wa_id_identities(wa_id: str | None) -> list[Identity]:
    """Phone and wa_id; nothing when these are not the digits of a phone."""
    if wa_id is None:
        return []
    digits = wa_id.removeprefix("+")
    phone = phone_of(digits)
    return [Identity("phone", phone), Identity("wa_id", digits)] if phone else []


def jid_identities(*jids: Jid | None) -> list[Identity]:
    """Of the first phone and the first LID among them: a second one might be somebody else."""
    phone = next((jid for jid in jids if jid and jid.is_phone), None)
    lid = next((jid for jid in jids if jid and jid.is_lid), None)
    found = wa_id_identities(phone.user) if phone else []
    return found + ([Identity("lid", lid.user)] if lid else [])


def profile_name(value: Any, *addresses: Any) -> str | None:
    """The name; None for one of the addresses, with which Evolution fills in an unknown name."""
    name = (text(value) or "").strip()
    users = [jid.user for address in addresses if (jid := parse_jid(address))]
    forms = {form for user in users for form in (user, *phone_variants(user))}
    said = name.lstrip("+").split("@")[0].split(":")[0]
    return None if said in forms else name or None


def is_bsuid(value: str) -> bool:
    return _BSUID.fullmatch(value) is not None
