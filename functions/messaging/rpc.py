"""Messaging's SQL functions. SQL: supabase/migrations/*_messaging_*.sql."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any
from uuid import UUID

from functions.core.db import Answer, Rpc
from functions.messaging.outgoing import NewMessage
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
            "p_error_class": result.error_class,
            "p_reaction": result.reaction and asdict(result.reaction),
            "p_identities": [asdict(identity) for identity in result.identities],
        },
    )
    return recorded


async def react_to_report(rpc: Rpc, message_id: str) -> None:
    """Does what follows from the report that a message failed, once. Safe to repeat."""
    await rpc.call("react_to_report", {"p_message_id": message_id})


async def release_waiting(rpc: Rpc, company_id: str, job_id: int) -> int:
    """Has messages that slept when this job was claimed look again, a page of them; how many."""
    params = {"p_company_id": company_id, "p_job_id": job_id}
    count: int = await rpc.call("release_waiting", params)
    return count


async def get_read_messages(rpc: Rpc, conversation_id: str, count: int) -> Json | None:
    """{instance, chat, message_ids} of what the contact shall see as read."""
    read: Json | None = await rpc.call(
        "get_read_messages", {"p_conversation_id": conversation_id, "p_count": count}
    )
    return read


async def begin_reconcile(rpc: Rpc, message_id: str) -> Json | None:
    """{instance, message, since, others} of an unknown message; None when it is known by now."""
    order: Json | None = await rpc.call("begin_reconcile", {"p_message_id": message_id})
    return order


async def record_reconciled(rpc: Rpc, message_id: str, found: SendResult) -> bool:
    """An unknown message was sent under this id; False when that is another message's."""
    done: bool = await rpc.call(
        "record_reconciled",
        {
            "p_message_id": message_id,
            "p_provider_message_id": found.provider_message_id,
            "p_identities": [asdict(identity) for identity in found.identities],
        },
    )
    return done


async def ask_for_decision(rpc: Rpc, message_id: str) -> None:
    """Nobody could find out whether it was sent: a person has to say. Safe to repeat."""
    await rpc.call("ask_for_decision", {"p_message_id": message_id})


async def get_sending_rules(rpc: Rpc, company_id: str | None) -> Answer:
    """When a company writes to nobody who did not write first."""
    return await rpc.raw("get_sending_rules", {"p_company_id": company_id})


async def set_sending_rules(rpc: Rpc, rules: Json, company_id: str | None) -> Answer:
    """Changes some of them; answers all. Raises role_required."""
    return await rpc.raw("set_sending_rules", {"p_rules": rules, "p_company_id": company_id})


async def set_number_pace(
    rpc: Rpc, instance_id: UUID, pace: Json, company_id: str | None
) -> Answer:
    """Changes some of the pace of a number; answers all. Raises instance_not_found."""
    return await rpc.raw(
        "set_number_pace",
        {"p_instance_id": instance_id, "p_pace": pace, "p_company_id": company_id},
    )


async def watch_numbers(rpc: Rpc) -> Json:
    """Has suspect numbers probed, and speeds up those that were slowed; {suspects, restored}."""
    done: Json = await rpc.call("watch_numbers", {})
    return done


async def begin_probe(rpc: Rpc, instance_id: str) -> Json | None:
    """{instance, number} to ask; None for a number that does not claim to be connected."""
    order: Json | None = await rpc.call("begin_probe", {"p_instance_id": instance_id})
    return order


async def record_probe(rpc: Rpc, instance_id: str, is_alive: bool, reason: str | None) -> Json:
    """A dead number rests; {state, wait_seconds?}: until it is to be probed again."""
    recorded: Json = await rpc.call(
        "record_probe",
        {"p_instance_id": instance_id, "p_is_alive": is_alive, "p_reason": reason},
    )
    return recorded


async def list_undecided(
    rpc: Rpc, company_id: str | None, limit: int, cursor: str | None
) -> Answer:
    """A page of messages that need a person's word."""
    return await rpc.raw(
        "list_undecided", {"p_company_id": company_id, "p_limit": limit, "p_cursor": cursor}
    )


async def resolve_message(
    rpc: Rpc, message_id: UUID, decision: str, company_id: str | None
) -> Answer:
    """The message after a person's word. Raises message_not_found, decision_not_needed."""
    return await rpc.raw(
        "resolve_message",
        {"p_message_id": message_id, "p_decision": decision, "p_company_id": company_id},
    )


async def resume_sending(rpc: Rpc, instance_id: UUID, company_id: str | None) -> Json:
    """Ends the pauses of a number; {id}. Raises instance_not_found, role_required."""
    resumed: Json = await rpc.call(
        "resume_sending", {"p_instance_id": instance_id, "p_company_id": company_id}
    )
    return resumed


async def send_message(rpc: Rpc, message: NewMessage, company_id: str | None) -> Answer:
    """Queues the message, once per id. Raises invalid_phone and what the SQL function raises."""
    return await rpc.raw(
        "send_message",
        {
            "p_id": message.id,
            "p_type": message.type,
            "p_body": message.body,
            "p_conversation_id": message.conversation_id,
            "p_instance_id": message.instance_id,
            "p_to": message.phone,
            "p_company_id": company_id,
            "p_media": message.media and message.media.model_dump(exclude_none=True),
            "p_payload": message.payload,
            "p_reply_to": message.reply_to,
            "p_target": message.target,
            "p_purpose": message.purpose,
        },
    )


async def list_messages(rpc: Rpc, params: Json) -> Answer:
    """A page of a conversation; body null when the caller's ETag is current."""
    return await rpc.raw("list_messages", params)
