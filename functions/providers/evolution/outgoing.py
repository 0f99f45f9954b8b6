"""The content of an outbound message in Evolution's names; ours are those of Meta's documents."""

from collections.abc import Callable

from functions.providers.base import OutboundMessage
from functions.providers.events import Json
from functions.providers.fields import at, first_text, record, records, text, without_none


def content_for(message: OutboundMessage) -> Json | None:
    """None when the message lacks what its type needs."""
    return _CONTENT[message.type](message)


def _text(message: OutboundMessage) -> Json | None:
    return {"text": message.body} if message.body else None


def _source(message: OutboundMessage) -> str | None:
    """Evolution takes an address or the bytes as base64 in the same field."""
    media = record(message.media)
    return text(media.get("base64")) or text(media.get("url"))


def _media(message: OutboundMessage) -> Json | None:
    source, media = _source(message), record(message.media)
    if source is None:
        return None
    return without_none(
        mediatype=message.type,
        media=source,
        mimetype=text(media.get("mime_type")),
        fileName=text(media.get("file_name")),
        caption=text(message.body),
    )


def _audio(message: OutboundMessage) -> Json | None:
    """A voice note, unless the media says that it is none."""
    if record(message.media).get("voice") is False:
        return _media(message)
    source = _source(message)
    return {"audio": source} if source else None


def _sticker(message: OutboundMessage) -> Json | None:
    source = _source(message)
    return {"sticker": source} if source else None


def _location(message: OutboundMessage) -> Json | None:
    place = record(message.content)
    if not {"latitude", "longitude"} <= place.keys():
        return None
    # The server's schema wants both texts.
    names = {name: text(place.get(name)) or " " for name in ("name", "address")}
    return {"latitude": place["latitude"], "longitude": place["longitude"], **names}


def _contacts(message: OutboundMessage) -> Json | None:
    cards = [_card(card) for card in records(at(message.content, "contacts"))]
    return {"contact": cards} if cards else None


def _card(card: Json) -> Json:
    phone = next(iter(records(card.get("phones"))), {})
    number = first_text(phone.get("phone"), phone.get("wa_id")) or ""
    return without_none(
        fullName=first_text(at(card, "name", "formatted_name"), at(card, "name", "first_name")),
        wuid=first_text(phone.get("wa_id")) or "".join(filter(str.isdigit, number)),
        phoneNumber=number,
        organization=text(at(card, "org", "company")),
        email=next((text(each.get("email")) for each in records(card.get("emails"))), None),
        url=next((text(each.get("url")) for each in records(card.get("urls"))), None),
    )


def _poll(message: OutboundMessage) -> Json | None:
    poll = record(message.content)
    options = [option for option in poll.get("options") or [] if isinstance(option, str)]
    if text(poll.get("name")) is None or len(options) < 2:
        return None
    return {"name": poll["name"], "selectableCount": poll.get("selectable", 1), "values": options}


def _interactive(message: OutboundMessage) -> Json | None:
    own = record(message.content)
    action, body = record(own.get("action")), text(at(own, "body", "text"))
    title = text(at(own, "header", "text")) or body
    if body is None:
        return None
    shown = without_none(title=title, description=body)
    footer = text(at(own, "footer", "text"))
    if sections := [_section(section) for section in records(action.get("sections"))]:
        button = text(action.get("button")) or "…"
        return {**shown, "footerText": footer or "", "buttonText": button, "sections": sections}
    buttons = [_reply(record(button.get("reply"))) for button in records(action.get("buttons"))]
    if url := text(at(action, "parameters", "url")):
        shows = text(at(action, "parameters", "display_text"))
        buttons = [without_none(type="url", displayText=shows, url=url)]
    return {**shown, **without_none(footer=footer), "buttons": buttons} if buttons else None


def _reply(reply: Json) -> Json:
    return without_none(type="reply", displayText=text(reply.get("title")), id=reply.get("id"))


def _section(section: Json) -> Json:
    rows = [
        without_none(
            title=text(row.get("title")),
            description=text(row.get("description")) or "",
            rowId=text(row.get("id")),
        )
        for row in records(section.get("rows"))
    ]
    return {"title": text(section.get("title")) or "", "rows": rows}


def _template(message: OutboundMessage) -> Json | None:
    template = record(message.template)
    name, language = text(template.get("name")), template.get("language")
    code = text(language.get("code")) if isinstance(language, dict) else text(language)
    if name is None or code is None:
        return None
    return {"name": name, "language": code, "components": template.get("components") or []}


def _reaction(message: OutboundMessage) -> Json | None:
    return {"reaction": message.body or ""}


def _revoke(message: OutboundMessage) -> Json | None:
    return {}


_CONTENT: dict[str, Callable[[OutboundMessage], Json | None]] = {
    "text": _text,
    "image": _media,
    "video": _media,
    "document": _media,
    "audio": _audio,
    "sticker": _sticker,
    "location": _location,
    "contacts": _contacts,
    "poll": _poll,
    "interactive": _interactive,
    "template": _template,
    "reaction": _reaction,
    "edit": _text,
    "revoke": _revoke,
}
