"""What the rest of Recado relies on, for both providers alike: receiving."""

import uuid
from typing import Any

import httpx
import pytest

from functions.providers.events import InstanceChanged
from tests.providers.answers import BOTH, write
from tests.providers.fake import FakeWhatsApp, eventually
from tests.providers.receiver import Receiver, connect, of

JWT_KEY = "a jwt key of at least thirty-two bytes"


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
    _, result = await write(http, instance, body="oi")

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
