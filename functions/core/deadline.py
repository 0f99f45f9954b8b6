"""How much time the platform leaves an invocation."""

from datetime import UTC, datetime
from typing import Any

from starlette.types import Scope

# For settling the last jobs and sending the answer.
MARGIN_SECONDS = 5.0


def remaining_seconds(scope: Scope) -> float | None:
    """Seconds until the platform ends this invocation, less a margin; None where nobody tells.

    Sources: `vercel_runtime.get_deadline` in every Vercel bundle; the Lambda context that Mangum
    puts into the scope.
    """
    context: Any = scope.get("aws.context")
    if context is not None:
        return float(context.get_remaining_time_in_millis()) / 1000 - MARGIN_SECONDS
    try:
        # Injected by Vercel's builder; not on any index.
        from vercel_runtime import get_deadline  # type: ignore[import-not-found]
    except ImportError:
        return None
    deadline: datetime | None = get_deadline()
    if deadline is None:
        return None
    return (deadline - datetime.now(UTC)).total_seconds() - MARGIN_SECONDS
