"""What Evolution's answer to a send means.

Errors are `{"status", "error", "response": {"message": [...]}}`, and any exception of the socket
below is a 400 as well: the words decide.
"""

from typing import Any

import httpx
import orjson

from functions.providers.attempt import ErrorClass, classified
from functions.providers.base import SendResult
from functions.providers.fields import at, record, records, text
from functions.providers.identity import parse_jid
from functions.providers.meta.outcomes import error_class, graph_failure

# Refusals by WhatsApp of a message already accepted, from a status ERROR.
NACKS: dict[str, ErrorClass] = {
    "463": "cold_lock",  # account may not write to strangers for a while
    "479": "transient",  # stale session with the recipient's device
}

# (HTTP status, words in the answer) -> (code, class); the first row that fits. '' fits all.
ANSWERS: tuple[tuple[int, str, str, ErrorClass], ...] = (
    (400, '"exists":false', "not_on_whatsapp", "recipient"),
    # After the message has left, the server writes it to its database: that may fail, too.
    (400, "prisma", "stored_badly", "unknown"),
    (400, "rate-overlimit", "rate_overlimit", "throttle"),
    (400, "connection closed", "connection_closed", "transient"),
    (400, "connection lost", "connection_lost", "transient"),
    (400, "connection terminated", "connection_terminated", "transient"),
    (400, "connection failure", "connection_failure", "transient"),
    (400, "timed out", "timed_out", "transient"),
    (400, "not connected", "not_connected", "transient"),
    (400, "stream errored", "stream_errored", "transient"),
    (400, "", "400", "request"),
    (401, "", "401", "configuration"),
    (403, "", "403", "configuration"),
    (404, "group not found", "group_not_found", "recipient"),
    (404, "", "404", "configuration"),
    (413, "", "413", "request"),
    (422, "", "422", "request"),
    (429, "", "429", "throttle"),
    (503, "license_required", "LICENSE_REQUIRED", "configuration"),
    (503, "", "503", "transient"),  # refused by the server or by the proxy before it
)


def read_answer(response: httpx.Response, body: Any) -> SendResult:
    """`body` is the answer's JSON, or None when it is none."""
    if response.is_success:
        return _accepted(response, body)
    said = at(body, "response", "message") or at(body, "message") or at(body, "error")
    words = orjson.dumps([said, record(body).get("code")]).decode().lower()
    for status, needle, code, kind in ANSWERS:
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


def _accepted(response: httpx.Response, body: Any) -> SendResult:
    answer = next(iter(records(body)), {})
    identity = text(at(answer, "key", "id"))
    if identity is not None:
        chat = parse_jid(at(answer, "key", "remoteJid"))
        return SendResult(
            outcome="accepted",
            provider_message_id=identity,
            recipient=str(chat) if chat else None,
            http_status=response.status_code,
        )
    # An instance in Cloud mode repeats Graph's error object under its own 201.
    failure = record(answer.get("error")) or answer
    if error_class(failure.get("code")) is not None or "fbtrace_id" in failure:
        return graph_failure(response, failure)
    return classified("unknown", code="no_id", error="Accepted without an id", response=response)
