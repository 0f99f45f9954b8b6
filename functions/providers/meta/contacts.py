"""The names that Meta gives a contact: wa_id, business-scoped ids, username."""

from typing import Any

from functions.providers.events import Identity, Json
from functions.providers.fields import records, text
from functions.providers.identity import (
    address_text,
    is_bsuid,
    phone_variants,
    wa_id_identities,
)


def contact_identities(
    wa_id: Any, user_id: Any, parent_user_id: Any, username: Any = None
) -> list[Identity]:
    """Phone first. `wa_id` may hold a business-scoped id where a phone is expected."""
    digits, bsuid = address_text(wa_id), address_text(user_id)
    parent = address_text(parent_user_id)
    if digits and is_bsuid(digits):
        digits, bsuid = None, bsuid or digits
    found = wa_id_identities(digits)
    if bsuid:
        found.append(Identity("bsuid", bsuid))
    if parent:
        found.append(Identity("parent_bsuid", parent))
    if name := address_text(username):
        found.append(Identity("username", name.lstrip("@")))
    return found


def contact_of(raw: Json, wa_id: str | None, user_id: str | None) -> Json:
    """The entry of `contacts` for these ids; empty when it names somebody else."""
    for contact in records(raw.get("contacts")):
        digits, bsuid = text(contact.get("wa_id")), text(contact.get("user_id"))
        if user_id and bsuid:
            if user_id == bsuid:
                return contact
        elif wa_id is None or digits is None or digits in phone_variants(wa_id):
            return contact
    return {}
