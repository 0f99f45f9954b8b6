"""The queue over HTTP: the tick that cron calls, and what the queues look like."""

import hmac
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request, Security
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from pydantic import BaseModel, Field

from functions.core import deadline
from functions.core.errors import Unauthorized
from functions.core.problems import answers
from functions.core.settings import Settings
from functions.jobs.rpc import Queue
from functions.jobs.runner import Runner
from functions.jobs.schedules import Schedules

Bearer = Annotated[
    HTTPAuthorizationCredentials | None,
    Security(
        HTTPBearer(auto_error=False, scheme_name="cron", description="CRON_SECRET or QUEUE_SECRET.")
    ),
]


class Tick(BaseModel):
    """What one tick did."""

    scheduled: int = Field(description="Jobs added by schedules that were due.")
    claimed: int
    completed: int
    retried: int
    failed: int
    cancelled: int
    released: int = Field(
        description="Put off, or given back unstarted when the time was up; no attempt is counted."
    )
    stale: int = Field(description="Settled too late: another worker had taken over.")
    drained: bool = Field(description="Nothing due was left.")
    duration_seconds: float
    deleted: int = Field(description="Ended jobs past their retention.")


class QueueState(BaseModel):
    """One queue now."""

    paused: bool
    blocked_until: str | None = Field(description="A provider asked for a rest until then.")
    waiting: int = Field(description="Due, and not started.")
    scheduled: int = Field(description="Due later.")
    running: int
    failed: int
    oldest_waiting_seconds: float


def router(settings: Settings, queue: Queue, runner: Runner) -> APIRouter:
    """The routes under /api/queue. All need CRON_SECRET or QUEUE_SECRET as bearer."""
    schedules = Schedules(queue)

    async def authorize(bearer: Bearer = None) -> None:
        given = bearer.credentials.strip().encode() if bearer else b""
        # Every secret is compared, on bytes: constant time, and no error on non-ASCII.
        matches = [hmac.compare_digest(given, s.encode()) for s in settings.queue_secrets()]
        if not any(matches):
            raise Unauthorized(
                "The bearer is not CRON_SECRET or QUEUE_SECRET.", code="invalid_cron_secret"
            )

    routes = APIRouter(prefix="/api/queue", tags=["queue"], dependencies=[Depends(authorize)])

    async def tick(request: Request) -> Any:
        """Adds the jobs of due schedules, then works through due jobs until none is left or the
        time budget is over.

        Safe to call at any time and twice at once: a job is leased to one worker only.
        """
        scheduled = await schedules.run_due()
        left = deadline.remaining_seconds(request.scope)
        report = await runner.drain(settings.queue_budget_seconds, limit_seconds=left)
        swept = await queue.sweep_jobs()
        drained = {name: getattr(report, name) for name in report.__dataclass_fields__}
        return {"scheduled": scheduled} | drained | swept

    # Vercel's cron sends GET; pg_net and most others POST.
    for method in ("GET", "POST"):
        routes.add_api_route(
            "/process",
            tick,
            methods=[method],
            operation_id=f"process_queue_{method.lower()}",
            response_model=Tick,
            responses=answers(401, 503),
            summary="Work through the queue",
        )

    @routes.get(
        "/stats",
        response_model=dict[str, QueueState],
        responses=answers(401, 503),
        operation_id="queue_stats",
        summary="Look at the queues",
    )
    async def stats() -> Any:
        """What waits, runs and failed, per queue."""
        return await queue.queue_stats()

    return routes
