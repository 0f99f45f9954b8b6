"""The jobs of messaging: what happens outside, between two calls of SQL functions."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, TypeVar

from functions.core.db import Database
from functions.core.errors import Unavailable
from functions.core.http import HttpClient
from functions.jobs.context import JobContext
from functions.jobs.models import BatchHandler, Handler, Handlers, Job, Json, RetryLater, Snooze
from functions.messaging import rpc
from functions.providers.base import Instance, OutboundMessage, Provider, SendResult

# Pause between tries while the database does not answer.
OUTAGE_PAUSE_SECONDS = 0.5

T = TypeVar("T")


def handlers(db: Database, http: HttpClient, providers: Mapping[str, Provider]) -> Handlers:
    """messages.ingest and messages.send."""

    async def ingest(jobs: Sequence[Job]) -> Mapping[int, str]:
        """Turns stored items into contacts, messages and statuses: one transaction per batch."""
        job_of = {job.data["event_id"]: job.id for job in jobs if _names_event(job)}
        stored = await rpc.get_inbound_events(db.as_service(), list(job_of))
        items = [
            {
                "id": item["id"],
                "events": providers[item["provider"]].parse(item["kind"], item["raw"]),
            }
            for item in stored
            if item["state"] == "received"
        ]
        failed = await rpc.ingest_inbound(db.as_service(), items)
        senseless = {job.id: "data.event_id is missing" for job in jobs if not _names_event(job)}
        return senseless | {job_of[event_id]: error for event_id, error in failed.items()}

    async def send(job: Job, context: JobContext) -> Json:
        """Calls the provider once for a message, its attempt written before and after."""
        service = db.as_service()
        message_id = job.data["message_id"]
        order = await _until_answered(
            lambda: rpc.begin_send(service, message_id, job.id, job.claim)
        )
        if order["action"] == "done":
            return {"status": order["status"]}
        if order["action"] == "wait":
            raise Snooze(order["seconds"])
        result = await _call(http, providers, order)
        recorded = await _until_answered(
            lambda: rpc.record_send_result(
                service, message_id, order["attempt"], result, last=context.is_last_attempt
            )
        )
        if result.outcome == "paused":
            raise Snooze(recorded["wait_seconds"])
        if result.outcome == "retryable":
            raise RetryLater(result.code or "not sent", result.retry_after_seconds)
        return {"outcome": result.outcome}

    return {
        "messages.ingest": BatchHandler(ingest, size=50),
        "messages.send": Handler(send, timeout_seconds=45.0, concurrency=16),
    }


def _names_event(job: Job) -> bool:
    return isinstance(job.data.get("event_id"), int)


async def _until_answered(call: Callable[[], Awaitable[T]]) -> T:
    """The answer of a call that is safe to repeat, also after an outage of the database.

    Only this worker knows that it has not called the provider yet, or what the provider said: the
    next one would have to take the message for possibly sent. The job's timeout is the limit.
    """
    while True:
        try:
            return await call()
        except Unavailable:
            await asyncio.sleep(OUTAGE_PAUSE_SECONDS)


async def _call(
    http: HttpClient, providers: Mapping[str, Provider], order: Mapping[str, Any]
) -> SendResult:
    instance, message = Instance(**order["instance"]), OutboundMessage(**order["message"])
    return await providers[instance.provider].send(http.get(), instance, message)
