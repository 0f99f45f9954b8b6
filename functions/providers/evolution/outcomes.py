"""What Evolution's answer to a request means.

Errors are `{"status", "error", "response": {"message": [...]}}`, and any exception of the socket
below is a 400 or 500 as well: the words decide.
"""

from typing import Any

import httpx
import orjson

from functions.providers.attempt import ErrorClass, classified
from functions.providers.base import SendResult
from functions.providers.fields import at, record, records, text
from functions.providers.identity import jid_identities, parse_jid
from functions.providers.meta.outcomes import error_class, graph_failure

# Refusals by WhatsApp of a message already accepted, from a status ERROR. Any other code, and
# none at all, which is the rule: refused.
# code: (class, what it says, source)
NACKS: dict[str, tuple[ErrorClass, str, str]] = {
    "463": ("cold_lock", "may not write to strangers for a while", "Baileys SERVER_ERROR_CODES"),
    "479": ("transient", "stale session with a device", "Baileys SERVER_ERROR_CODES"),
    "400": ("transient", "passes after a while", "tulir/whatsmeow #1149"),
    "405": ("configuration", "the server's WhatsApp version is too old", "tulir/whatsmeow #347"),
}

_SRC, _BOOM = "Evolution 2.3.7 and 2.4.0-rc2", "Baileys' exceptions, under any status"
# (HTTP status, words in the answer, code, class, source); the first row that fits. '' fits all.
ANSWERS: tuple[tuple[int, str, str, ErrorClass, str], ...] = (
    (400, '"exists":false', "not_on_whatsapp", "not_on_whatsapp", _SRC),
    # After the message has left, the server writes it to its database: that may fail, too.
    (400, "prisma", "stored_badly", "unknown", "Prisma exception after the send"),
    (400, "rate-overlimit", "rate_overlimit", "throttle", _BOOM),
    (400, "connection closed", "connection_closed", "disconnected", _BOOM),
    (400, "connection lost", "connection_lost", "disconnected", _BOOM),
    (400, "connection terminated", "connection_terminated", "disconnected", _BOOM),
    (400, "connection failure", "connection_failure", "disconnected", _BOOM),
    (400, "timed out", "timed_out", "disconnected", _BOOM),
    (400, "not connected", "not_connected", "disconnected", _SRC),
    (400, "stream errored", "stream_errored", "disconnected", _BOOM),
    (400, "message not found", "message_not_found", "request", _SRC),
    (400, "older than 15 minutes", "too_late_to_edit", "request", _SRC),
    (400, "", "400", "request", _SRC),
    (401, "", "401", "configuration", _SRC),
    (403, "", "403", "configuration", _SRC),
    (404, "group not found", "group_not_found", "recipient", _SRC),
    (404, "message not found", "message_not_found", "request", _SRC),
    (404, "", "404", "configuration", "instance or route does not exist"),
    (413, "", "413", "request", "body over the server's limit"),
    (422, "", "422", "request", _SRC),
    (429, "", "429", "throttle", "a proxy before it; Evolution has none"),
    (500, "connection closed", "connection_closed", "disconnected", _BOOM),
    (503, "license_required", "LICENSE_REQUIRED", "configuration", "2.4 without its licence"),
    (503, "", "503", "transient", "refused by the server or the proxy before it"),
)


def nack_class(code: str | None) -> ErrorClass:
    """The class of the code in a status ERROR; most servers give none."""
    return NACKS[code][0] if code in NACKS else "refused"


def read_failure(response: httpx.Response, body: Any) -> SendResult:
    """Why the server did not do it."""
    said = at(body, "response", "message") or at(body, "message") or at(body, "error")
    words = orjson.dumps([said, record(body).get("code")]).decode().lower()
    for status, needle, code, kind, _ in ANSWERS:
        if response.status_code == status and needle in words:
            return classified(kind, code=code, error=_sentence(said), response=response)
    code = str(response.status_code)
    if response.is_server_error:
        # Evolution's own 500 comes from before the send; a proxy's may come from after it.
        known = isinstance(body, dict) and response.status_code == 500 and "status" in body
        kind = "transient" if known else "unknown"
        return classified(kind, code=code, error=_sentence(said), response=response)
    return classified("configuration", code=code, error=_sentence(said), response=response)


def _sentence(said: Any) -> str | None:
    if isinstance(said, list):
        return "; ".join(part for item in said if (part := _sentence(item))) or None
    if isinstance(said, dict):
        return "The number is not on WhatsApp" if said.get("exists") is False else str(said)
    return text(said)


def read_answer(response: httpx.Response, body: Any) -> SendResult:
    """Of a send; `body` is the answer's JSON, or None when it is none."""
    if not response.is_success:
        return read_failure(response, body)
    answer = next(iter(records(body)), {})
    identity = text(at(answer, "key", "id"))
    if identity is not None:
        key = record(answer.get("key"))
        chat = parse_jid(key.get("remoteJid"))
        direct = chat is not None and chat.chat_kind == "direct"
        return SendResult(
            outcome="accepted",
            provider_message_id=identity,
            identities=jid_identities(chat, parse_jid(key.get("remoteJidAlt"))) if direct else [],
            http_status=response.status_code,
        )
    # An instance in Cloud mode repeats Graph's error object under its own 201.
    failure = record(answer.get("error")) or answer
    if error_class(failure.get("code")) is not None or "fbtrace_id" in failure:
        return graph_failure(response, failure)
    return classified("unknown", code="no_id", error="Accepted without an id", response=response)
