"""Conversations: the inbox, one of them, and what people do with it.

SQL: supabase/migrations/*_messaging_inbox.sql and *_messaging_handling.sql.
"""

from typing import Any

from functions.core.db import Answer, Rpc


class Conversations:
    """Conversations in the role of `rpc`; `company_id` is needed by the service alone. Reads may
    be repeated, and changes too: the same one twice is one."""

    def __init__(self, rpc: Rpc) -> None:
        self._rpc = rpc

    async def list_conversations(self, company_id: str | None, **which: Any) -> Answer:
        """A page of the inbox; body null when `if_none_match` is current. Raises InvalidRequest
        invalid_filter, invalid_page, invalid_cursor, unknown_field; NotFound company_not_found."""
        return await self._rpc.raw(
            "list_conversations",
            {"p_company_id": company_id} | {f"p_{name}": value for name, value in which.items()},
        )

    async def get_conversation(self, id: str, company_id: str | None = None) -> Answer:
        """One of them with its contact and events. Raises NotFound conversation_not_found."""
        return await self._rpc.raw("get_conversation", {"p_id": id, "p_company_id": company_id})

    async def update_conversation(
        self,
        id: str,
        changes: dict[str, Any],
        company_id: str | None = None,
        if_match: str | None = None,
    ) -> Answer:
        """The conversation after `changes`. Raises NotFound conversation_not_found, Forbidden
        role_required, InvalidRequest invalid_change, invalid_assignee; Outdated version_changed."""
        return await self._rpc.raw(
            "update_conversation",
            {
                "p_id": id,
                "p_changes": changes,
                "p_company_id": company_id,
                "p_if_match": if_match,
            },
        )
