"""What the rest of Recado relies on, for both providers alike: a conversation with the fake."""

import asyncio
import uuid
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from functions.providers.base import (
    Event,
    Instance,
    InstanceChanged,
    MessageReceived,
    OutboundMessage,
    Provider,
    StatusChanged,
)
from functions.providers.evolution.sending import planned_message_id
from tests.providers.conftest import FakeWhatsApp, eventually, free_port
from tests.providers.samples import PROVIDERS

BOTH = pytest.mark.parametrize("provider", ["evolution", "meta"])
CONTACT = "5531999990001"
SECRETS = {
    "evolution": {"tokens": ["a-webhook-token"]},
    "meta": {"app_secrets": ["an-app-secret"], "verify_tokens": ["a-verify-token"]},
}
WEBHOOKS: dict[str, Any] = {
    "evolution": {"headers": {"x-webhook-token": "a-webhook-token"}},
    "meta": {"app_secret": "an-app-secret", "verify_token": "a-verify-token"},
}
JWT_KEY = "a jwt key of at least thirty-two bytes"


class Receiver:
    """Takes webhooks as our endpoint does: verified, split, each item once, parsed."""

    def __init__(self) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.secrets: dict[str, Any] = dict(SECRETS)
        self.events: dict[str, list[Event]] = {}
        self.requests: dict[str, int] = {}
        self.refusals: dict[str, list[int]] = {}  # per number: statuses to answer first
        self._seen: set[str] = set()

    def app(self) -> Starlette:
        return Starlette(
            routes=[Route("/{provider}/{number}", self._take, methods=["GET", "POST"])]
        )

    async def _take(self, request: Request) -> Response:
        provider = PROVIDERS[request.path_params["provider"]]
        number, secrets = request.path_params["number"], self.secrets[provider.name]
        if request.method == "GET":
            challenge = provider.challenge(request.query_params, secrets)
            return PlainTextResponse(challenge or "", 200 if challenge else 403)
        raw = await request.body()
        self.requests[number] = self.requests.get(number, 0) + 1
        if not provider.verify(request.headers, raw, secrets):
            return Response(status_code=401)
        if self.refusals.get(number):
            return Response(status_code=self.refusals[number].pop(0))
        for item in provider.split(raw, number if provider.name == "evolution" else None):
            if item.dedupe_key not in self._seen:
                self._seen.add(item.dedupe_key)
                self.events.setdefault(number, []).extend(provider.parse(item.kind, item.raw))
        return Response(status_code=200)

    def messages(self, instance: Instance) -> list[MessageReceived]:
        found = self.events.get(instance.external_id, [])
        return [event for event in found if isinstance(event, MessageReceived)]

    def statuses(self, instance: Instance) -> list[StatusChanged]:
        found = self.events.get(instance.external_id, [])
        return [event for event in found if isinstance(event, StatusChanged)]


@pytest.fixture(scope="module")
async def receiver() -> AsyncIterator[Receiver]:
    receiver = Receiver()
    config = uvicorn.Config(
        receiver.app(), port=receiver.port, log_level="critical", lifespan="off", ws="none"
    )
    server = uvicorn.Server(config)
    running = asyncio.create_task(server.serve())

    async def started() -> bool:
        return server.started

    await eventually(started)
    yield receiver
    server.should_exit = True
    await running


async def connect(
    whatsapp: FakeWhatsApp, receiver: Receiver, provider: str, **number: Any
) -> Instance:
    identity = f"{provider}-{uuid.uuid4().hex[:12]}"
    webhook = {"url": f"{receiver.url}/{provider}/{identity}", **WEBHOOKS[provider]}
    return await whatsapp.connect(provider, **{"webhook": webhook, "id": identity, **number})


async def send(http: httpx.AsyncClient, instance: Instance, **fields: Any) -> Any:
    message = OutboundMessage(**{"id": str(uuid.uuid4()), "to": CONTACT, "type": "text", **fields})
    provider: Provider = PROVIDERS[instance.provider]
    return message, await provider.send(http, instance, message)


def of(receiver: Receiver, instance: Instance, identity: str) -> list[str]:
    return [
        event.status
        for event in receiver.statuses(instance)
        if event.provider_message_id == identity
    ]


@BOTH
async def test_a_sent_message_arrives_once_and_is_followed_to_the_end(
    whatsapp: FakeWhatsApp, receiver: Receiver, http: httpx.AsyncClient, provider: str
) -> None:
    instance = await connect(whatsapp, receiver, provider)
    message, result = await send(http, instance, body="Olá")
    assert result.outcome == "accepted"
    [row] = await whatsapp.ledger(instance)
    assert (row["provider_id"], row["body"]) == (result.provider_message_id, "Olá")

    async def is_read() -> bool:
        return "read" in of(receiver, instance, result.provider_message_id)

    await eventually(is_read)
    assert of(receiver, instance, result.provider_message_id) == ["sent", "delivered", "read"]
    if provider == "meta":
        assert {event.client_ref for event in receiver.statuses(instance)} == {message.id}
    else:
        [echo] = receiver.messages(instance)
        assert (echo.origin, echo.provider_message_id) == ("api_echo", result.provider_message_id)


@BOTH
@pytest.mark.parametrize(
    "fields",
    [
        {"body": "oi"},
        {"body": "oi", "reply_to": "ABC"},
        {"type": "image", "body": "veja", "media": {"url": "https://x.example/a.jpg"}},
        {"type": "video", "media": {"url": "https://x.example/a.mp4"}},
        {"type": "document", "media": {"url": "https://x.example/a.pdf", "file_name": "a.pdf"}},
        {"type": "audio", "media": {"url": "https://x.example/a.ogg"}},
        {"type": "template", "template": {"name": "pedido", "language": "pt_BR"}},
        {"type": "reaction", "body": "👍", "target": "ABC"},
    ],
)
async def test_every_type_is_accepted(
    whatsapp: FakeWhatsApp, http: httpx.AsyncClient, provider: str, fields: dict[str, Any]
) -> None:
    instance = await whatsapp.connect(provider)
    _, result = await send(http, instance, **fields)
    assert result.outcome == "accepted"
    assert len(await whatsapp.ledger(instance)) == 1


@BOTH
async def test_the_canonical_recipient_comes_back(
    whatsapp: FakeWhatsApp, http: httpx.AsyncClient, provider: str
) -> None:
    instance = await whatsapp.connect(provider)
    _, result = await send(http, instance, to="+5531999990001", body="oi")
    assert result.recipient.split("@")[0] == "553199990001"


@BOTH
async def test_wrong_credentials_pause_the_instance(
    whatsapp: FakeWhatsApp, http: httpx.AsyncClient, provider: str
) -> None:
    good = await whatsapp.connect(provider)
    for credentials in ({}, {"api_key": "x", "access_token": "x"}):
        instance = Instance(good.id, provider, good.base_url, good.external_id, credentials)
        _, result = await send(http, instance, body="oi")
        assert (result.outcome, result.scope) == ("paused", "instance")
    assert await whatsapp.ledger(good) == []


@BOTH
async def test_an_incomplete_message_is_refused_here(
    whatsapp: FakeWhatsApp, http: httpx.AsyncClient, provider: str
) -> None:
    instance = await whatsapp.connect(provider)
    _, result = await send(http, instance)
    assert (result.outcome, result.scope, result.http_status) == ("permanent", "request", None)


@BOTH
async def test_what_a_contact_writes_is_received_from_that_contact(
    whatsapp: FakeWhatsApp, receiver: Receiver, provider: str
) -> None:
    instance = await connect(whatsapp, receiver, provider)
    order = {"number": instance.external_id, "from": "553199990001", "name": "Ana", "body": "oi"}
    identity = (await whatsapp.http.post("/_fake/inbound", json=order)).json()["id"]

    async def received() -> bool:
        return bool(receiver.messages(instance))

    await eventually(received)
    [message] = receiver.messages(instance)
    assert (message.provider_message_id, message.body, message.name) == (identity, "oi", "Ana")
    assert (message.direction, message.origin, message.chat_kind) == ("in", "contact", "direct")
    assert message.identities[0].value == "+5531999990001"
    assert message.sent_at is not None


@BOTH
@pytest.mark.parametrize(
    "order",
    [
        {"type": "image", "body": "veja", "mime_type": "image/jpeg"},
        {"type": "reaction", "body": "👍", "target": "ABC"},
        {"type": "text", "body": "sim", "reply_to": "ABC"},
    ],
)
async def test_what_a_contact_sends_has_its_type(
    whatsapp: FakeWhatsApp, receiver: Receiver, provider: str, order: dict[str, Any]
) -> None:
    instance = await connect(whatsapp, receiver, provider)
    order = {"number": instance.external_id, **order}
    await whatsapp.http.post("/_fake/inbound", json=order)

    async def received() -> bool:
        return bool(receiver.messages(instance))

    await eventually(received)
    [message] = receiver.messages(instance)
    assert (message.type, message.body) == (order["type"], order["body"])
    assert message.reply_to == order.get("reply_to")
    assert message.target == order.get("target")


@BOTH
async def test_repeated_and_reordered_webhooks_change_nothing(
    whatsapp: FakeWhatsApp, receiver: Receiver, http: httpx.AsyncClient, provider: str
) -> None:
    instance = await connect(whatsapp, receiver, provider)
    await whatsapp.faults(instance, copies=4, shuffle=True)
    _, result = await send(http, instance, body="oi")

    async def all_posted() -> bool:
        expected = 16 if provider == "evolution" else 12
        return receiver.requests.get(instance.external_id) == expected

    await eventually(all_posted)
    statuses = of(receiver, instance, result.provider_message_id)
    assert sorted(statuses) == ["delivered", "read", "sent"]


@BOTH
async def test_a_webhook_is_repeated_until_it_is_taken(
    whatsapp: FakeWhatsApp, receiver: Receiver, provider: str
) -> None:
    instance = await connect(whatsapp, receiver, provider)
    receiver.refusals[instance.external_id] = [500, 503]
    await whatsapp.http.post("/_fake/inbound", json={"number": instance.external_id, "body": "oi"})

    async def received() -> bool:
        return bool(receiver.messages(instance))

    await eventually(received)
    assert receiver.requests[instance.external_id] == 3


@BOTH
async def test_a_webhook_with_another_secret_is_refused(
    whatsapp: FakeWhatsApp, receiver: Receiver, provider: str
) -> None:
    identity = f"{provider}-{uuid.uuid4().hex[:12]}"
    webhook = {"url": f"{receiver.url}/{provider}/{identity}"}
    other = (
        {"headers": {"x-webhook-token": "x"}} if provider == "evolution" else {"app_secret": "x"}
    )
    instance = await whatsapp.connect(provider, id=identity, webhook={**webhook, **other})
    await whatsapp.http.post("/_fake/inbound", json={"number": instance.external_id, "body": "oi"})

    async def refused() -> bool:
        return receiver.requests.get(identity, 0) >= 1

    await eventually(refused)
    assert receiver.messages(instance) == []


async def test_a_jwt_of_evolution_is_taken(
    whatsapp: FakeWhatsApp, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(receiver.secrets, "evolution", {"jwt_keys": [JWT_KEY]})
    identity = f"evolution-{uuid.uuid4().hex[:12]}"
    webhook = {"url": f"{receiver.url}/evolution/{identity}", "headers": {"jwt_key": JWT_KEY}}
    instance = await whatsapp.connect("evolution", id=identity, webhook=webhook)
    await whatsapp.http.post("/_fake/inbound", json={"number": identity, "body": "oi"})

    async def received() -> bool:
        return bool(receiver.messages(instance))

    await eventually(received)


async def test_a_subscription_is_confirmed(whatsapp: FakeWhatsApp, receiver: Receiver) -> None:
    instance = await connect(whatsapp, receiver, "meta")
    path = f"/_fake/numbers/{instance.external_id}/verify"
    assert (await whatsapp.http.post(path)).json() == {"status": 200, "accepted": True}


@BOTH
async def test_a_refusal_after_acceptance_arrives_as_a_status_with_its_reason(
    whatsapp: FakeWhatsApp, receiver: Receiver, http: httpx.AsyncClient, provider: str
) -> None:
    instance = await connect(whatsapp, receiver, provider)
    code = "463" if provider == "evolution" else "131049"
    await whatsapp.faults(instance, nack_times=1, nack_code=code)
    _, result = await send(http, instance, body="oi")
    assert result.outcome == "accepted"

    async def failed() -> bool:
        return "failed" in of(receiver, instance, result.provider_message_id)

    await eventually(failed)
    [status] = receiver.statuses(instance)
    assert status.error is not None
    assert status.error["code"] == code
    assert status.error["class"] == ("cold_lock" if provider == "evolution" else "defer")
    assert await whatsapp.ledger(instance) == []


async def test_a_number_that_is_not_on_whatsapp_is_permanent_or_fails_later(
    whatsapp: FakeWhatsApp, receiver: Receiver, http: httpx.AsyncClient
) -> None:
    stranger = "5511977776666"
    await whatsapp.http.post("/_fake/contacts", json={"number": stranger, "exists": False})
    _, result = await send(http, await whatsapp.connect("evolution"), to=stranger, body="oi")
    assert (result.outcome, result.code) == ("permanent", "not_on_whatsapp")
    instance = await connect(whatsapp, receiver, "meta")
    _, result = await send(http, instance, to=stranger, body="oi")
    assert result.outcome == "accepted"

    async def failed() -> bool:
        return "failed" in of(receiver, instance, result.provider_message_id)

    await eventually(failed)


async def test_a_server_from_2_4_on_sends_a_message_once_however_often_it_is_asked(
    whatsapp: FakeWhatsApp, http: httpx.AsyncClient
) -> None:
    instance = await whatsapp.connect("evolution", version="2.4.0")
    await whatsapp.faults(instance, lose_times=1)
    message, lost = await send(http, instance, body="oi")
    again = await PROVIDERS["evolution"].send(http, instance, message)
    assert (lost.outcome, again.outcome) == ("unknown", "accepted")
    assert again.provider_message_id == planned_message_id(message.id)
    assert len(await whatsapp.ledger(instance)) == 1


async def test_a_connection_follows_its_number(whatsapp: FakeWhatsApp, receiver: Receiver) -> None:
    instance = await connect(whatsapp, receiver, "evolution")
    path = f"/_fake/numbers/{instance.external_id}/state"

    def states() -> list[str | None]:
        found = receiver.events.get(instance.external_id, [])
        return [event.state for event in found if isinstance(event, InstanceChanged)]

    async def is_closed() -> bool:
        return states() == ["closed"]

    async def is_open() -> bool:
        return states() == ["closed", "open"]

    await whatsapp.http.post(path, json={"state": "close", "reason": 401})
    await eventually(is_closed)
    await whatsapp.http.post(path, json={"state": "open"})
    await eventually(is_open)
