"""What came in, tried on another company."""

from typing import Any

from tests.core.conftest import Rivals

Json = dict[str, Any]


def functions_of_inbound(rivals: Rivals) -> dict[str, list[Json]]:
    """The functions that users may call."""
    company = rivals.ids["company_id"]
    return {
        "find_inbound_event": [{"p_id": id} for id in rivals.ids["event_ids"]],
        "list_inbound_events": [{"p_company_id": company}],
        "reprocess_inbound": [{"p_company_id": company, "p_state": "processed"}],
    }


def routes_of_inbound(rivals: Rivals) -> dict[str, list[tuple[str, str, Json]]]:
    """Method, path, what goes with it."""
    in_company = {"company_id": rivals.ids["company_id"]}
    again = {"json": in_company | {"state": "processed"}}
    return {
        "list_inbound_events": [("GET", "/api/inbound", {"params": in_company})],
        "find_inbound_event": [("GET", f"/api/inbound/{id}", {}) for id in rivals.ids["event_ids"]],
        "reprocess_inbound": [("POST", "/api/inbound/reprocess", again)],
    }
