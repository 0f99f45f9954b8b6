"""POST /api/messages: what cannot be sent is refused before anything is stored, with the reason."""

import json
from typing import Any
from uuid import uuid4

import httpx
import pytest

from tests.messaging.conftest import Company

Json = dict[str, Any]

ANYWHERE = str(uuid4())
COMPLETE = {"id": ANYWHERE, "conversation_id": ANYWHERE, "body": "oi"}

INVALID: dict[str, tuple[Json, str]] = {
    "no id": ({"id": None}, "id"),
    "an id that is none": ({"id": "1"}, "id"),
    "no receiver": ({"conversation_id": None}, "give conversation_id, or instance_id and to"),
    "half a receiver": (
        {"conversation_id": None, "to": "+5511987654321"},
        "give conversation_id, or instance_id and to",
    ),
    "two receivers": (
        {"instance_id": ANYWHERE, "to": "+5511987654321"},
        "give conversation_id, or instance_id and to",
    ),
    "a conversation and a phone": (
        {"to": "+5511987654321"},
        "give conversation_id, or instance_id and to",
    ),
    "a text without a body": ({"body": None}, "a text needs a body"),
    "an empty text": ({"body": ""}, "a text needs a body"),
    "a text too long": ({"body": "x" * 16_001}, "body"),
    "an image without media": ({"type": "image"}, "type image needs media"),
    "a document without media": ({"type": "document"}, "type document needs media"),
    "a template without one": ({"type": "template"}, "type template needs template"),
    "a reaction to nothing": ({"type": "reaction"}, "a reaction needs a target"),
    "an unknown type": ({"type": "carrier_pigeon"}, "type"),
    "an address that is none": ({"media": {"url": "file:///etc/passwd"}}, "media.url"),
    "an unknown field": ({"recipient": "x"}, "recipient"),
    "an unknown field of media": ({"media": {"url": "https://x.y", "size": 1}}, "media.size"),
    "an empty template name": ({"template": {"name": "", "language": "pt"}}, "template.name"),
    "a number for a text": ({"body": 5}, "body"),
    "half an emoji": ({"body": "\ud83d"}, "body"),
}


async def post(shop: Company, raw: str | bytes) -> httpx.Response:
    headers = {
        "authorization": f"Bearer {shop.tenant.people['agent'].token}",
        "content-type": "application/json",
    }
    return await shop.api.http.post("/api/messages", content=raw, headers=headers)


@pytest.mark.parametrize("what", INVALID)
async def test_an_incomplete_message_is_refused(what: str, shop: Company) -> None:
    change, reason = INVALID[what]
    # json, because httpx refuses to write half an emoji.
    answer = await post(shop, json.dumps(COMPLETE | change))
    problem = answer.json()
    assert (answer.status_code, problem["code"]) == (422, "invalid_request"), answer.text
    assert reason in problem["detail"]


@pytest.mark.parametrize("to", ["123", "não", "+", "+551198765432112345", "1" * 32, "+0011", ""])
async def test_a_phone_that_is_none_is_refused(to: str, shop: Company) -> None:
    message = {"id": ANYWHERE, "instance_id": shop.tenant.meta.instance_id, "to": to, "body": "oi"}
    answer = await shop.api.send(shop.tenant.people["agent"], message)
    assert answer.status_code == 422, answer.text
    assert answer.json()["code"] == "invalid_phone"


@pytest.mark.parametrize(
    "value",
    ["\ud83d", 10**30, {"a": "\udc00"}, float("nan"), "a\x00b"],
    ids=["half an emoji", "a huge number", "inside", "not a number", "NUL"],
)
async def test_values_that_no_database_keeps_are_refused_or_kept(value: Any, shop: Company) -> None:
    """Never an error of ours; a NaN is JSON for nobody and becomes null."""
    message = COMPLETE | {
        "type": "template",
        "template": {"name": "x", "language": "pt", "components": [{"type": "body", "x": value}]},
    }
    answer = await post(shop, json.dumps(message))
    assert answer.status_code in (404, 422), answer.text
    assert answer.json()["code"] in ("invalid_request", "invalid_value", "conversation_not_found")


async def test_a_null_character_is_refused(shop: Company) -> None:
    conversation = await shop.conversation(shop.tenant.meta, "5511987654321")
    message = {"id": str(uuid4()), "conversation_id": conversation, "body": "a\x00b"}
    answer = await shop.api.send(shop.tenant.people["agent"], message)
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_value"), answer.text


async def test_a_body_that_is_no_json_is_refused(shop: Company) -> None:
    for raw in (b"{", b"", b"\xff", b"[" * 100_000, b'{"id": '):
        answer = await post(shop, raw)
        assert answer.status_code in (400, 422), raw[:10]
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.json()["code"] in ("invalid_body", "invalid_request")


async def test_what_is_not_there_is_not_found(shop: Company) -> None:
    agent = shop.tenant.people["agent"]
    answer = await shop.api.send(agent, COMPLETE)
    assert (answer.status_code, answer.json()["code"]) == (404, "conversation_not_found")
    message = {"id": ANYWHERE, "instance_id": ANYWHERE, "to": "+5511987654321", "body": "oi"}
    answer = await shop.api.send(agent, message)
    assert (answer.status_code, answer.json()["code"]) == (404, "instance_not_found")
    answer = await shop.api.send(agent, COMPLETE | {"company_id": ANYWHERE})
    assert (answer.status_code, answer.json()["code"]) == (404, "company_not_found")


async def test_a_viewer_may_not_send(shop: Company) -> None:
    conversation = await shop.conversation(shop.tenant.meta, "5511987654321")
    number = shop.tenant.meta
    for target in (
        {"conversation_id": conversation},
        {"instance_id": number.instance_id, "to": "+5511911112222"},
    ):
        message = {"id": str(uuid4()), "body": "oi"} | target
        answer = await shop.api.send(shop.tenant.people["viewer"], message)
        assert (answer.status_code, answer.json()["code"]) == (403, "role_required")
    assert await shop.rows("messages", direction="eq.out") == []
    assert await shop.rows("contacts", phone="eq.+5511911112222") == []
