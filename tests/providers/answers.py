"""Sends that the fake server answers as a test wants."""

import uuid
from typing import Any

import httpx
import pytest

from functions.providers.base import Instance, OutboundMessage, SendResult
from functions.providers.commands import Answer, Command
from functions.providers.events import Json
from tests.providers.fake import FakeWhatsApp
from tests.providers.samples import PROVIDERS

CONTACT = "5531999990001"
BOTH = pytest.mark.parametrize("provider", ["evolution", "meta"])


async def write(
    http: httpx.AsyncClient, instance: Instance, **fields: Any
) -> tuple[OutboundMessage, SendResult]:
    """Sends one message, a text to a contact in Brazil where `fields` do not say otherwise."""
    message = OutboundMessage(**{"id": str(uuid.uuid4()), "to": CONTACT, "type": "text", **fields})
    return message, await PROVIDERS[instance.provider].send(http, instance, message)


async def send(http: httpx.AsyncClient, instance: Instance) -> SendResult:
    _, result = await write(http, instance, body="oi")
    return result


async def failing(
    whatsapp: FakeWhatsApp,
    http: httpx.AsyncClient,
    provider: str,
    status: int,
    body: Any,
    **headers: str,
) -> SendResult:
    """The result of a send that the server answers like this."""
    instance = await whatsapp.connect(provider)
    await whatsapp.faults(
        instance, fail_times=1, fail_status=status, fail_body=body, fail_headers=headers
    )
    result = await send(http, instance)
    assert await whatsapp.ledger(instance) == []
    assert result.http_status == status
    return result


def graph(code: int, **error: Any) -> Json:
    return {"error": {"message": "m", "type": "OAuthException", "code": code, **error}}


def evolution_error(status: int, message: Any, **more: Any) -> Json:
    return {"status": status, "error": "Error", "response": {"message": message}, **more}


async def perform(http: httpx.AsyncClient, instance: Instance, command: Command) -> Answer:
    return await PROVIDERS[instance.provider].perform(http, instance, command)


async def written(whatsapp: FakeWhatsApp, instance: Instance, **order: Any) -> str:
    """The id of a message that the contact has sent."""
    body = {"number": instance.external_id, "from": CONTACT, **order}
    answer = await whatsapp.http.post("/_fake/inbound", json=body)
    return str(answer.json()["id"])
