"""Suppressions, and the words that make them, as people look after them.

SQL: supabase/migrations/*_messaging_consent.sql.
"""

from functions.core.db import Rpc
from functions.messaging.contacts_models import Json, Scope


class Suppressions:
    """In the role of `rpc`: agents of a company, or the service. All of it may be repeated."""

    def __init__(self, rpc: Rpc) -> None:
        self._rpc = rpc

    async def list_suppressions(
        self,
        company_id: str | None,
        contact_id: str | None = None,
        active: bool = True,
        limit: int = 50,
        cursor: str | None = None,
    ) -> Json:
        """A SuppressionPage, newest first; not `active`: with the lifted ones. Raises
        InvalidRequest company_required, invalid_cursor."""
        page: Json = await self._rpc.call(
            "list_suppressions",
            {
                "p_company_id": company_id,
                "p_contact_id": contact_id,
                "p_active": active,
                "p_limit": limit,
                "p_cursor": cursor,
            },
        )
        return page

    async def add(
        self,
        company_id: str | None,
        contact_id: str | None = None,
        phone: str | None = None,
        scope: Scope = "marketing",
        instance_id: str | None = None,
        campaign_id: str | None = None,
        note: str | None = None,
    ) -> Json:
        """A Suppression of a contact, or of whoever has the phone. Raises Forbidden
        role_required; NotFound contact_not_found, instance_not_found; InvalidRequest
        company_required, invalid_phone, no_identity."""
        added: Json = await self._rpc.call(
            "add_suppression",
            {
                "p_company_id": company_id,
                "p_contact_id": contact_id,
                "p_phone": phone,
                "p_scope": scope,
                "p_instance_id": instance_id,
                "p_campaign_id": campaign_id,
                "p_note": note,
            },
        )
        return added

    async def lift(self, id: str, company_id: str | None = None, note: str | None = None) -> Json:
        """The Suppression, which holds no more. Raises NotFound suppression_not_found,
        company_not_found; Forbidden role_required."""
        lifted: Json = await self._rpc.call(
            "lift_suppression", {"p_id": id, "p_company_id": company_id, "p_note": note}
        )
        return lifted

    async def list_words(self, company_id: str | None) -> Json:
        """A ConsentWords: those of the company. Raises InvalidRequest company_required."""
        words: Json = await self._rpc.call("list_consent_words", {"p_company_id": company_id})
        return words

    async def set_word(self, company_id: str | None, word: str, effect: str | None) -> Json:
        """A KeptConsentWord; for admins. Raises Forbidden role_required; InvalidRequest
        company_required, invalid_word, invalid_effect."""
        kept: Json = await self._rpc.call(
            "set_consent_word", {"p_word": word, "p_effect": effect, "p_company_id": company_id}
        )
        return kept
