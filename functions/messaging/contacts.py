"""Contacts as people look at them, make two of them one, take out their data and erase them.

SQL: supabase/migrations/*_messaging_identity.sql and *_messaging_erasure.sql.
"""

from collections.abc import Sequence

from functions.core.db import Rpc
from functions.messaging.contacts_models import Json


class Contacts:
    """Contacts in the role of `rpc`: a user sees those of their companies, the service all. All
    of it may be repeated; `company_id` is needed by the service alone, and by users of several."""

    def __init__(self, rpc: Rpc) -> None:
        self._rpc = rpc

    async def list_contacts(
        self,
        company_id: str | None,
        phone: str | None = None,
        limit: int = 50,
        cursor: str | None = None,
    ) -> Json:
        """A ContactPage, newest first; with `phone` the one who has it. Raises InvalidRequest
        company_required, invalid_cursor."""
        page: Json = await self._rpc.call(
            "list_contacts",
            {"p_company_id": company_id, "p_phone": phone, "p_limit": limit, "p_cursor": cursor},
        )
        return page

    async def list_conflicts(
        self, company_id: str | None, limit: int = 50, cursor: str | None = None
    ) -> Json:
        """A ConflictPage, newest first: pairs that may be one person. Raises as list_contacts."""
        page: Json = await self._rpc.call(
            "list_contact_conflicts",
            {"p_company_id": company_id, "p_limit": limit, "p_cursor": cursor},
        )
        return page

    async def explain(self, id: str, company_id: str | None = None) -> Json:
        """A ContactExplanation; of a merged contact `merged_into` tells which one to look at.
        Raises NotFound contact_not_found."""
        found: Json = await self._rpc.call(
            "explain_contact", {"p_id": id, "p_company_id": company_id}
        )
        return found

    async def merge(self, kept_id: str, other_id: str, company_id: str | None = None) -> Json:
        """The kept contact, explained, with all that the other one had. Raises NotFound
        contact_not_found; Forbidden role_required; InvalidRequest same_contact; Conflict
        contact_merged, contact_erased."""
        kept: Json = await self._rpc.call(
            "merge_contacts",
            {"p_kept_id": kept_id, "p_other_id": other_id, "p_company_id": company_id},
        )
        return kept

    async def export(
        self,
        id: str,
        company_id: str | None = None,
        limit: int = 200,
        cursor: str | None = None,
    ) -> Json:
        """An ExportPage; the first one is written down as an export. Raises NotFound
        contact_not_found; Forbidden role_required; InvalidRequest invalid_cursor."""
        page: Json = await self._rpc.call(
            "export_contact",
            {"p_id": id, "p_company_id": company_id, "p_limit": limit, "p_cursor": cursor},
        )
        return page

    async def erase(self, id: str, company_id: str | None = None) -> Json:
        """{id, erased_at}: the contact is anonymous, and a job does the rest. Raises NotFound
        contact_not_found; Forbidden role_required; Conflict contact_merged."""
        erased: Json = await self._rpc.call(
            "erase_contact", {"p_id": id, "p_company_id": company_id}
        )
        return erased

    async def continue_erasure(self, id: str, removed: Sequence[str]) -> Json:
        """Does the next part of an erasure: {done, objects, wait?}. The objects are to be removed,
        and named as `removed` in the next call; an erasure is not done before that."""
        answer: Json = await self._rpc.call(
            "continue_erasure", {"p_contact_id": id, "p_removed": removed}
        )
        return answer
