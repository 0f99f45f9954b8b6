"""Search: messages by their words, contacts by name or phone.

SQL: supabase/migrations/*_messaging_search.sql.
"""

from typing import Any, Literal

from functions.core.db import Answer, Rpc

Sort = Literal["relevance", "newest"]


class Search:
    """Searches in the role of `rpc`, in one company. May be repeated."""

    def __init__(self, rpc: Rpc) -> None:
        self._rpc = rpc

    async def messages(
        self, query: str, company_id: str | None, sort: Sort, limit: int, cursor: str | None
    ) -> Answer:
        """{data, next_cursor}. Raises InvalidRequest invalid_query, invalid_cursor,
        company_required; NotFound company_not_found."""
        params = _params(query, company_id, limit, cursor) | {"p_sort": sort}
        return await self._rpc.raw("search_messages", params)

    async def contacts(
        self, query: str, company_id: str | None, limit: int, cursor: str | None
    ) -> Answer:
        """{data, next_cursor}. Raises as `messages`."""
        params = _params(query, company_id, limit, cursor)
        return await self._rpc.raw("search_contacts", params)


def _params(query: str, company_id: str | None, limit: int, cursor: str | None) -> dict[str, Any]:
    return {"p_query": query, "p_company_id": company_id, "p_limit": limit, "p_cursor": cursor}
