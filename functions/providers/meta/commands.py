"""The commands of the Cloud API: each is a request and the reading of its answer."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit

import httpx

from functions.providers import commands as asked
from functions.providers.attempt import classified
from functions.providers.base import Instance
from functions.providers.calls import Request, Step, whole_into
from functions.providers.commands import Answer, Command, File
from functions.providers.events import InstanceChanged, InstanceState, Json, LimitChanged
from functions.providers.fields import at, first_text, record, records, text
from functions.providers.identity import phone_of
from functions.providers.meta.account import TIERS, read_template
from functions.providers.meta.outcomes import read_failure
from functions.providers.meta.sending import (
    bearer,
    graph_url,
    messages_url,
    upload_request,
    uploaded_id,
)

# A file's address is on one of these; our token goes nowhere else.
_FILE_HOSTS = (".fbsbx.com", ".facebook.com", ".fbcdn.net", ".whatsapp.net")
_NUMBER_FIELDS = (
    "display_phone_number,verified_name,status,quality_rating,messaging_limit_tier,throughput,"
    "code_verification_status,name_status,health_status"
)
_TEMPLATE_FIELDS = "id,name,language,status,category,quality_score,rejected_reason,components"
_STATES: dict[str, InstanceState] = {
    "CONNECTED": "open", "FLAGGED": "open", "RESTRICTED": "open", "RATE_LIMITED": "open",
    "PENDING": "connecting", "MIGRATED": "closed", "DELETED": "closed", "DISCONNECTED": "closed",
    "UNVERIFIED": "closed", "BANNED": "banned",
}  # fmt: skip


def first_step(instance: Instance, command: Command) -> Step | None:
    return COMMANDS[type(command)](instance, command)


def _done(response: httpx.Response, body: Any) -> Answer:
    succeeded = response.is_success and record(body).get("success") is not False
    return Answer() if succeeded else Answer(read_failure(response, body))


def _request(instance: Instance, method: str, url: str, body: Json | None = None) -> Request:
    return Request(method, url, bearer(instance), body)


def _mark_read(instance: Instance, command: asked.MarkRead) -> Step | None:
    return _read_mark(instance, command.message_ids[-1]) if command.message_ids else None


def _show_typing(instance: Instance, command: asked.ShowTyping) -> Step | None:
    """The same call marks the message as read."""
    if command.message_id is None:
        return None
    return _read_mark(instance, command.message_id, typing_indicator={"type": "text"})


def _read_mark(instance: Instance, message_id: str, **more: Json) -> Step:
    mark = {"messaging_product": "whatsapp", "status": "read", "message_id": message_id, **more}
    return Step(_request(instance, "POST", messages_url(instance), mark), _done)


def _fetch_media(instance: Instance, command: asked.FetchMedia) -> Step | None:
    identity = text(command.media.get("id"))
    if identity is None:
        return None
    request = _request(instance, "GET", graph_url(instance, identity))
    request = replace(request, params={"phone_number_id": instance.external_id})
    return Step(request, lambda response, body: _located(instance, command, response, body))


def _located(
    instance: Instance, command: asked.FetchMedia, response: httpx.Response, body: Any
) -> Answer | Step:
    url = text(at(body, "url"))
    if not response.is_success or url is None:
        return Answer(read_failure(response, body))
    if not _holds_files(url, instance):
        return Answer(classified("media", code="strange_address", error="The file is elsewhere"))
    name = text(command.media.get("file_name"))
    mime_type = text(at(body, "mime_type")) or text(command.media.get("mime_type"))

    def read(file: httpx.Response, body: Any) -> Answer:
        if not file.is_success:
            return Answer(read_failure(file, body))
        return Answer(file=File(mime_type, name))

    request = replace(_request(instance, "GET", url), sink=whole_into(command.into))
    return Step(request, read)


def _holds_files(url: str, instance: Instance) -> bool:
    parts, own = urlsplit(url), urlsplit(instance.base_url)
    if (parts.scheme, parts.netloc) == (own.scheme, own.netloc):
        return True
    return parts.scheme == "https" and (parts.hostname or "").endswith(_FILE_HOSTS)


def _upload_media(instance: Instance, command: asked.UploadMedia) -> Step:
    request = upload_request(instance, command.content, command.mime_type, command.file_name)

    def read(response: httpx.Response, body: Any) -> Answer:
        identity = uploaded_id(body)
        return Answer(media_id=identity) if identity else Answer(read_failure(response, body))

    return Step(request, read)


def _register(instance: Instance, command: asked.Connect) -> Step | None:
    if command.pin is None:
        return None
    url = graph_url(instance, instance.external_id, "register")
    body = {"messaging_product": "whatsapp", "pin": command.pin}
    return Step(_request(instance, "POST", url, body), _then(InstanceChanged("open")))


def _deregister(instance: Instance, command: asked.LogOut) -> Step:
    url = graph_url(instance, instance.external_id, "deregister")
    change = InstanceChanged("closed", "logged_out")
    return Step(_request(instance, "POST", url), _then(change))


def _then(change: InstanceChanged) -> Callable[[httpx.Response, Any], Answer]:
    def read(response: httpx.Response, body: Any) -> Answer:
        answer = _done(response, body)
        return answer if answer.failure else Answer(events=[change])

    return read


def _read_number(instance: Instance, command: asked.ReadState | asked.Probe) -> Step:
    request = _request(instance, "GET", graph_url(instance, instance.external_id))
    return Step(replace(request, params={"fields": _NUMBER_FIELDS}), _read_number_answer)


def _read_number_answer(response: httpx.Response, body: Any) -> Answer:
    if not response.is_success or not isinstance(body, dict):
        return Answer(read_failure(response, body))
    status = (text(body.get("status")) or "CONNECTED").upper()
    shown = "".join(filter(str.isdigit, text(body.get("display_phone_number")) or ""))
    blocked = text(at(body, "health_status", "can_send_message")) == "BLOCKED"
    state = "closed" if blocked else _STATES.get(status, "open")
    reason = _why_blocked(body) if blocked else None if status == "CONNECTED" else status
    throughput = first_text(at(body, "throughput", "level"))
    limit = LimitChanged(
        "number",
        number=phone_of(shown),
        daily_limit=TIERS.get(text(body.get("messaging_limit_tier")) or ""),
        quality=(text(body.get("quality_rating")) or "unknown").lower(),
        throughput=throughput.lower() if throughput else None,
    )
    return Answer(events=[InstanceChanged(state, reason, number=phone_of(shown)), limit])


def _why_blocked(body: Json) -> str:
    for entity in records(at(body, "health_status", "entities")):
        for error in records(entity.get("errors")):
            return f"{error.get('error_code')} {error.get('error_description')}"[:200]
    return "BLOCKED"


def _subscribe(instance: Instance, command: asked.SetWebhook) -> Step | None:
    """The account's events come to this address, proven by Meta's challenge with the secret."""
    if not instance.account_id:
        return None
    url = graph_url(instance, instance.account_id, "subscribed_apps")
    webhook = command.webhook
    body = {"override_callback_uri": webhook.url, "verify_token": webhook.secret}
    return Step(_request(instance, "POST", url, body), _done)


def _list_templates(instance: Instance, command: asked.ListTemplates) -> Step | None:
    if not instance.account_id:
        return None
    return _page_of_templates(instance, Answer(), "")


def _page_of_templates(instance: Instance, before: Answer, cursor: str) -> Step:
    url = graph_url(instance, instance.account_id, "message_templates")
    request = _request(instance, "GET", url)
    params = {"fields": _TEMPLATE_FIELDS, "limit": "100", **({"after": cursor} if cursor else {})}

    def read(response: httpx.Response, body: Any) -> Answer | Step:
        if not response.is_success:
            return Answer(read_failure(response, body))
        found = [event for row in records(at(body, "data")) if (event := read_template(row))]
        answer = Answer(events=[*before.events, *found])
        following = text(at(body, "paging", "cursors", "after"))
        more = following and found and at(body, "paging", "next")
        return _page_of_templates(instance, answer, following or "") if more else answer

    return Step(replace(request, params=params), read)


COMMANDS: dict[type, Callable[[Instance, Any], Step | None]] = {
    asked.MarkRead: _mark_read,
    asked.ShowTyping: _show_typing,
    asked.FetchMedia: _fetch_media,
    asked.UploadMedia: _upload_media,
    asked.Connect: _register,
    asked.LogOut: _deregister,
    asked.ReadState: _read_number,
    asked.Probe: _read_number,
    asked.SetWebhook: _subscribe,
    asked.ListTemplates: _list_templates,
}
