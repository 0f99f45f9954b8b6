"""What of sending could be tried on another company: functions and routes."""

from typing import Any
from uuid import uuid4

from tests.core.conftest import Rivals

Json = dict[str, Any]


def functions_of_sending(rivals: Rivals) -> dict[str, list[Json]]:
    """The functions that send, say how numbers send, and what became of a message."""
    company, conversation = rivals.ids["company_id"], rivals.ids["conversation_id"]
    said = {"p_id": str(uuid4()), "p_body": "oi"}
    number = {"p_instance_id": rivals.ids["instance_id"]}
    to_phone = said | number | {"p_to": "+5511900000000"}
    decision = {"p_message_id": rivals.ids["message_id"], "p_decision": "not_sent"}
    companies: list[Json] = [{}, {"p_company_id": company}, {"p_company_id": rivals.mine.id}]
    return {
        "send_message": [
            *(said | {"p_conversation_id": conversation} | one for one in companies),
            *(to_phone | one for one in companies[:2]),
            said | {"p_id": rivals.ids["message_id"], "p_conversation_id": conversation},
        ],
        "get_sending_rules": [{"p_company_id": company}],
        "set_sending_rules": [{"p_rules": {"quiet_days": [7]}, "p_company_id": company}],
        "set_number_pace": [number | {"p_pace": {"daily_cap": 0}} | one for one in companies],
        "resume_sending": [number | one for one in companies],
        "resolve_message": [decision | one for one in companies],
        "list_undecided": [{"p_company_id": company}],
    }


def routes_of_sending(rivals: Rivals) -> dict[str, list[tuple[str, str, Json]]]:
    """Their routes: method, path, what goes with it."""
    ids = rivals.ids
    said = {"id": str(uuid4()), "body": "oi"}
    to_phone = said | {"instance_id": ids["instance_id"], "to": "+5511900000000"}
    to_conversation = said | {"conversation_id": ids["conversation_id"]}
    theirs, mine = {"company_id": ids["company_id"]}, {"company_id": rivals.mine.id}
    number, message = f"/api/numbers/{ids['instance_id']}", f"/api/messages/{ids['message_id']}"
    messages: list[Json] = [
        to | one for to in (to_phone, to_conversation) for one in ({}, theirs, mine)
    ]
    messages.append(to_conversation | {"id": ids["message_id"]})
    changes: list[Json] = [{}, theirs]
    return {
        "send_message": [("POST", "/api/messages", {"json": one}) for one in messages],
        "resolve_message": [
            ("POST", f"{message}/resolution", {"json": {"decision": "sent"} | one})
            for one in changes
        ],
        "list_undecided": [("GET", "/api/messages/undecided", {"params": theirs})],
        "get_sending_rules": [("GET", "/api/sending-rules", {"params": theirs})],
        "set_sending_rules": [("PATCH", "/api/sending-rules", {"json": theirs})],
        "set_number_pace": [
            ("PATCH", f"{number}/pace", {"json": {"daily_cap": 0} | one}) for one in changes
        ],
        "resume_sending": [("POST", f"{number}/resumption", {"json": one}) for one in changes],
    }
