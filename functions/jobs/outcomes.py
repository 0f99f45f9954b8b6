"""What the answers and failures of a handler mean for its job."""

import logging

from functions.core.errors import Unavailable
from functions.jobs.models import GiveUp, Job, RetryLater, Settlement, Snooze

# Of a reason, in characters.
LONGEST_ERROR = 2000


def settlement_of(job: Job, error: Exception) -> Settlement:
    """What an exception of a handler means for its claim; what is no answer of it is a defect."""
    if isinstance(error, Snooze):
        return Settlement(job.id, job.claim, "snooze", delay_seconds=error.after_seconds)
    if isinstance(error, GiveUp):
        return Settlement(job.id, job.claim, "dead", error=_storable(str(error)))
    if isinstance(error, RetryLater):
        return Settlement(
            job.id,
            job.claim,
            "retry",
            error=_storable(str(error)),
            delay_seconds=error.after_seconds,
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
