"""What Meta's answer to a send means. The code decides, never the title or the HTTP status.

https://developers.facebook.com/docs/whatsapp/cloud-api/support/error-codes
"""

from typing import Any

import httpx

from functions.providers.attempt import ErrorClass, classified
from functions.providers.base import Json, SendResult
from functions.providers.fields import at, first_text, integer, record, records, text

GRAPH_ERRORS: dict[int, ErrorClass] = {
    1: "transient",  # API unknown
    2: "transient",  # API service
    131000: "transient",  # something went wrong
    131016: "transient",  # service unavailable
    133004: "transient",  # server temporarily unavailable
    135000: "transient",  # generic user error
    131057: "maintenance",  # account in maintenance mode, throughput upgrade
    4: "app_throttle",  # app call limit
    80007: "app_throttle",  # business account rate limit
    130429: "throttle",  # messages per second
    133016: "throttle",  # register or deregister too often
    131056: "pair_rate",  # this number to this contact
    131048: "spam",  # spam rate limit
    131064: "spam",  # messaging limit reached
    0: "configuration",  # app user cannot be authenticated
    3: "configuration",  # capability or permission
    10: "configuration",  # permission denied or removed
    190: "configuration",  # access token expired
    131005: "configuration",  # access denied
    131037: "configuration",  # display name not approved
    131042: "configuration",  # payment method
    131045: "configuration",  # number not registered
    368: "integrity",  # account blocked for policy violations
    130497: "integrity",  # restricted from messaging users in this country
    131031: "integrity",  # account locked
    131047: "window_closed",  # more than 24 hours since the last message from the contact
    130472: "defer",  # contact is part of an experiment
    131049: "defer",  # healthy ecosystem engagement
    131050: "opt_out",  # contact stopped marketing messages
    131026: "recipient",  # undeliverable
    33: "request",  # parameter: business phone number deleted or wrong
    100: "request",  # invalid parameter
    131008: "request",  # parameter missing
    131009: "request",  # parameter value
    131021: "request",  # recipient is the sender
    131030: "request",  # recipient not in the allowed list (test numbers)
    131051: "request",  # message type
    131062: "request",  # BSUID recipient not supported
    131063: "request",  # marketing templates not allowed on this endpoint
    132000: "request",  # template parameter count
    132001: "request",  # template does not exist
    132005: "request",  # template text too long
    132007: "request",  # template format policy
    132008: "request",  # template parameter value
    132012: "request",  # template parameter format
    137000: "request",  # recipient identity key mismatch
    132015: "template",  # template paused
    132016: "template",  # template disabled
    131052: "media",  # media download
    131053: "media",  # media upload
}
PERMISSIONS = range(200, 300)


def error_class(code: Any) -> ErrorClass | None:
    """The class of a Graph error code, as in an answer or in a failed status; None if unlisted."""
    number = integer(code)
    if number is None:
        return None
    return GRAPH_ERRORS.get(number, "configuration" if number in PERMISSIONS else None)


def read_answer(response: httpx.Response, body: Any) -> SendResult:
    """`body` is the answer's JSON, or None when it is none."""
    failure = record(at(body, "error"))
    if failure:
        return graph_failure(response, failure)
    if response.is_success:
        return _accepted(response, body)
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
    identity = text(message.get("id"))
    if identity is None:
        return classified(
            "unknown", code="no_id", error="Accepted without an id", response=response
        )
    return SendResult(
        outcome="accepted",
        provider_message_id=identity,
        recipient=first_text(contact.get("wa_id"), contact.get("user_id")),
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
