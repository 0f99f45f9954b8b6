"""What another provider takes is its module and its line in functions/app.py: nothing else asks
which providers there are."""

import hashlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from uuid import uuid4

import httpx
import orjson
import pytest
from fastapi import FastAPI

from functions import app as composition
from functions.core.settings import Settings
from functions.messaging.credentials import place_of_address, place_of_number
from tests.fixtures import Api, serving, until
from tests.messaging.conftest import Company
from tests.providers.third import THIRD
from tests.tenants import VAULT

Json = dict[str, Any]

SENDER = "5511987654321"


def server(sent: list[Json]) -> FastAPI:
    app = FastAPI()

    @app.post("/send")
    async def send(message: dict[str, Any]) -> Json:
        sent.append(message)
        return {"id": f"T{len(sent)}"}

    @app.post("/read")
    async def read(said: dict[str, Any]) -> Json:
        return {}

    return app


async def registered(company: Company, url: str) -> str:
    """The webhook address of a number of the third provider at this server."""
    token, id = uuid4().hex, str(uuid4())
    token_hash = hashlib.sha256(token.encode()).hexdigest()
    secrets = VAULT.seal({"tokens": ["t"]}, place_of_address(token_hash))
    endpoint = await company.project.rpc(
        "create_inbound_endpoint",
        {"p_provider": "third", "p_token_hash": token_hash, "p_secrets": secrets},
    )
    number = {"p_provider": "third", "p_name": "Terceiro", "p_base_url": url, "p_id": id}
    number |= {"p_company_id": company.id, "p_external_id": "x", "p_endpoint_id": endpoint}
    credentials = VAULT.seal({}, place_of_number(id))
    await company.project.rpc("create_instance", number | {"p_credentials": credentials})
    return f"/in/third/{token}"


@asynccontextmanager
async def deployed(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Api]:
    providers = {**composition.PROVIDERS, "third": THIRD}
    monkeypatch.setattr(composition, "PROVIDERS", providers)
    async with (
        serving(composition.create_app(settings)) as url,
        httpx.AsyncClient(base_url=url, timeout=60.0) as http,
    ):
        yield Api(url, http)


async def test_a_message_comes_in_and_is_answered(
    company: Company, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: list[Json] = []
    async with deployed(settings, monkeypatch) as api, serving(server(sent)) as url:
        address = await registered(company, url)
        said = {"id": "A", "from": SENDER, "text": "oi", "at": 1_760_000_000}
        raw = orjson.dumps({"messages": [said]})
        for _ in range(2):
            answer = await api.http.post(address, content=raw, headers={"x-third-token": "t"})
            assert answer.status_code == 200, answer.text
        (message,) = await until(lambda: company.rows("messages"))
        assert (message["direction"], message["type"], message["body"]) == ("in", "text", "oi")
        reply = {"id": str(uuid4()), "conversation_id": message["conversation_id"]}
        person = company.tenant.people["agent"]
        answer = await api.send(person, reply | {"type": "text", "body": "olá"})
        assert answer.status_code == 202, answer.text

        async def is_accepted() -> bool:
            return bool((await company.message(reply["id"]))["status"] == "accepted")

        await until(is_accepted, what="the answer accepted")
    assert sent == [{"to": SENDER, "text": "olá"}]
    listed = await company.rows("inbound_events", provider="eq.third")
    assert [item["state"] for item in listed] == ["processed"]
