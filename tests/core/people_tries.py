"""What others must not do to the contacts and suppressions of a company."""

from typing import Any
from uuid import uuid4

from tests.core.conftest import Rivals

Json = dict[str, Any]


def functions_of_people(rivals: Rivals) -> dict[str, list[Json]]:
    """The functions of contacts and suppressions."""
    company, contact = rivals.ids["company_id"], rivals.ids["contact_id"]
    by_id = [{"p_id": contact}, {"p_id": contact, "p_company_id": company}]
    pair = {"p_kept_id": contact, "p_other_id": str(uuid4())}
    suppression = rivals.ids["suppression_id"]
    return {
        "add_suppression": [
            {"p_contact_id": contact},
            {"p_contact_id": contact, "p_company_id": company},
            {"p_phone": "+5511987654321", "p_company_id": company},
            {"p_contact_id": contact, "p_company_id": rivals.mine.id},
        ],
        "erase_contact": by_id,
        "explain_contact": by_id,
        "export_contact": by_id,
        "lift_suppression": [
            {"p_id": suppression},
            {"p_id": suppression, "p_company_id": company},
            {"p_id": suppression, "p_company_id": rivals.mine.id},
        ],
        "list_contact_conflicts": [{"p_company_id": company}],
        "list_consent_words": [{"p_company_id": company}],
        "list_contacts": [{"p_company_id": company}],
        "list_suppressions": [{"p_company_id": company}],
        "list_waiting_changes": [{"p_instance_id": rivals.ids["instance_id"]}],
        "merge_contacts": [pair, pair | {"p_company_id": company}],
        "set_consent_word": [{"p_word": "x", "p_effect": "stop", "p_company_id": company}],
    }


def routes_of_people(rivals: Rivals) -> dict[str, list[tuple[str, str, Json]]]:
    """The operations of contacts and suppressions."""
    in_company = {"company_id": rivals.ids["company_id"]}
    contact = rivals.ids["contact_id"]
    path = f"/api/contacts/{contact}"
    pair = {"kept_id": contact, "other_id": str(uuid4())}
    suppression = f"/api/suppressions/{rivals.ids['suppression_id']}/lift"
    return {
        "list_contacts": [("GET", "/api/contacts", {"params": in_company})],
        "list_contact_conflicts": [("GET", "/api/contacts/conflicts", {"params": in_company})],
        "explain_contact": [("GET", path, {})],
        "merge_contacts": [
            ("POST", "/api/contacts/merge", {"json": pair}),
            ("POST", "/api/contacts/merge", {"json": pair | in_company}),
        ],
        "export_contact": [("GET", f"{path}/export", {})],
        "erase_contact": [("DELETE", path, {})],
        "list_suppressions": [("GET", "/api/suppressions", {"params": in_company})],
        "add_suppression": [
            ("POST", "/api/suppressions", {"json": {"phone": "+5511987654321"} | in_company}),
            ("POST", "/api/suppressions", {"json": {"contact_id": contact}}),
        ],
        "lift_suppression": [("POST", suppression, {})],
        "list_consent_words": [("GET", "/api/consent-words", {"params": in_company})],
        "set_consent_word": [
            ("PUT", "/api/consent-words", {"json": {"word": "x", "effect": "stop"} | in_company})
        ],
        "list_waiting_changes": [
            ("GET", "/api/changes/waiting", {"params": {"instance_id": rivals.ids["instance_id"]}})
        ],
    }
