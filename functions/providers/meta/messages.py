"""Whose message it is: `messages`, `smb_message_echoes` and `history`, and a contact's identities.

People with a username may come without any phone: then `from` and `wa_id` are missing and the
business-scoped id (`BR.…`) is the address.
"""

from functions.providers.content import Content
from functions.providers.events import Event, Identity, Json, MessageReceived, Status, Unknown
from functions.providers.fields import (
    at,
    bounded,
    compact,
    first_text,
    instant,
    record,
    text,
    without_none,
)
from functions.providers.identity import (
    address_text,
    is_bsuid,
    phone_variants,
)
from functions.providers.meta.contacts import contact_identities, contact_of
from functions.providers.meta.content import content_of

_PAST_STATUSES: dict[str, Status] = {
    "ERROR": "failed",
    "PENDING": "accepted",
    "SENT": "sent",
    "DELIVERED": "delivered",
    "READ": "read",
    "PLAYED": "played",
}
_CHANGES = frozenset({"reaction", "edit", "revoke"})


def read_inbound(raw: Json, message: Json) -> Event:
    return _message(raw, message, "from", from_me=False)


def read_echo(raw: Json, message: Json) -> Event:
    return _message(raw, message, "to", from_me=True)


def read_past(raw: Json, message: Json) -> Event:
    """A message from before the number was connected; ours unless the thread's contact sent it."""
    thread, sender = text(message.get("thread_id")), text(message.get("from"))
    own = text(at(raw.get("metadata"), "display_phone_number"))
    if thread:
        from_me = sender is not None and sender not in phone_variants(thread)
    else:
        named = message.get("to") or message.get("to_user_id")
        from_me = bool(named) or bool(own and sender and sender in phone_variants(own))
    if thread and not (is_bsuid(thread) or thread.endswith("@g.us")):
        message = {**message, "to" if from_me else "from": thread}
    return _message(raw, message, "to" if from_me else "from", from_me=from_me, history=True)


def _message(raw: Json, message: Json, side: str, *, from_me: bool, history: bool = False) -> Event:
    identity = text(message.get("id"))
    if identity is None:
        return Unknown("message without an id")
    wa_id = address_text(message.get(side))
    user_id = address_text(message.get(f"{side}_user_id"))
    contact = contact_of(raw, wa_id, user_id)
    identities = contact_identities(
        wa_id or contact.get("wa_id"),
        user_id or contact.get("user_id") or at(message, "system", "user_id"),
        message.get(f"{side}_parent_user_id") or contact.get("parent_user_id"),
        at(contact, "profile", "username") or contact.get("username"),
    )
    group = address_text(message.get("group_id"))
    address = group or _address(identities) or wa_id
    if address is None:
        return Unknown("message names no chat")
    content = content_of(message)
    name = text(at(contact, "profile", "name"))
    return MessageReceived(
        provider_message_id=identity,
        sent_at=instant(message.get("timestamp")),
        chat_address=address,
        direction="out" if from_me else "in",
        origin="phone_echo" if from_me else "contact",
        chat_kind="group" if group else "direct",
        identities=[] if group else identities,
        author={"id": _address(identities), "name": name} if group and not from_me else None,
        name=None if group else name,
        type=content.type,
        body=content.body,
        media=content.media,
        payload=_payload(message, content, history),
        reply_to=None if content.type in _CHANGES else text(at(message, "context", "id")),
        quoted=None if content.type in _CHANGES else _quoted(raw, message),
        target=content.target,
        actor=_actor(from_me, group, identities) if content.type in _CHANGES else None,
        status=_past_status(message) if from_me else None,
    )


def _actor(from_me: bool, group: str | None, identities: list[Identity]) -> str | None:
    if from_me:
        return "us"
    return _address(identities) if group else "contact"


def _quoted(raw: Json, message: Json) -> Json | None:
    """Of what it answers, Meta tells the id and whose it is."""
    author = text(at(message, "context", "from"))
    if author is None or text(at(message, "context", "id")) is None:
        return None
    names = (at(raw.get("metadata"), name) for name in ("display_phone_number", "phone_number_id"))
    own = [form for name in names for form in phone_variants(text(name) or "")]
    return {"author": "us" if author.removeprefix("+") in own else author}


def _address(identities: list[Identity]) -> str | None:
    by_kind = {identity.kind: identity.value for identity in reversed(identities)}
    return by_kind.get("wa_id") or by_kind.get("bsuid")


def _past_status(message: Json) -> Status | None:
    return _PAST_STATUSES.get((text(at(message, "history_context", "status")) or "").upper())


def _payload(message: Json, content: Content, history: bool) -> Json:
    context = record(message.get("context"))
    forwarded = context.get("forwarded") or context.get("frequently_forwarded")
    extra = without_none(
        forwarded=True if forwarded is True else None,
        product=compact(context.get("referred_product"), 2),
        referral=_referral(record(message.get("referral"))),
        history=True if history else None,
    )
    return bounded({**content.payload, **extra})


def _referral(referral: Json) -> Json | None:
    names = (
        "source_type", "source_id", "source_url", "headline", "body", "media_type", "ctwa_clid",
    )  # fmt: skip
    return {name: said for name in names if (said := first_text(referral.get(name)))} or None
