"""The commands of an Evolution server: each is a request and the reading of its answer."""

import base64
import binascii
import ipaddress
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit

import httpx

from functions.providers import commands as asked
from functions.providers.attempt import classified
from functions.providers.base import Instance, SendResult
from functions.providers.calls import Request, Step, whole_into
from functions.providers.commands import Answer, Command, File, FileTooLarge, NumberChecked
from functions.providers.events import Json
from functions.providers.evolution.encoded import Base64Field
from functions.providers.evolution.lifecycle import LIFECYCLE
from functions.providers.evolution.outcomes import read_failure
from functions.providers.evolution.sending import number_of, planned_message_id, request_to
from functions.providers.evolution.wrapped import unwrap
from functions.providers.fields import at, first_text, integer, record, records, text
from functions.providers.identity import jid_identities, parse_jid, phone_variants

_NEWEST = 50  # messages of a chat that are searched for one whose answer was lost


def first_step(instance: Instance, command: Command) -> Step | Answer | None:
    return COMMANDS[type(command)](instance, command)


def _done(response: httpx.Response, body: Any) -> Answer:
    return Answer() if response.is_success else Answer(read_failure(response, body))


def _mark_read(instance: Instance, command: asked.MarkRead) -> Step | None:
    chat = parse_jid(command.chat)
    if chat is None or not command.message_ids:
        return None
    keys = [{"remoteJid": str(chat), "fromMe": False, "id": each} for each in command.message_ids]
    request = request_to(instance, "POST", "chat/markMessageAsRead", {"readMessages": keys})
    return Step(request, _done)


def _show_typing(instance: Instance, command: asked.ShowTyping) -> Step:
    # The server answers after `delay` milliseconds.
    body = {"number": number_of(command.chat), "presence": "composing", "delay": 1200}
    return Step(request_to(instance, "POST", "chat/sendPresence", body), _done)


def _check_numbers(instance: Instance, command: asked.CheckNumbers) -> Step | None:
    numbers = [number_of(number) for number in command.numbers]
    if not numbers:
        return None
    request = request_to(instance, "POST", "chat/whatsappNumbers", {"numbers": numbers})
    return Step(request, _read_numbers)


def _read_numbers(response: httpx.Response, body: Any) -> Answer:
    if not response.is_success:
        return Answer(read_failure(response, body))
    return Answer(numbers=[_checked(row) for row in records(body)])


def _checked(row: Json) -> NumberChecked:
    jid, lid = parse_jid(row.get("jid")), parse_jid(row.get("lid"))
    exists = row.get("exists") is True
    known = jid_identities(jid, lid) if exists else []
    return NumberChecked(text(row.get("number")) or "", exists, known)


def _fetch_media(instance: Instance, command: asked.FetchMedia) -> Step | Answer | None:
    """Out of its own item, from the store that the server has put it in, or decrypted by it."""
    if command.media.get("inline") is True and command.stored is not None:
        message = unwrap(record(at(command.stored, "data", "message"))).message
        return _from_item(command, text(message.get("base64")) or "")
    url = text(command.media.get("url"))
    if url and command.media.get("encrypted") is not True and _is_store(url, instance):
        request = Request("GET", url, sink=whole_into(command.into))
        return Step(request, lambda response, body: _read_file(command, response, instance))
    return _decrypted(instance, command)


def _from_item(command: asked.FetchMedia, encoded: str) -> Answer:
    try:
        content = base64.b64decode(encoded, validate=True)
        command.into.write(content)
    except (binascii.Error, ValueError):
        content = b""
    except FileTooLarge as failure:
        return Answer(classified("request", code="too_large", error=str(failure)))
    return Answer(file=_told(command.media)) if content else _NO_MEDIA


def _decrypted(instance: Instance, command: asked.FetchMedia) -> Step | None:
    chat = parse_jid(command.chat)
    if chat is None:
        return None
    key = {"remoteJid": str(chat), "fromMe": command.from_us, "id": command.message_id}
    body = {"message": {"key": key}, "convertToMp4": False}
    field = Base64Field(command.into)
    request = request_to(instance, "POST", "chat/getBase64FromMediaMessage", body)

    def read(response: httpx.Response, body: Any) -> Answer:
        if not response.is_success:
            return Answer(read_failure(response, body))
        told = {"mime_type": at(body, "mimetype"), "file_name": at(body, "fileName")}
        return Answer(file=_told(told)) if field.is_whole else _NO_MEDIA

    return Step(replace(request, sink=field), read)


def _is_store(url: str, instance: Instance) -> bool:
    """Whether it may be asked for: on the open web by its name, or where the server itself is."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    if host == urlsplit(instance.base_url).hostname:
        return True
    try:
        ipaddress.ip_address(host)
    except ValueError:
        named = "." in host and not host.endswith((".local", ".internal"))
        return named and parts.scheme == "https"
    return False


def _read_file(
    command: asked.FetchMedia, response: httpx.Response, instance: Instance
) -> Answer | Step:
    if not response.is_success:  # signed addresses expire
        return _decrypted(instance, command) or Answer(read_failure(response, None))
    mime_type = text(command.media.get("mime_type")) or response.headers.get("content-type")
    return Answer(file=File(mime_type, text(command.media.get("file_name"))))


def _told(media: Json) -> File:
    return File(text(media.get("mime_type")), text(media.get("file_name")))


_NO_MEDIA = Answer(classified("media", code="no_media", error="The server has no file"))


def _reconcile(instance: Instance, command: asked.Reconcile) -> Step:
    return _look_up(instance, command, _places(command))


def _places(command: asked.Reconcile) -> Iterator[Json]:
    """Under the id that a 2.4 was told to use, then in the chat under each form of its number."""
    yield {"key": {"id": planned_message_id(command.message.id)}}
    jid = parse_jid(command.message.to)
    if jid is not None:
        users = phone_variants(jid.user) if jid.is_phone else [jid.user]
        for user in users:
            yield {"key": {"remoteJid": f"{user}@{jid.server}", "fromMe": True}}


def _look_up(instance: Instance, command: asked.Reconcile, places: Iterator[Json]) -> Step:
    body = {"where": next(places), "page": 1, "offset": _NEWEST}
    rest = list(places)

    def read(response: httpx.Response, found: Any) -> Answer | Step:
        if not response.is_success:
            return Answer(read_failure(response, found))
        rows = records(at(found, "messages", "records")) or records(found)
        matches = [row for row in rows if _is_the_one(row, command)]
        if len(matches) == 1:  # of two alike it cannot be told which is meant
            return Answer(sent=_sent(matches[0]))
        return _look_up(instance, command, iter(rest)) if rest and not matches else Answer()

    return Step(request_to(instance, "POST", "chat/findMessages", body), read)


def _is_the_one(row: Json, command: asked.Reconcile) -> bool:
    key = record(row.get("key"))
    if key.get("id") == planned_message_id(command.message.id):
        return True
    own = record(row.get("message"))
    said = first_text(
        own.get("conversation"),
        at(own, "extendedTextMessage", "text"),
        *(at(part, "caption") for part in own.values()),
    )
    written = integer(row.get("messageTimestamp")) or 0
    return (
        key.get("fromMe") is True
        and key.get("id") not in command.others
        and written >= command.since
        and said is not None
        and said == command.message.body
    )


def _sent(row: Json) -> SendResult:
    key = record(row.get("key"))
    identities = jid_identities(parse_jid(key.get("remoteJid")), parse_jid(key.get("remoteJidAlt")))
    return SendResult("accepted", text(key.get("id")), identities)


COMMANDS: dict[type, Callable[[Instance, Any], Step | Answer | None]] = {
    asked.MarkRead: _mark_read,
    asked.ShowTyping: _show_typing,
    asked.CheckNumbers: _check_numbers,
    asked.FetchMedia: _fetch_media,
    asked.Reconcile: _reconcile,
    **LIFECYCLE,
}
