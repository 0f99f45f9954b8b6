"""Messaging's SQL functions. SQL: supabase/migrations/*_messaging_*.sql."""

from collections.abc import Sequence
from typing import Any

from functions.core.db import Answer, Rpc
from functions.messaging.models import NewMessage
from functions.providers.base import Item, SendResult

Json = dict[str, Any]


async def find_inbound_endpoint(rpc: Rpc, provider: str, token_hash: str) -> Json | None:
    """{id, secrets, route} of a live webhook URL, or None."""
    found: Json | None = await rpc.call(
        "find_inbound_endpoint", {"p_provider": provider, "p_token_hash": token_hash}
    )
    return found


async def receive_inbound(rpc: Rpc, endpoint_id: str, items: Sequence[Item]) -> Json:
    """Stores items, each once, and enqueues their ingestion. Safe to repeat."""
    answer: Json = await rpc.call(
        "receive_inbound", {"p_endpoint_id": endpoint_id, "p_items": items}
    )
    return answer


async def get_inbound_events(rpc: Rpc, ids: Sequence[int]) -> list[Json]:
    """[{id, provider, kind, state, raw}]; fewer when a company was removed meanwhile."""
    events: list[Json] = await rpc.call("get_inbound_events", {"p_ids": ids})
    return events


async def ingest_inbound(rpc: Rpc, items: Sequence[Json]) -> dict[int, str]:
    """Applies [{id, events}]; the errors of those that failed, by id. Safe to repeat."""
    failed: dict[str, str] = await rpc.call("ingest_inbound", {"p_items": items})
    return {int(event_id): error for event_id, error in failed.items()}


async def begin_send(rpc: Rpc, message_id: str, job_id: int, claim: int) -> Json:
    """Writes the attempt; {action: send | wait | done, ...}. Safe to repeat within a claim."""
    answer: Json = await rpc.call(
        "begin_send", {"p_message_id": message_id, "p_job_id": job_id, "p_claim": claim}
    )
    return answer


async def record_send_result(
    rpc: Rpc, message_id: str, attempt: int, result: SendResult, *, last: bool
) -> Json:
    """Ends the attempt and moves the message; {status, wait_seconds}. Safe to repeat."""
    recorded: Json = await rpc.call(
        "record_send_result",
        {
            "p_message_id": message_id,
            "p_attempt": attempt,
            "p_outcome": result.outcome,
            "p_last": last,
            "p_provider_message_id": result.provider_message_id,
            "p_http_status": result.http_status,
            "p_code": result.code,
            "p_error": result.error,
            "p_retry_after_seconds": result.retry_after_seconds,
            "p_scope": result.scope,
        },
    )
    return recorded


async def send_message(
    rpc: Rpc, message: NewMessage, company_id: str | None, to: str | None
) -> Answer:
    """Queues the message, once per id. Raises the domain errors of the SQL function."""
    return await rpc.raw(
        "send_message",
        {
            "p_id": message.id,
            "p_type": message.type,
            "p_body": message.body,
            "p_conversation_id": message.conversation_id,
            "p_instance_id": message.instance_id,
            "p_to": to,
            "p_company_id": company_id,
            "p_media": message.media and message.media.model_dump(exclude_none=True),
            "p_payload": message.template and {"template": message.template.model_dump()},
            "p_reply_to": message.reply_to,
            "p_target": message.target,
        },
    )


async def list_conversations(rpc: Rpc, params: Json) -> Answer:
    """A page of the inbox; body null when the caller's ETag is current."""
    return await rpc.raw("list_conversations", params)


async def list_messages(rpc: Rpc, params: Json) -> Answer:
    """A page of a conversation; body null when the caller's ETag is current."""
    return await rpc.raw("list_messages", params)
