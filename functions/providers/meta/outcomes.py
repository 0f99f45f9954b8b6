"""What Meta's answer to a send means. The code decides, never the title or the HTTP status.

https://developers.facebook.com/docs/whatsapp/cloud-api/support/error-codes
"""

from typing import Any

import httpx

from functions.providers.attempt import ErrorClass, classified
from functions.providers.base import SendResult
from functions.providers.events import Json
from functions.providers.fields import at, integer, record, records, text
from functions.providers.meta.contacts import contact_identities

_DOCS = "error codes, 2026-05-15"
_REGISTER = "error codes, registration"
_GROUPS = "errors of the groups API, as pywa lists them"
_CALLS = "errors of the calling API, as pywa lists them"
_TEMPLATES = "message templates reference"

# (code, class, what it says, where Meta documents it)
_ROWS: tuple[tuple[int, ErrorClass, str, str], ...] = (
    (1, "transient", "API unknown", _DOCS),
    (2, "transient", "API service", _DOCS),
    (131000, "transient", "something went wrong", _DOCS),
    (131016, "transient", "service unavailable", _DOCS),
    (133004, "transient", "server temporarily unavailable", _DOCS),
    (135000, "transient", "generic user error", _DOCS),
    (131057, "maintenance", "account in maintenance mode, throughput upgrade", _DOCS),
    (4, "app_throttle", "app call limit", _DOCS),
    (613, "app_throttle", "call limit of one endpoint", _CALLS),
    (80007, "app_throttle", "business account rate limit", _DOCS),
    (80008, "app_throttle", "too many calls to this business account", _TEMPLATES),
    (130429, "throttle", "messages per second", _DOCS),
    (131208, "throttle", "group calls per second", _GROUPS),
    (133016, "throttle", "register or deregister too often", _DOCS),
    (131056, "pair_rate", "too many from this number to this contact", _DOCS),
    (131048, "spam", "spam rate limit", _DOCS),
    (131064, "spam", "messaging limit reached", _DOCS),
    (0, "configuration", "app user cannot be authenticated", _DOCS),
    (3, "configuration", "capability or permission", _DOCS),
    (10, "configuration", "permission denied or removed", _DOCS),
    (190, "configuration", "access token expired", _DOCS),
    (131005, "configuration", "access denied", _DOCS),
    (131037, "configuration", "display name not approved", _DOCS),
    (131042, "configuration", "payment method", _DOCS),
    (131044, "configuration", "payment method, of calls", _CALLS),
    (131045, "configuration", "number not registered", _DOCS),
    (133000, "configuration", "an earlier deregistration is incomplete", _REGISTER),
    (133005, "configuration", "two-step PIN wrong", _REGISTER),
    (133006, "configuration", "number needs verification", _REGISTER),
    (133008, "configuration", "too many PIN guesses", _REGISTER),
    (133009, "configuration", "PIN guessed too fast", _REGISTER),
    (133010, "configuration", "number not registered", _REGISTER),
    (133015, "configuration", "number was deleted a moment ago", _REGISTER),
    (141000, "configuration", "number not linked to the account", "health status of a number"),
    (368, "integrity", "blocked for policy violations", _DOCS),
    (130497, "integrity", "may not write to users in this country", _DOCS),
    (131031, "integrity", "account locked", _DOCS),
    (131047, "window_closed", "over 24 hours since the contact's last message", _DOCS),
    (130472, "defer", "contact is part of an experiment", _DOCS),
    (131049, "defer", "healthy ecosystem engagement", _DOCS),
    (131050, "opt_out", "contact stopped marketing messages", _DOCS),
    (131026, "recipient", "undeliverable", _DOCS),
    (131041, "recipient", "group unknown", _GROUPS),
    (131207, "recipient", "group suspended", _GROUPS),
    (33, "request", "business phone number deleted or wrong", _DOCS),
    (100, "request", "invalid parameter", _DOCS),
    (131008, "request", "parameter missing", _DOCS),
    (131009, "request", "parameter value", _DOCS),
    (131020, "request", "bad group", _GROUPS),
    (131021, "request", "recipient is the sender", _DOCS),
    (131030, "request", "recipient not in the allowed list of a test number", _DOCS),
    (131051, "request", "message type", _DOCS),
    (131062, "request", "BSUID recipient not supported", _DOCS),
    (131063, "request", "marketing templates not allowed on this endpoint", _DOCS),
    (137000, "request", "recipient identity key mismatch", _DOCS),
    (132000, "template_request", "parameter count", _DOCS),
    (132001, "template_request", "template does not exist in this language", _DOCS),
    (132005, "template_request", "text too long once filled in", _DOCS),
    (132007, "template_request", "character policy violated", _DOCS),
    (132008, "template_request", "parameter value", _DOCS),
    (132012, "template_request", "parameter format", _DOCS),
    (132015, "template", "template paused", _DOCS),
    (132016, "template", "template disabled", _DOCS),
    (132068, "template", "flow blocked", _DOCS),
    (132069, "throttle", "flow throttled", _DOCS),
    (131052, "media", "media download", _DOCS),
    (131053, "media", "media upload", _DOCS),
)
GRAPH_ERRORS: dict[int, ErrorClass] = {code: kind for code, kind, _, _ in _ROWS}
PERMISSIONS = range(200, 300)  # API permission: "configuration"


def error_class(code: Any) -> ErrorClass | None:
    """The class of a Graph error code, as in an answer or in a failed status; None if unlisted."""
    number = integer(code)
    if number is None:
        return None
    return GRAPH_ERRORS.get(number, "configuration" if number in PERMISSIONS else None)


def read_answer(response: httpx.Response, body: Any) -> SendResult:
    """Of a send; `body` is the answer's JSON, or None when it is none."""
    if response.is_success and not record(at(body, "error")):
        return _accepted(response, body)
    return read_failure(response, body)


def read_failure(response: httpx.Response, body: Any) -> SendResult:
    """Why Graph did not do it."""
    failure = record(at(body, "error"))
    if failure:
        return graph_failure(response, failure)
    if response.status_code == 429:
        return classified("throttle", code="429", error="Too many requests", response=response)
    if response.status_code in (401, 403):
        status = str(response.status_code)
        return classified("configuration", code=status, error="Refused", response=response)
    if response.is_server_error:
        # A gateway answered for a server that may have taken the message.
        status = str(response.status_code)
        return classified("unknown", code=status, error="No answer of Graph", response=response)
    status = str(response.status_code)
    return classified("configuration", code=status, error="Not the Graph API", response=response)


def _accepted(response: httpx.Response, body: Any) -> SendResult:
    message = next(iter(records(at(body, "messages"))), {})
    contact = next(iter(records(at(body, "contacts"))), {})
    wa_id, user_id = text(contact.get("wa_id")), text(contact.get("user_id"))
    identity = text(message.get("id"))
    if identity is None:
        return classified(
            "unknown", code="no_id", error="Accepted without an id", response=response
        )
    return SendResult(
        outcome="accepted",
        provider_message_id=identity,
        identities=contact_identities(wa_id, user_id, contact.get("parent_user_id")),
        http_status=response.status_code,
    )


def graph_failure(response: httpx.Response, failure: Json) -> SendResult:
    """`failure` is Graph's error object; also what an Evolution server in Cloud mode repeats."""
    code = text(failure.get("code"))
    details = text(at(failure, "error_data", "details"))
    said = ": ".join(part for part in (text(failure.get("message")), details) if part)
    kind = error_class(code) or _unlisted(response, failure)
    if kind == "media" and response.is_server_error:
        kind = "transient"
    return classified(kind, code=code or "unnamed", error=said or None, response=response)


def _unlisted(response: httpx.Response, failure: Json) -> ErrorClass:
    if response.status_code == 429:
        return "throttle"
    if response.is_server_error or failure.get("is_transient") is True:
        return "transient"
    return "configuration" if response.status_code in (401, 403) else "request"
