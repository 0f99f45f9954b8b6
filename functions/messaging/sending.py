"""The jobs of sending: a provider is called between two calls of SQL functions.

messages.send       one attempt of one message; supabase/migrations/*_messaging_attempts.sql
messages.mark_read  the contact sees that it was read
messages.react      what follows from a refusal that came as a report; *_messaging_reactions.sql
messages.release    what sleeps looks again, because its rules have changed; *_messaging_pace.sql
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from functions.core.db import Database
from functions.core.errors import NotConfigured, Unavailable
from functions.core.http import HttpClient
from functions.core.storage import Storage
from functions.jobs.context import JobContext
from functions.jobs.models import GiveUp, Handler, Handlers, Job, Json, RetryLater, Snooze
from functions.messaging import rpc
from functions.messaging.credentials import Vault, instance_of
from functions.messaging.media import linked
from functions.providers.attempt import classified
from functions.providers.base import OutboundMessage, Provider, SendResult
from functions.providers.commands import MarkRead
from functions.providers.identity import parse_jid, phone_variants

# Pause between tries while the database does not answer.
OUTAGE_PAUSE_SECONDS = 0.5

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Sending:
    """What the jobs of sending work with; each method is one."""

    db: Database
    vault: Vault
    http: HttpClient
    providers: Mapping[str, Provider]
    storage: Storage

    async def send(self, job: Job, context: JobContext) -> Json:
        """Calls the provider once for a message, its attempt written before and after."""
        service = self.db.as_service()
        message_id = job.data["message_id"]
        order = await until_answered(lambda: rpc.begin_send(service, message_id, job.id, job.claim))
        if order["action"] == "done":
            return {"status": order["status"]}
        if order["action"] == "wait":
            raise Snooze(order["seconds"])
        message = await linked(self.storage, OutboundMessage(**order["message"]), job.company_id)
        if isinstance(message, SendResult):
            result = message
        else:
            result = await self._call(order["instance"], message)
        recorded = await until_answered(
            lambda: rpc.record_send_result(
                service, message_id, order["attempt"], result, last=context.is_last_attempt
            )
        )
        if result.outcome == "paused":
            raise Snooze(recorded["wait_seconds"])
        if result.outcome == "retryable":
            _retry(result, recorded["status"])
        return {"outcome": result.outcome}

    async def _call(self, number: Mapping[str, Any], message: OutboundMessage) -> SendResult:
        try:
            instance = instance_of(self.vault, number)
        except NotConfigured as error:
            return classified("configuration", code=error.code, error=error.detail)
        provider = self.providers[instance.provider]
        result = await provider.send(self.http.get(), instance, message)
        if _may_have_another_form(result):
            # Nothing was sent, that is proven: the same attempt may try the phone's other form.
            for other in _other_numbers(message.to):
                result = await provider.send(self.http.get(), instance, replace(message, to=other))
                if not _may_have_another_form(result):
                    return result
        return result

    async def react(self, job: Job, context: JobContext) -> None:
        """Pauses, probes and suppresses as the report of a failed message says."""
        await rpc.react_to_report(self.db.as_service(), job.data["message_id"])

    async def mark_read(self, job: Job, context: JobContext) -> None:
        """Shows the contact that what was unread has been read."""
        of = (job.data["conversation_id"], job.data["count"])
        read = await rpc.get_read_messages(self.db.as_service(), *of)
        if read is None or not read["message_ids"]:
            return
        instance = instance_of(self.vault, read["instance"])
        command = MarkRead(read["chat"], read["message_ids"])
        answer = await self.providers[instance.provider].perform(self.http.get(), instance, command)
        if answer.failure and answer.failure.outcome != "permanent":
            raise RetryLater(answer.failure.code or "not marked")

    async def release(self, job: Job, context: JobContext) -> Json:
        """Wakes them a page at a time."""
        company_id, released = job.data["company_id"], 0
        while count := await rpc.release_waiting(self.db.as_service(), company_id, job.id):
            released += count
        return {"released": released}


def handlers(
    db: Database,
    vault: Vault,
    http: HttpClient,
    providers: Mapping[str, Provider],
    storage: Storage,
) -> Handlers:
    """messages.send, messages.react, messages.mark_read and messages.release."""
    sending = Sending(db, vault, http, providers, storage)
    return {
        "messages.mark_read": Handler(sending.mark_read),
        "messages.send": Handler(sending.send, timeout_seconds=45.0, concurrency=16),
        "messages.react": Handler(sending.react),
        "messages.release": Handler(sending.release),
    }


def _retry(result: SendResult, status: str) -> None:
    """Raises what tells the queue when, or that it is over."""
    reason = result.code or "not sent"
    if status == "failed":
        raise GiveUp(reason)
    raise RetryLater(reason, result.retry_after_seconds)


async def until_answered(call: Callable[[], Awaitable[T]]) -> T:
    """The answer of a call that is safe to repeat, also after an outage of the database.

    Only this worker knows that it has not called the provider yet, or what the provider said: the
    next one would have to take the message for possibly sent. The job's timeout is the limit.
    """
    while True:
        try:
            return await call()
        except Unavailable:
            await asyncio.sleep(OUTAGE_PAUSE_SECONDS)


def _may_have_another_form(result: SendResult) -> bool:
    return result.reaction is not None and result.reaction.action == "try_other_number"


def _other_numbers(to: str) -> list[str]:
    jid = parse_jid(to)
    if jid is not None and not jid.is_phone:
        return []
    return phone_variants(to)[1:]
