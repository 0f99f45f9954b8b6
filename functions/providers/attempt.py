"""What one attempt to send came to: the classes of failure, and the reaction to each.

The providers' own tables (evolution/outcomes.py, meta/outcomes.py) lead from a code to a class.
"""

import re
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Literal

import httpx

from functions.providers.base import Outcome, Scope, SendResult

# Connecting is quick or hopeless; a server that has the message may take long to answer.
TIMEOUT = httpx.Timeout(connect=5.0, write=10.0, pool=5.0, read=30.0)
LONGEST_ERROR = 500

ErrorClass = Literal[
    "transient", "maintenance", "throttle", "app_throttle", "pair_rate", "spam", "configuration",
    "integrity", "window_closed", "defer", "opt_out", "recipient", "request", "template", "media",
    "cold_lock", "unknown",
]  # fmt: skip


@dataclass(frozen=True, slots=True)
class Reaction:
    outcome: Outcome
    scope: Scope | None
    wait_seconds: float | None = (
        None  # None: as the caller sees fit; for paused, until a human acts
    )


REACTIONS: dict[ErrorClass, Reaction] = {
    "transient": Reaction("retryable", None),
    "maintenance": Reaction("paused", "instance", 60),
    "throttle": Reaction("paused", "instance", 30),  # and send slower from then on
    "app_throttle": Reaction("paused", "account", 60),
    "pair_rate": Reaction("paused", "contact", 4),  # 4^n seconds at the n-th time in a row
    "spam": Reaction("paused", "account", 3600),
    "configuration": Reaction("paused", "instance"),
    "integrity": Reaction("paused", "account"),
    "window_closed": Reaction("permanent", "contact"),  # a template would be taken
    "defer": Reaction("retryable", "recipient", 86400),  # at most once
    "opt_out": Reaction("permanent", "recipient"),
    "recipient": Reaction("permanent", "recipient"),
    "request": Reaction("permanent", "request"),
    "template": Reaction("permanent", "account"),  # everything else that uses the template, too
    "media": Reaction("permanent", "request"),
    "cold_lock": Reaction("paused", "instance", 3600),  # first messages only; replies still go
    "unknown": Reaction("unknown", None),
}


def classified(
    kind: ErrorClass,
    *,
    code: str | None = None,
    error: str | None = None,
    response: httpx.Response | None = None,
) -> SendResult:
    """The result for a failure of this class; the server's Retry-After wins over our table's."""
    reaction = REACTIONS[kind]
    asked = retry_after(response) if response is not None else None
    return SendResult(
        outcome=reaction.outcome,
        http_status=response.status_code if response is not None else None,
        code=code[:64] if code else None,
        error=without_numbers(error) if error else None,
        retry_after_seconds=asked if asked is not None else reaction.wait_seconds,
        scope=reaction.scope,
    )


# The request did not leave: nothing can have been sent. Everything later is unknown.
_NOT_WRITTEN = (
    httpx.ConnectError,
    httpx.ConnectTimeout,
    httpx.PoolTimeout,
    httpx.ProxyError,
)
_MISCONFIGURED = (httpx.UnsupportedProtocol, httpx.InvalidURL, httpx.LocalProtocolError)


def failed_transport(failure: Exception) -> SendResult:
    """The result for an exception of httpx, by whether anything was written."""
    name = type(failure).__name__
    code = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower()
    if isinstance(failure, _NOT_WRITTEN):
        return classified("transient", code=code, error=f"{name}: nothing was sent")
    if isinstance(failure, _MISCONFIGURED):
        return classified("configuration", code=code, error=f"{name}: check the base address")
    return classified("unknown", code=code, error=f"{name}: the answer is missing")


def without_numbers(error: str) -> str:
    """The text with phone numbers, addresses and message ids taken out, and its end."""
    error = error[: 4 * LONGEST_ERROR]
    error = re.sub(r"wamid\.[\w+/=-]+", "[message id]", error)
    error = re.sub(r"\+?\d[\d\s().-]{5,}\d(:\d+)?(@[\w.]+)?", "[number]", error)
    return error[:LONGEST_ERROR]


def retry_after(response: httpx.Response) -> float | None:
    """Seconds asked for by Retry-After; a date is measured against the server's own clock."""
    asked = response.headers.get("retry-after", "").strip()
    if asked.isascii() and asked.isdecimal() and len(asked) < 10:
        return float(asked)
    try:
        until = parsedate_to_datetime(asked)
        return max(0.0, (until - parsedate_to_datetime(response.headers["date"])).total_seconds())
    except (ValueError, TypeError, KeyError):
        return None
