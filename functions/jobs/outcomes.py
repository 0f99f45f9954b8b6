"""What the answers and failures of a handler mean for its job."""

import logging
import math

import orjson

from functions.core.errors import Unavailable
from functions.jobs.models import (
    Cancelled,
    GiveUp,
    Job,
    Json,
    RateLimited,
    RetryLater,
    Settlement,
    Snooze,
)

# Of a reason, in characters.
LONGEST_ERROR = 2000
LARGEST_RESULT = 262_144
LONGEST_DELAY_SECONDS = 366 * 86_400.0


def success(job: Job, result: Json | None) -> Settlement:
    """The job is done. A result that cannot be stored is left out: doing it again helps nobody."""
    if result is not None and not _is_storable(result):
        logging.getLogger("recado").error("job %s (%s): no JSON result", job.id, job.type)
        result = {"error": "the result was not stored: it is too large, or no JSON"}
    return Settlement(job.id, job.claim, "ok", result=result)


def settlement_of(job: Job, error: Exception) -> Settlement:
    """What an exception of a handler means for its claim; what is no answer of it is a defect."""
    if isinstance(error, Snooze):
        delay = _bounded(error.after_seconds)
        return Settlement(job.id, job.claim, "snooze", delay_seconds=delay)
    if isinstance(error, RateLimited):
        # Without a time the job would start again at once.
        delay = _bounded(error.after_seconds) or 1.0
        return Settlement(job.id, job.claim, "rate_limited", delay_seconds=delay)
    if isinstance(error, Cancelled):
        return Settlement(job.id, job.claim, "cancelled")
    if isinstance(error, GiveUp):
        return Settlement(job.id, job.claim, "dead", error=_storable(str(error)))
    if isinstance(error, RetryLater):
        return Settlement(
            job.id,
            job.claim,
            "retry",
            error=_storable(str(error)),
            delay_seconds=_bounded(error.after_seconds),
        )
    if isinstance(error, TimeoutError):
        return Settlement(job.id, job.claim, "retry", error="timeout: the handler took too long")
    if not isinstance(error, Unavailable):
        # A defect. The traceback goes to the log; its message may hold data, so not to the row.
        logging.getLogger("recado").error("job %s (%s) failed", job.id, job.type, exc_info=error)
    return Settlement(job.id, job.claim, "retry", error=f"{type(error).__name__}: see the log")


def _storable(reason: str) -> str:
    """One text that the database refuses would keep all others of its round from being settled."""
    return reason.encode(errors="replace").decode().replace("\x00", "?")[:LONGEST_ERROR]


def _bounded(seconds: float | None) -> float | None:
    """What a provider asks for may be anything; the database takes no endless time."""
    if seconds is None or not math.isfinite(seconds):
        return None
    return min(max(seconds, 0.0), LONGEST_DELAY_SECONDS)


def _is_storable(result: Json) -> bool:
    try:
        stored = orjson.dumps(result)
    except orjson.JSONEncodeError:
        return False
    return len(stored) <= LARGEST_RESULT and b"\\u0000" not in stored
