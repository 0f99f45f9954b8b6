"""What one attempt to send came to: the classes of failure, and the reaction to each.

The providers' own tables (evolution/outcomes.py, meta/outcomes.py) lead from a code to a class.
"""

import re
from dataclasses import asdict, dataclass
from email.utils import parsedate_to_datetime
from typing import Literal

import httpx

from functions.providers.base import Outcome, Scope, SendResult
from functions.providers.events import Json

# Connecting is quick or hopeless; a server that has the message may take long to answer.
TIMEOUT = httpx.Timeout(connect=5.0, write=10.0, pool=5.0, read=30.0)
LONGEST_ERROR = 500

ErrorClass = Literal[
    "transient", "maintenance", "throttle", "app_throttle", "pair_rate", "spam", "configuration",
    "integrity", "window_closed", "defer", "opt_out", "recipient", "not_on_whatsapp", "request",
    "template", "template_request", "media", "cold_lock", "refused", "disconnected", "unknown",
    "unsupported",
]  # fmt: skip
Action = Literal[
    "none",
    "retry",
    "slow_number",  # halve its rate, after a pause of `wait_seconds`
    "pause_contact",
    "pause_number",
    "pause_account",  # everything: a person has to act
    "pause_campaigns",  # those of the account; replies go on
    "pause_campaign",  # those that send this template
    "block_cold",  # first messages of this number; replies go on
    "probe_number",  # it may be a socket that only looks alive
    "convert_to_template",
    "defer",
    "suppress_marketing",
    "suppress_contact",
    "try_other_number",  # the other form of the phone, once; then it is an invalid number
    "upload_media_again",
    "reconcile",
]


@dataclass(frozen=True, slots=True)
class Reaction:
    """What follows from a failure of one class.

    The n-th pause in a row lasts `wait_seconds` * `growth` ** (n - 1), at most `longest_seconds`.
    `after`: how many such failures in a row, each of another recipient, before the action is due.
    `tries`: how often such a message is attempted in all.
    """

    outcome: Outcome
    scope: Scope | None
    action: Action = "none"
    wait_seconds: float | None = None  # None: as the caller sees fit; of paused: until a human acts
    growth: float = 1.0
    longest_seconds: float | None = None
    after: int = 1
    tries: int | None = None

    def pause_seconds(self, nth: int) -> float | None:
        """How long the n-th pause in a row lasts, from 1; None: until a human acts."""
        if self.wait_seconds is None:
            return None
        longest = self.longest_seconds or 86400.0
        return min(self.wait_seconds * self.growth ** min(nth - 1, 32), longest)


HOUR = 3600.0
DAY = 24 * HOUR

# class -> outcome, of what, action, wait, growth, longest, after, tries
REACTIONS: dict[ErrorClass, Reaction] = {
    "transient": Reaction("retryable", None, "retry", tries=5),
    "disconnected": Reaction("retryable", "instance", "probe_number", tries=5),
    "maintenance": Reaction("paused", "instance", "pause_number", 60),
    "throttle": Reaction("paused", "instance", "slow_number", 30),
    "app_throttle": Reaction("paused", "account", "slow_number", 60),
    "pair_rate": Reaction("paused", "contact", "pause_contact", 4, 4, HOUR),  # 4, 16, 64, ...
    "spam": Reaction("paused", "account", "pause_campaigns", HOUR, 2, DAY),
    "configuration": Reaction("paused", "instance", "pause_number"),
    "integrity": Reaction("paused", "account", "pause_account"),
    "window_closed": Reaction("permanent", "contact", "convert_to_template"),
    "defer": Reaction("retryable", "recipient", "defer", DAY, tries=2),
    "opt_out": Reaction("permanent", "recipient", "suppress_marketing"),
    # It may be wrong once: the same message has been seen failed and delivered.
    "recipient": Reaction("permanent", "recipient", "suppress_contact", after=2),
    "not_on_whatsapp": Reaction("permanent", "recipient", "try_other_number"),
    "request": Reaction("permanent", "request"),
    "unsupported": Reaction("permanent", "request"),
    "template": Reaction("permanent", "account", "pause_campaign"),
    "template_request": Reaction("permanent", "request", "pause_campaign", after=3),
    "media": Reaction("permanent", "request", "upload_media_again", tries=2),
    "cold_lock": Reaction("paused", "instance", "block_cold", HOUR, 2, 3 * DAY),
    # Without a reason. Of first messages, three in a row are taken for a cold lock.
    "refused": Reaction("permanent", "recipient", "block_cold", HOUR, 2, 3 * DAY, after=3),
    "unknown": Reaction("unknown", None, "reconcile"),
}

# What no answer tells. A message that its server keeps as PENDING for this long is suspect: its
# number is asked whether it lives. So many of them on one number, and its campaigns wait.
STUCK_SECONDS = 600
STUCK = Reaction("unknown", "instance", "probe_number")
STUCK_PAUSES_CAMPAIGNS = 5


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
        error_class=kind,
        reaction=reaction,
    )


def failure_of(kind: ErrorClass) -> Json:
    """Class and reaction for the error of a status, in the names of a SendResult."""
    return {"class": kind, "reaction": asdict(REACTIONS[kind])}


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
