"""Conversations and search, tried with the ids of another company."""

from typing import Any

from tests.core.conftest import Rivals

Json = dict[str, Any]


def functions_of_conversations(rivals: Rivals) -> dict[str, list[Json]]:
    company = {"p_company_id": rivals.ids["company_id"]}
    one = {"p_id": rivals.ids["conversation_id"]}
    in_each = [one, one | company, one | {"p_company_id": rivals.mine.id}]
    return {
        "get_conversation": in_each,
        "list_conversations": [company, company | {"p_assignee": "none", "p_sort": "waiting"}],
        "search_contacts": [company | {"p_query": "ana"}],
        "search_messages": [company | {"p_query": "confidencial"}],
        "update_conversation": [row | {"p_changes": {"status": "closed"}} for row in in_each],
    }


def routes_of_conversations(rivals: Rivals) -> dict[str, list[tuple[str, str, Json]]]:
    in_company = {"company_id": rivals.ids["company_id"]}
    one = f"/api/conversations/{rivals.ids['conversation_id']}"
    return {
        "list_conversations": [("GET", "/api/conversations", {"params": in_company})],
        "get_conversation": [("GET", one, {})],
        "update_conversation": [("PATCH", one, {"json": {"status": "closed", "read": True}})],
        "pause_bot": [("POST", f"{one}/bot/pause", {})],
        "resume_bot": [("POST", f"{one}/bot/resume", {})],
        "search": [
            ("GET", "/api/search", {"params": in_company | {"q": "confidencial"}}),
            ("GET", "/api/search", {"params": in_company | {"q": "ana", "kind": "contacts"}}),
        ],
    }
