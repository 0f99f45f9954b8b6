"""Numbers, the contacts they write to, and what has really reached whom."""

import random
import time
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from functions.providers.identity import parse_jid
from local.whatsapp.faults import Faults

Json = dict[str, Any]
ProviderName = Literal["evolution", "meta"]


@dataclass(slots=True)
class Target:
    """Where a number's webhooks go and what proves that they are ours."""

    url: str
    headers: dict[str, str] = field(default_factory=dict)  # Evolution; may hold jwt_key
    events: list[str] = field(default_factory=list)  # Evolution; empty: all
    by_events: bool = False
    app_secret: str = ""  # Meta
    verify_token: str = ""


@dataclass(slots=True)
class Number:
    """A connected number: an Evolution instance or a Cloud API phone_number_id."""

    id: str
    provider: ProviderName
    phone: str
    key: str  # api key or access token
    waba: str = ""
    version: str = "2.3.7"  # of Evolution; from 2.4 on it honours messageId
    state: str = "open"
    enforce_window: bool = False  # free text only within 24 hours of the contact's last message
    quality: str = "GREEN"  # Meta, as the next
    limit: str = "TIER_2K"
    target: Target | None = None
    faults: Faults = field(default_factory=Faults)


@dataclass(slots=True)
class Delivered:
    """One message on a contact's phone, as it shows it."""

    provider_id: str
    number: str
    to: str
    type: str
    body: str | None
    client_ref: str | None
    at: float
    reply_to: str | None = None
    edits: int = 0
    deleted: bool = False


@dataclass(slots=True)
class Received:
    """A message that a contact sent to us, as the contact's phone shows it."""

    provider_id: str
    number: str
    sender: str
    read: bool = False  # two blue ticks
    reaction: str | None = None  # of ours
    typing: int = 0  # how often it saw us typing


@dataclass(slots=True)
class Sent:
    """A message as the server knows it; the ledger has it only once the phone has."""

    provider_id: str
    number: str
    to: str
    type: str
    body: str | None
    client_ref: str | None
    message: Json
    reply_to: str | None = None
    statuses: list[str] = field(default_factory=list)
    at: float = field(default_factory=time.time)


@dataclass(slots=True)
class File:
    content: bytes
    mime_type: str
    name: str = "file"


class Network:
    def __init__(self, seed: int) -> None:
        self._seed = seed
        self.reset()

    def reset(self) -> None:
        self.random = random.Random(self._seed)
        self.numbers: dict[str, Number] = {}
        self.absent: set[str] = set()  # wa_ids that are not on WhatsApp
        self.sent: dict[str, Sent] = {}
        self.ledger: list[Delivered] = []
        self.inbox: dict[str, Received] = {}
        self.files: dict[str, File] = {}  # by Meta's media id, or by message id
        self.templates: dict[tuple[str, str, str], Json] = {}  # by account, name, language
        self.last_inbound: dict[tuple[str, str], float] = {}

    def new_id(self, provider: ProviderName) -> str:
        digits = f"{self.random.getrandbits(72):018X}"
        return f"3EB0{digits}" if provider == "evolution" else f"wamid.FAKE{digits}"

    def number(self, identity: str, provider: ProviderName) -> Number | None:
        found = self.numbers.get(identity)
        return found if found and found.provider == provider else None

    def of_account(self, waba: str) -> list[Number]:
        return [number for number in self.numbers.values() if waba and number.waba == waba]

    def canonical(self, to: str) -> str:
        """The wa_id of an address: most Brazilian mobiles are without their ninth digit."""
        jid = parse_jid(to)
        user = jid.user if jid else "".join(filter(str.isdigit, to))
        old = user.startswith("55") and len(user) == 13 and user[4] == "9"
        return user[:4] + user[5:] if old and int(user[2:4]) >= 31 else user

    def exists(self, to: str) -> bool:
        return self.canonical(to) not in self.absent

    def accept(self, message: Sent) -> bool:
        """False when this id was accepted before: WhatsApp shows a message id once."""
        known = message.provider_id in self.sent
        self.sent.setdefault(message.provider_id, message)
        return not known

    def deliver(self, message: Sent) -> None:
        self.ledger.append(
            Delivered(
                message.provider_id,
                message.number,
                message.to,
                message.type,
                message.body,
                message.client_ref,
                time.time(),
                message.reply_to,
            )
        )

    def change(self, number: Number, identity: str, body: str | None) -> bool:
        """Our message says something else, or with None nothing more; False if it is not ours."""
        sent = self.sent.get(identity)
        if sent is None or sent.number != number.id:
            return False
        for entry in self.ledger:
            if entry.provider_id == identity:
                entry.deleted = entry.deleted or body is None
                if body is not None and body != entry.body:
                    entry.body, entry.edits = body, entry.edits + 1
        return True

    def heard(self, number: Number, identity: str, contact: str) -> None:
        self.last_inbound[number.id, self.canonical(contact)] = time.time()
        self.inbox.setdefault(identity, Received(identity, number.id, self.canonical(contact)))

    def has_written(self, number: Number, contact: str) -> bool:
        return (number.id, self.canonical(contact)) in self.last_inbound

    def window_is_open(self, number: Number, contact: str) -> bool:
        last = self.last_inbound.get((number.id, self.canonical(contact)), 0.0)
        return not number.enforce_window or time.time() - last < 86400

    def ledger_rows(self, number: str | None = None, to: str | None = None) -> list[Json]:
        wanted = self.canonical(to) if to else None
        return [
            asdict(entry)
            for entry in self.ledger
            if number in (None, entry.number) and wanted in (None, self.canonical(entry.to))
        ]

    def inbox_rows(self, number: str | None = None) -> list[Json]:
        return [asdict(one) for one in self.inbox.values() if number in (None, one.number)]
