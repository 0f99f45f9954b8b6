"""The jobs that watch over numbers: supabase/migrations/*_messaging_health.sql.

messages.watch   every five minutes: who is to be probed, who may be faster again
messages.probe   whether the connection of a number lives
"""

from collections.abc import Mapping

from functions.core.db import Database
from functions.core.errors import NotConfigured
from functions.core.http import HttpClient
from functions.jobs.context import JobContext
from functions.jobs.models import Handler, Handlers, Job, Json, RetryLater, Snooze
from functions.messaging import rpc
from functions.messaging.credentials import Vault, instance_of
from functions.providers.base import Provider
from functions.providers.commands import Answer, Probe
from functions.providers.events import InstanceChanged


def handlers(
    db: Database, vault: Vault, http: HttpClient, providers: Mapping[str, Provider]
) -> Handlers:
    """messages.watch and messages.probe."""

    async def watch(job: Job, context: JobContext) -> Json:
        return await rpc.watch_numbers(db.as_service())

    async def probe(job: Job, context: JobContext) -> Json:
        """Asks a number something that only a live connection answers, until it does."""
        service, instance_id = db.as_service(), job.data["instance_id"]
        order = await rpc.begin_probe(service, instance_id)
        if order is None:
            return {"state": None}
        try:
            instance = instance_of(vault, order["instance"])
        except NotConfigured as error:
            return {"error": error.code}
        provider = providers[instance.provider]
        answer = await provider.perform(http.get(), instance, Probe(order["number"]))
        found = _state(answer)
        if found is None:
            failure = answer.failure
            if failure and failure.outcome in ("retryable", "unknown"):
                raise RetryLater(failure.code or "no answer")
            return {"error": failure and failure.code}
        is_alive = found.state == "open"
        recorded = await rpc.record_probe(service, instance_id, is_alive, found.reason)
        if recorded["state"] == "degraded":
            raise Snooze(recorded["wait_seconds"])
        return recorded

    return {"messages.watch": Handler(watch), "messages.probe": Handler(probe)}


def _state(answer: Answer) -> InstanceChanged | None:
    """What the connection turned out to be; None where the answer tells nothing about it."""
    changes = (event for event in answer.events if isinstance(event, InstanceChanged))
    return next((change for change in changes if change.state is not None), None)
