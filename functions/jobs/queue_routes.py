"""The queue over HTTP: the tick that cron calls, how the queues do, and what operators set."""

import hmac
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Header, Request, Security
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from functions.core import deadline
from functions.core.errors import Unauthorized
from functions.core.parts import part
from functions.core.problems import answers
from functions.core.settings import Settings
from functions.jobs.queue_bodies import (
    KeyLimits,
    KeySettings,
    QueueHealth,
    QueueLimits,
    QueueSettings,
    QueueState,
    Tick,
)
from functions.jobs.rpc import Queue
from functions.jobs.ticks import HOP_HEADER, MAX_HOPS, Ticks

Bearer = Annotated[
    HTTPAuthorizationCredentials | None,
    Security(
        HTTPBearer(auto_error=False, scheme_name="cron", description="CRON_SECRET or QUEUE_SECRET.")
    ),
]
Hop = Annotated[
    int,
    Header(
        alias=HOP_HEADER, ge=0, le=MAX_HOPS, description="Set by a tick that calls the next one."
    ),
]
TheQueue = Annotated[Queue, part(Queue)]


async def _authorize(settings: Annotated[Settings, part(Settings)], bearer: Bearer = None) -> None:
    given = bearer.credentials.strip().encode() if bearer else b""
    # Every secret is compared, on bytes: constant time, and no error on non-ASCII.
    matches = [hmac.compare_digest(given, s.encode()) for s in settings.queue_secrets()]
    if not any(matches):
        raise Unauthorized(
            "The bearer is not CRON_SECRET or QUEUE_SECRET.", code="invalid_cron_secret"
        )


routes = APIRouter(prefix="/api/queue", tags=["queue"], dependencies=[Depends(_authorize)])


async def tick(request: Request, ticks: Annotated[Ticks, part(Ticks)], hop: Hop = 0) -> Any:
    """Adds the jobs of due schedules, then works through due jobs until none is left or the
    time budget is over.

    Safe to call at any time and twice at once: a job is leased to one worker only, and of more
    than QUEUE_TICKS at once the last ones answer without work.
    """
    return await ticks.run(deadline.remaining_seconds(request.scope), hop)


# Vercel's cron sends GET; pg_net and most others POST.
for method in ("GET", "POST"):
    routes.add_api_route(
        "/process",
        tick,
        methods=[method],
        operation_id=f"process_queue_{method.lower()}",
        response_model=Tick,
        responses=answers(401, 422, 503),
        summary="Work through the queue",
    )


@routes.get(
    "/stats",
    response_model=dict[str, QueueState],
    responses=answers(401, 503),
    operation_id="queue_stats",
    summary="Look at the queues",
)
async def stats(queue: TheQueue) -> Any:
    """What waits, runs and failed, how fast, and until when, per queue."""
    return await queue.queue_stats()


@routes.get(
    "/health",
    response_model=QueueHealth,
    responses=answers(401, 503),
    operation_id="queue_health",
    summary="Ask whether the queues do well",
)
async def health(queue: TheQueue) -> Any:
    """200 also when they do not: a monitor looks for `"health":"ok"` in the answer."""
    return await queue.queue_health()


@routes.post(
    "/queues/{name}/pause",
    response_model=QueueSettings,
    responses=answers(401, 404, 422, 503),
    operation_id="pause_queue",
    summary="Pause a queue",
)
async def pause(queue: TheQueue, name: str) -> Any:
    """Nothing of it starts any more; what runs goes on."""
    return await queue.operator().pause_queue(name)


@routes.post(
    "/queues/{name}/resume",
    response_model=QueueSettings,
    responses=answers(401, 404, 422, 503),
    operation_id="resume_queue",
    summary="Resume a queue",
)
async def resume(queue: TheQueue, name: str) -> Any:
    """Also when a provider asked for a rest. Jobs start with the next tick."""
    return await queue.operator().resume_queue(name)


@routes.put(
    "/queues/{name}/limits",
    response_model=QueueSettings,
    responses=answers(400, 401, 404, 422, 503),
    operation_id="set_queue_limits",
    summary="Set rate, concurrency and retention of a queue",
)
async def set_queue_limits(queue: TheQueue, name: str, limits: QueueLimits) -> Any:
    """Effective with the next claim."""
    given = limits.model_dump(exclude_unset=True)
    return await queue.operator().set_queue_limits(name, given)


@routes.put(
    # Keys are free text: one may have a slash.
    "/keys/{limit_key:path}/limits",
    response_model=KeySettings,
    responses=answers(400, 401, 422, 503),
    operation_id="set_key_limits",
    summary="Set the rate of a limit key",
)
async def set_key_limits(queue: TheQueue, limit_key: str, limits: KeyLimits) -> Any:
    """For the jobs that have this key, whatever their queue. Effective with the next claim."""
    given = limits.model_dump(exclude_unset=True)
    return await queue.operator().set_key_limits(limit_key, given)
