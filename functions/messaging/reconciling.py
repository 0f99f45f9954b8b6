"""messages.reconcile: what became of a message whose answer was lost.

Never sends: supabase/migrations/*_messaging_reconcile.sql.
"""

from collections.abc import Mapping
from typing import Any

from functions.core.db import Database
from functions.core.errors import NotConfigured
from functions.core.http import HttpClient
from functions.jobs.context import JobContext
from functions.jobs.models import Handler, Handlers, Job, Json, RetryLater
from functions.messaging import rpc
from functions.messaging.credentials import Vault, instance_of
from functions.providers.base import OutboundMessage, Provider, SendResult
from functions.providers.commands import Reconcile

# Pauses between the five looks: with the 30 s before the first, a person decides after 66 minutes.
PAUSES_SECONDS = (60.0, 300.0, 900.0, 2700.0)


def handlers(
    db: Database, vault: Vault, http: HttpClient, providers: Mapping[str, Provider]
) -> Handlers:
    """messages.reconcile."""

    async def reconcile(job: Job, context: JobContext) -> Json:
        """Looks whether the provider has it; after the last look a person has to say."""
        service, message_id = db.as_service(), job.data["message_id"]
        order = await rpc.begin_reconcile(service, message_id)
        if order is None:
            return {"found": True}
        found = await _look(vault, http, providers, order)
        if found is not None and await rpc.record_reconciled(service, message_id, found):
            return {"found": True}
        if context.is_last_attempt:
            await rpc.ask_for_decision(service, message_id)
            return {"found": False}
        raise RetryLater("not known yet", PAUSES_SECONDS[min(context.attempt, 4) - 1])

    return {"messages.reconcile": Handler(reconcile, timeout_seconds=60.0)}


async def _look(
    vault: Vault, http: HttpClient, providers: Mapping[str, Provider], order: Mapping[str, Any]
) -> SendResult | None:
    """The message as its provider has it; None where it says nothing, or cannot be asked.

    Meta cannot: its reports carry our id. Nor can that of a number that was removed.
    """
    if "instance" not in order:
        return None
    provider = providers[order["instance"]["provider"]]
    if Reconcile not in provider.commands:
        return None
    try:
        instance = instance_of(vault, order["instance"])
    except NotConfigured:
        return None
    message = OutboundMessage(**order["message"])
    command = Reconcile(message, order["since"], order["others"])
    answer = await provider.perform(http.get(), instance, command)
    return answer.sent if answer.sent and answer.sent.provider_message_id else None
