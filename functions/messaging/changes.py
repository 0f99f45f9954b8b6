"""Reactions, edits and revokes whose message is not known. SQL: *_messaging_changes.sql."""

from typing import Any

from functions.core.db import Rpc

Json = dict[str, Any]


async def list_waiting(
    rpc: Rpc,
    instance_id: str,
    company_id: str | None = None,
    limit: int = 50,
    cursor: str | None = None,
) -> Json:
    """A change_routes.WaitingChanges of a number, by the id of the message. Raises NotFound
    instance_not_found; InvalidRequest invalid_cursor."""
    page: Json = await rpc.call(
        "list_waiting_changes",
        {
            "p_instance_id": instance_id,
            "p_company_id": company_id,
            "p_limit": limit,
            "p_cursor": cursor,
        },
    )
    return page
