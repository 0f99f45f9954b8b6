"""What people answer with: buttons, list rows, forms, reactions and votes."""

from typing import Any

from functions.providers.content import Content
from functions.providers.events import Json
from functions.providers.evolution.content import context_of
from functions.providers.fields import (
    at,
    compact,
    decoded_json,
    first_text,
    record,
    records,
    text,
    without_none,
)


def read_button(value: Any, message: Json) -> Content:
    own = record(value)
    title = first_text(own.get("selectedDisplayText"), at(own, "selectedDisplayText", "text"))
    identity = first_text(own.get("selectedButtonId"), own.get("selectedId"))
    payload = without_none(kind="button_reply", id=identity, title=title)
    return Content("button", title or identity, payload=payload, context=context_of(own))


def read_list_reply(value: Any, message: Json) -> Content:
    own = record(value)
    title, row = text(own.get("title")), text(at(own, "singleSelectReply", "selectedRowId"))
    payload = without_none(
        kind="list_reply", id=row, title=title, description=text(own.get("description"))
    )
    return Content("interactive", title or row, payload=payload, context=context_of(own))


def read_flow_reply(value: Any, message: Json) -> Content:
    own = record(value)
    flow = record(own.get("nativeFlowResponseMessage"))
    response = decoded_json(flow.get("paramsJson"))
    body = text(at(own, "body", "text"))
    payload = without_none(
        kind="nfm_reply",
        id=first_text(at(response, "id"), at(response, "flow_token")),
        name=text(flow.get("name")),
        response=compact(response),
    )
    return Content("interactive", body, payload=payload, context=context_of(own))


def read_reaction(value: Any, message: Json) -> Content:
    own = record(value)
    encrypted = "encReactionMessage" in message
    payload = {"encrypted": True} if encrypted else {}
    if text(own.get("text")) is None and not encrypted:
        payload["removed"] = True
    target = text(at(own, "key", "id")) or text(at(own, "targetMessageKey", "id"))
    return Content("reaction", text(own.get("text")), payload=payload, target=target)


def read_vote(value: Any, message: Json) -> Content:
    """Servers that know the poll write the names of its options; others leave it encrypted."""
    target = text(at(value, "pollCreationMessageKey", "id"))
    if target is None:
        return Content("unsupported", payload={"content": "pollUpdateMessage"})
    names = at(value, "vote", "selectedOptions")
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        chosen = [option for option in records(message.get("pollUpdates")) if option.get("voters")]
        names = [name for option in chosen if (name := text(option.get("name")))] or None
    payload = {"encrypted": True} if names is None else {"options": compact(names)}
    return Content("vote", payload=payload, target=target)
