"""Items that providers posted, as people look at them, and reading them again.

SQL: supabase/migrations/*_messaging_replay.sql.
"""

from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Literal

from functions.core.db import Rpc

Json = dict[str, Any]
ItemState = Literal["received", "processed", "ignored", "failed"]


@dataclass(frozen=True, slots=True)
class ItemFilter:
    """Which items; None means any. `outcome` is one word of theirs, e.g. unknown, message."""

    company_id: str | None = None
    provider: str | None = None
    endpoint_id: str | None = None
    kind: str | None = None
    state: ItemState | None = None
    outcome: str | None = None
    after: datetime | None = None
    before: datetime | None = None

    def parameters(self) -> Json:
        return {f"p_{name}": value for name, value in asdict(self).items()}


class Items:
    """Reads in the role of `rpc`: an admin sees the items of their company, the service all."""

    def __init__(self, rpc: Rpc) -> None:
        self._rpc = rpc

    async def list(self, which: ItemFilter, limit: int = 50, cursor: str | None = None) -> Json:
        """{data, next_cursor}: newest first, without bodies. A page may be short, even empty; the
        last one has no next_cursor. Raises InvalidRequest invalid_filter, invalid_cursor; as a
        user also Forbidden role_required."""
        paged = {"p_limit": limit, "p_cursor": cursor}
        page: Json = await self._rpc.call("list_inbound_events", which.parameters() | paged)
        return page

    async def find(self, id: int) -> Json:
        """An item with its body as `raw`, null once dropped. Raises NotFound."""
        found: Json = await self._rpc.call("find_inbound_event", {"p_id": id})
        return found

    async def reprocess(
        self, which: ItemFilter, limit: int = 1000, cursor: str | None = None
    ) -> Json:
        """{reprocessed, next_cursor}: enqueues the reading of up to `limit` items anew, oldest
        first. Repeated with next_cursor until that is null, it has looked at all. Safe to repeat.
        Raises as `list`."""
        paged = {"p_limit": limit, "p_cursor": cursor}
        answer: Json = await self._rpc.call("reprocess_inbound", which.parameters() | paged)
        return answer

    async def expire_bodies(self, limit: int = 1000) -> int:
        """Drops up to `limit` bodies past their time; how many. The service alone."""
        dropped: int = await self._rpc.call("expire_inbound_bodies", {"p_limit": limit})
        return dropped

    async def set_retention(self, days: int | None, company_id: str | None = None) -> Json:
        """For how many days bodies are kept: of a company, or of all that have no setting of their
        own. Without days a company has none any more. The service alone. Raises InvalidRequest
        invalid_retention."""
        answer: Json = await self._rpc.call(
            "set_inbound_retention", {"p_days": days, "p_company_id": company_id}
        )
        return answer
