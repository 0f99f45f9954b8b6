"""The OpenAPI document and the answers agree, and every error is a problem with a code."""

from typing import Any

import pytest
from pydantic import BaseModel

from functions.core.problems import Problem
from functions.messaging.models import (
    Conversation,
    ConversationDetail,
    ConversationEvent,
    ConversationPage,
    FoundContact,
    FoundMessage,
    Message,
    MessagePage,
)
from tests.core.conftest import Rivals
from tests.fixtures import Api

Json = dict[str, Any]
METHODS = {"get", "post", "put", "patch", "delete"}


async def operations(api: Api) -> dict[str, Json]:
    """By "get /path"."""
    document = (await api.http.get("/openapi.json")).json()
    return {
        f"{method} {path}": operation
        for path, item in document["paths"].items()
        for method, operation in item.items()
        if method in METHODS
    }


async def test_every_operation_is_named_and_grouped(api: Api) -> None:
    found = await operations(api)
    names = [operation.get("operationId", "") for operation in found.values()]
    assert all(name.replace("_", "").isalpha() and name == name.lower() for name in names), names
    assert len(set(names)) == len(names)
    assert all(operation.get("tags") for operation in found.values())
    assert all(operation.get("description") for operation in found.values())


async def test_every_operation_tells_its_errors(api: Api) -> None:
    for name, operation in (await operations(api)).items():
        answers = operation["responses"]
        assert "503" in answers, name
        if "/api/" in name and "/health" not in name:
            assert "401" in answers, name
        for status, answer in answers.items():
            if status >= "400":
                ((kind, content),) = answer["content"].items()
                assert kind == "application/problem+json", (name, status)
                assert content["schema"]["required"] == ["code", "title", "status", "detail"]


def assert_shaped(row: Json, model: type[BaseModel]) -> None:
    """All of the model and nothing else."""
    model.model_validate(row)
    assert set(row) == set(model.model_fields)


async def test_answers_have_the_shape_that_is_described(rivals: Rivals) -> None:
    api, agent = rivals.mine.api, rivals.mine.tenant.people["agent"]
    conversations = (await api.get("/api/conversations", agent)).json()
    assert_shaped(conversations, ConversationPage)
    for row in conversations["data"]:
        assert_shaped(row, Conversation)
        page = (await api.get(f"/api/conversations/{row['id']}/messages", agent)).json()
        assert_shaped(page, MessagePage)
        for message in page["data"]:
            assert_shaped(message, Message)
    detail = (await api.get(f"/api/conversations/{row['id']}", agent)).json()
    assert_shaped(detail, ConversationDetail)
    for event in detail["events"]:
        assert_shaped(event, ConversationEvent)
    for kind, q, model in (
        ("messages", "confidencial", FoundMessage),
        ("contacts", "ana", FoundContact),
    ):
        found = (await api.get("/api/search", agent, q=q, kind=kind)).json()
        assert_shaped(found["data"][0], model)
    (sent,) = await rivals.mine.rows("messages", direction="eq.out", order="seq", limit="1")
    message = {"id": sent["id"], "conversation_id": sent["conversation_id"], "body": sent["body"]}
    assert_shaped((await api.send(agent, message)).json(), Message)
    health = (await api.http.get("/api/health")).json()
    assert health["status"] == "ok"


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/", 404, "not_found"),
        ("GET", "/api", 404, "not_found"),
        ("GET", "/api/conversations/", 404, "not_found"),
        ("GET", "/api/nothing", 404, "not_found"),
        ("GET", "/%00", 404, "not_found"),
        ("POST", "/api/conversations", 405, "method_not_allowed"),
        ("DELETE", "/api/messages", 405, "method_not_allowed"),
        ("PUT", "/in/meta/x", 405, "method_not_allowed"),
        ("PATCH", "/api/health", 405, "method_not_allowed"),
        ("GET", "/api/conversations", 401, "unauthorized"),
        ("POST", "/api/messages", 401, "unauthorized"),
    ],
)
async def test_every_refusal_is_a_problem(
    api: Api, method: str, path: str, status: int, code: str
) -> None:
    answer = await api.http.request(method, path)
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    problem = Problem.model_validate(answer.json())
    assert (problem.status, problem.code) == (status, code)
    assert problem.detail
    assert problem.title == code.replace("_", " ")
    if status == 405:
        assert answer.headers["allow"]
    if status == 401:
        assert answer.headers["www-authenticate"] == "Bearer"


@pytest.mark.parametrize(
    ("raw", "status", "code"),
    [
        (b"{", 400, "invalid_body"),
        (b"", 422, "invalid_request"),
        (b"null", 422, "invalid_request"),
        (b"[]", 422, "invalid_request"),
        (b'"x"', 422, "invalid_request"),
        (b"\xff\xfe", 400, "invalid_body"),
        (b"[" * 100_000, 400, "invalid_body"),
        (b'{"id": NaN}', 422, "invalid_request"),
    ],
    ids=lambda value: value[:12] if isinstance(value, bytes) else None,
)
async def test_a_body_that_cannot_be_read_is_a_problem(
    rivals: Rivals, raw: bytes, status: int, code: str
) -> None:
    headers = rivals.bearer("agent") | {"content-type": "application/json"}
    answer = await rivals.mine.api.http.post("/api/messages", content=raw, headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (status, code), answer.text
    assert answer.headers["content-type"] == "application/problem+json"
