"""What people send on WhatsApp, read from Baileys' messages: one small function per kind.

Names and nesting follow WhatsApp's protobuf `Message`; catalogue.py says which function reads what.
"""

import re
from collections.abc import Callable
from typing import Any

from functions.providers.content import Content
from functions.providers.events import Json, MessageType
from functions.providers.fields import (
    at,
    compact,
    first_text,
    instant,
    integer,
    octets,
    record,
    records,
    text,
    without_none,
)

Reader = Callable[[Any, Json], Content | None]  # the field's value, the message it stands in


def context_of(own: Json) -> Json:
    return record(own.get("contextInfo"))


def read_text(value: Any, message: Json) -> Content:
    if isinstance(value, str):
        return Content("text", text(value))
    own = record(value)
    preview = without_none(title=text(own.get("title")), url=text(own.get("matchedText")))
    payload = {"preview": preview} if "url" in preview else {}
    return Content("text", text(own.get("text")), payload=payload, context=context_of(own))


def read_media(type: MessageType) -> "Reader":
    def read(value: Any, message: Json) -> Content:
        own = record(value)
        payload = without_none(
            gif=own.get("gifPlayback") is True or None,
            animated=own.get("isAnimated") is True or None,
            view_once=own.get("viewOnce") is True or None,
            video_note=True if message.get("ptvMessage") is value else None,
        )
        return Content(
            type, text(own.get("caption")), media_of(own, message), payload, context=context_of(own)
        )

    return read


def media_of(own: Json, message: Json) -> Json:
    """`inline`: the bytes are in the stored item; `encrypted`: the url alone does not give them.

    An instance in Cloud mode has Meta's names for the same.
    """
    stored = text(message.get("mediaUrl"))
    url = stored or text(own.get("url"))
    voice = own.get("ptt")
    return without_none(
        id=text(own.get("id")),
        url=url,
        mime_type=first_text(own.get("mimetype"), own.get("mime_type")),
        sha256=octets(own.get("fileSha256")) or text(own.get("sha256")),
        file_name=first_text(own.get("fileName"), own.get("title"), own.get("filename")),
        bytes=integer(own.get("fileLength")),
        seconds=integer(own.get("seconds")),
        voice=voice if isinstance(voice, bool) else None,
        encrypted=True if url and not stored and "mmg.whatsapp.net" in url else None,
        inline=text(message.get("base64")) is not None,
    )


def read_location(value: Any, message: Json) -> Content:
    own = record(value)
    payload = without_none(
        latitude=own.get("degreesLatitude"),
        longitude=own.get("degreesLongitude"),
        name=text(own.get("name")),
        address=text(own.get("address")),
        url=text(own.get("url")),
        live=True if message.get("liveLocationMessage") is value else None,
    )
    body = first_text(own.get("caption"), own.get("name"), own.get("address"))
    return Content("location", body, payload=compact(payload), context=context_of(own))


def read_contacts(value: Any, message: Json) -> Content:
    own = record(value)
    cards = records(own.get("contacts")) if "contacts" in own else [own]
    contacts = [_card(card) for card in cards]
    names = [contact["name"] for contact in contacts if "name" in contact]
    return Content(
        "contacts",
        ", ".join(names) or None,
        payload={"contacts": contacts},
        context=context_of(own),
    )


def _card(card: Json) -> Json:
    vcard = text(card.get("vcard")) or ""
    named = re.search(r"^FN[^:\n]*:(.+)$", vcard, re.MULTILINE)
    name = first_text(card.get("displayName"), named[1].strip() if named else None)
    phones = re.findall(r"^(?:item\d+\.)?TEL[^:\n]*:(.+)$", vcard, re.MULTILINE)
    return without_none(name=name, phones=[phone.strip() for phone in phones[:20]])


def read_order(value: Any, message: Json) -> Content:
    own = record(value)
    payload = without_none(
        order_id=text(own.get("orderId")),
        items=integer(own.get("itemCount")),
        total_1000=integer(own.get("totalAmount1000")),
        currency=text(own.get("totalCurrencyCode")),
        title=text(own.get("orderTitle")),
        catalog_id=text(own.get("catalog_id")),  # in Cloud mode, as the next
        product_items=compact(own.get("product_items")),
    )
    body = first_text(own.get("message"), own.get("text"), own.get("orderTitle"))
    return Content("order", body, payload=payload, context=context_of(own))


def read_poll(value: Any, message: Json) -> Content:
    own = record(value)
    options = [name for option in records(own.get("options")) if (name := _option(option))]
    payload = without_none(
        options=options or None, selectable=integer(own.get("selectableOptionsCount"))
    )
    return Content("poll", text(own.get("name")), payload=payload, context=context_of(own))


def _option(option: Json) -> str | None:
    return first_text(option.get("optionName"), option.get("name"))


def read_interactive(value: Any, message: Json) -> Content:
    """What a business sends: buttons, lists, templates, products, invitations, events."""
    own = record(value)
    template = record(own.get("hydratedTemplate") or own.get("hydratedFourRowTemplate"))
    body = first_text(
        at(own, "body", "text"), own.get("contentText"), own.get("description"), own.get("caption"),
        template.get("hydratedContentText"), at(own, "interactiveMessageTemplate", "body", "text"),
        at(own, "header", "title"), at(own, "product", "title"), own.get("name"),
        own.get("text"), own.get("title"), own.get("groupName"), at(own, "hydratedHsm", "text"),
    )  # fmt: skip
    kind = next((name for name in message if message[name] is value), "interactive")
    return Content("interactive", body, payload={"kind": _snake(kind)}, context=context_of(own))


def read_system(value: Any, message: Json) -> Content:
    kind = next((name for name in message if message[name] is value), "system")
    own = record(value)
    payload = without_none(
        kind=_snake(kind),
        images=integer(own.get("expectedImageCount")),
        videos=integer(own.get("expectedVideoCount")),
        state=text(own.get("type")) or text(own.get("keepType")),  # pinned or not, kept or not
    )
    body = first_text(own.get("noteMessage"), at(own, "noteMessage", "extendedTextMessage", "text"))
    return Content("system", body, payload=payload, target=text(at(own, "key", "id")))


def read_call_log(value: Any, message: Json) -> Content:
    own = record(value)
    payload = without_none(
        kind="call_log",
        outcome=text(own.get("callOutcome")),
        seconds=integer(own.get("durationSecs")),
        video=True if own.get("isVideo") is True else None,
    )
    return Content("system", payload=payload)


def read_event(value: Any, message: Json) -> Content:
    own = record(value)
    payload = without_none(
        kind="event",
        description=text(own.get("description")),
        location=first_text(at(own, "location", "name"), at(own, "location", "address")),
        starts_at=instant(own.get("startTime")),
        ends_at=instant(own.get("endTime")),
        canceled=True if own.get("isCanceled") is True else None,
    )
    return Content("interactive", text(own.get("name")), payload=payload, context=context_of(own))


def read_rich_response(value: Any, message: Json) -> Content:
    """What Meta's assistant says, in parts."""
    parts = [text(part.get("messageText")) for part in records(at(value, "submessages"))]
    return Content("text", "\n".join(part for part in parts if part) or None)


def read_pending(value: Any, message: Json) -> Content:
    return Content("unsupported", payload={"pending": True})


def _snake(name: str) -> str:
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name.removesuffix("Message")).lower()
