"""The jobs of messaging: what happens outside, between two calls of SQL functions."""

from collections.abc import Mapping, Sequence

from functions.core.db import Database
from functions.core.http import HttpClient
from functions.core.storage import Storage
from functions.jobs.context import JobContext
from functions.jobs.models import BatchHandler, Handler, Handlers, Job, Json, Snooze
from functions.messaging import erasure, probing, reconciling, rpc, sending
from functions.messaging.credentials import Vault
from functions.messaging.inbound_events import Items
from functions.providers.base import Provider

# A part takes a second at most; what is left then does another run.
EXPIRY_MARGIN_SECONDS = 10.0


def handlers(
    db: Database,
    vault: Vault,
    http: HttpClient,
    providers: Mapping[str, Provider],
    storage: Storage,
) -> Handlers:
    """messages.ingest and inbound.expire, and those of the files beside this one."""

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
            if item["state"] == "received" and item["provider"] in providers
        ]
        failed = await rpc.ingest_inbound(db.as_service(), items)
        # Of a newer deployment, which may be the one that tries again.
        strange = (item for item in stored if item["provider"] not in providers)
        failed |= {item["id"]: f"{item['provider']} is no provider here" for item in strange}
        senseless = {job.id: "data.event_id is missing" for job in jobs if not _names_event(job)}
        return senseless | {job_of[event_id]: error for event_id, error in failed.items()}

    async def expire(job: Job, context: JobContext) -> Json | None:
        """Drops the bodies of items that are past their time, a part at a time."""
        while context.seconds_left > EXPIRY_MARGIN_SECONDS:
            if not await Items(db.as_service()).expire_bodies():
                return None
        raise Snooze(1.0)

    return {
        "messages.ingest": BatchHandler(ingest, size=50),
        "inbound.expire": Handler(expire, concurrency=1),
        **erasure.handlers(db, storage),
        **sending.handlers(db, vault, http, providers, storage),
        **reconciling.handlers(db, vault, http, providers),
        **probing.handlers(db, vault, http, providers),
    }


def _names_event(job: Job) -> bool:
    return isinstance(job.data.get("event_id"), int)
