"""An instance of an Evolution server from its creation to its removal."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import httpx

from functions.providers import commands as asked
from functions.providers.base import Instance
from functions.providers.calls import Request, Step
from functions.providers.commands import Answer
from functions.providers.events import InstanceChanged, InstanceState, Json
from functions.providers.evolution.authenticity import TOKEN_HEADERS
from functions.providers.evolution.outcomes import read_failure
from functions.providers.evolution.sending import request_to, server
from functions.providers.fields import at, first_text, text, without_none
from functions.providers.identity import parse_jid, phone_of

# What we read. Not PRESENCE_UPDATE: it comes with every keystroke.
EVENTS = (
    "QRCODE_UPDATED", "CONNECTION_UPDATE", "MESSAGES_UPSERT", "MESSAGES_EDITED",
    "MESSAGES_UPDATE", "MESSAGES_DELETE", "SEND_MESSAGE", "SEND_MESSAGE_UPDATE", "CONTACTS_UPSERT",
    "CONTACTS_UPDATE", "GROUPS_UPSERT", "GROUP_UPDATE", "GROUP_PARTICIPANTS_UPDATE", "CALL",
    "REMOVE_INSTANCE", "LOGOUT_INSTANCE",
)  # fmt: skip
_STATES: dict[str, InstanceState] = {
    "open": "open", "connecting": "connecting", "close": "closed", "closed": "closed",
    "refused": "closed",
}  # fmt: skip


def _webhook(webhook: asked.Webhook) -> Json:
    """Files are fetched by a job: as base64 in the body they would be in every repeat, too."""
    return {
        "enabled": True,
        "url": webhook.url,
        "headers": {TOKEN_HEADERS[0]: webhook.secret},
        "byEvents": False,
        "base64": False,
        "events": list(EVENTS),
    }


def _create(instance: Instance, command: asked.CreateInstance) -> Step:
    body = without_none(
        instanceName=instance.external_id,
        integration="WHATSAPP-BAILEYS",
        qrcode=True,
        number=command.number,
        webhook=_webhook(command.webhook) if command.webhook else None,
    )
    headers = {"apikey": instance.credentials.get("api_key", "")}
    url = f"{server(instance)}/instance/create"
    return Step(Request("POST", url, headers, body), _read_created)


def _read_created(response: httpx.Response, body: Any) -> Answer:
    if not response.is_success:
        return Answer(read_failure(response, body))
    # Early servers of version 2 wrap the key.
    key = first_text(at(body, "hash"), at(body, "hash", "apikey"))
    return Answer(events=[_state(body)], credentials={"api_key": key} if key else {})


def _connect(instance: Instance, command: asked.Connect) -> Step:
    request = request_to(instance, "GET", "instance/connect")
    if command.number:
        request = replace(request, params={"number": command.number})
    return Step(request, _read_state)


def _read(instance: Instance, command: asked.ReadState) -> Step:
    return Step(request_to(instance, "GET", "instance/connectionState"), _read_state)


def _restart(instance: Instance, command: asked.Restart) -> Step:
    return Step(request_to(instance, "POST", "instance/restart"), _read_state)


def _read_state(response: httpx.Response, body: Any) -> Answer:
    # What goes wrong inside the server comes as 200 {error: true, message}.
    failed = not response.is_success or at(body, "error") is True
    return Answer(read_failure(response, body)) if failed else Answer(events=[_state(body)])


def _state(body: Any) -> InstanceChanged:
    drawn = at(body, "qrcode") if isinstance(at(body, "qrcode"), dict) else body
    qr, code = text(at(drawn, "code")), text(at(drawn, "pairingCode"))
    if qr or code:
        return InstanceChanged("qr", qr=qr, pairing_code=code)
    said = first_text(at(body, "instance", "state"), at(body, "instance", "status")) or ""
    number = parse_jid(at(body, "instance", "wuid"))
    phone = phone_of(number.user) if number and number.is_phone else None
    return InstanceChanged(_STATES.get(said.lower(), "connecting"), number=phone)


def _log_out(instance: Instance, command: asked.LogOut) -> Step:
    return Step(request_to(instance, "DELETE", "instance/logout"), _read_ended("logged_out"))


def _delete(instance: Instance, command: asked.DeleteInstance) -> Step:
    return Step(request_to(instance, "DELETE", "instance/delete"), _read_ended("deleted"))


def _read_ended(reason: str) -> Callable[[httpx.Response, Any], Answer]:
    def read(response: httpx.Response, body: Any) -> Answer:
        failure = None if response.is_success else read_failure(response, body)
        # Asked for twice: there is nothing left to end.
        gone = failure and (failure.code == "not_connected" or _is_missing(failure.error))
        if failure and not gone:
            return Answer(failure)
        return Answer(events=[InstanceChanged("closed", reason)])

    return read


def _is_missing(error: str | None) -> bool:
    return "does not exist" in (error or "")


def _set_webhook(instance: Instance, command: asked.SetWebhook) -> Step:
    body = {"webhook": _webhook(command.webhook)}
    return Step(request_to(instance, "POST", "webhook/set", body), _read_set)


def _read_set(response: httpx.Response, body: Any) -> Answer:
    return Answer() if response.is_success else Answer(read_failure(response, body))


def _probe(instance: Instance, command: asked.Probe) -> Step | None:
    """Asks WhatsApp itself. `whatsappNumbers` answers from a cache, and `connectionState` from
    memory: both say that a dead connection is alive."""
    jid = parse_jid(command.number)
    if jid is None:
        return None
    body = {"instanceName": instance.external_id, "jid": str(jid)}
    request = request_to(instance, "POST", "baileys/onWhatsapp", body)
    return Step(request, _read_probe, lost=_dead("no_answer"))


def _read_probe(response: httpx.Response, body: Any) -> Answer:
    if response.is_success:
        return Answer(events=[InstanceChanged("open")])
    failure = read_failure(response, body)
    if failure.error_class in ("disconnected", "transient", "unknown"):
        return _dead(failure.code)
    return Answer(failure)


def _dead(why: str | None) -> Answer:
    return Answer(events=[InstanceChanged("degraded", f"probe {why}")])


LIFECYCLE: dict[type, Callable[[Instance, Any], Step | None]] = {
    asked.CreateInstance: _create,
    asked.Connect: _connect,
    asked.ReadState: _read,
    asked.Restart: _restart,
    asked.LogOut: _log_out,
    asked.DeleteInstance: _delete,
    asked.SetWebhook: _set_webhook,
    asked.Probe: _probe,
}
