"""What the rest of Recado relies on, for both providers alike: sending."""

from typing import Any

import httpx
import pytest

from functions.providers.base import Instance
from functions.providers.events import Identity
from functions.providers.evolution.sending import planned_message_id
from tests.providers.answers import BOTH, write
from tests.providers.fake import FakeWhatsApp, eventually
from tests.providers.receiver import Receiver, connect, of
from tests.providers.samples import PROVIDERS


@BOTH
async def test_a_sent_message_arrives_once_and_is_followed_to_the_end(
    whatsapp: FakeWhatsApp, receiver: Receiver, http: httpx.AsyncClient, provider: str
) -> None:
    instance = await connect(whatsapp, receiver, provider)
    message, result = await write(http, instance, body="Olá")
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
    _, result = await write(http, instance, **fields)
    assert result.outcome == "accepted"
    assert len(await whatsapp.ledger(instance)) == 1


@BOTH
async def test_the_recipient_comes_back_as_whatsapp_knows_them(
    whatsapp: FakeWhatsApp, http: httpx.AsyncClient, provider: str
) -> None:
    instance = await whatsapp.connect(provider)
    _, result = await write(http, instance, to="+5531999990001", body="oi")
    assert result.identities == [
        Identity("phone", "+5531999990001"),
        Identity("wa_id", "553199990001"),
    ]


@BOTH
async def test_wrong_credentials_pause_the_instance(
    whatsapp: FakeWhatsApp, http: httpx.AsyncClient, provider: str
) -> None:
    good = await whatsapp.connect(provider)
    for credentials in ({}, {"api_key": "x", "access_token": "x"}):
        instance = Instance(good.id, provider, good.base_url, good.external_id, credentials)
        _, result = await write(http, instance, body="oi")
        assert (result.outcome, result.scope) == ("paused", "instance")
    assert await whatsapp.ledger(good) == []


@BOTH
async def test_an_incomplete_message_is_refused_here(
    whatsapp: FakeWhatsApp, http: httpx.AsyncClient, provider: str
) -> None:
    instance = await whatsapp.connect(provider)
    _, result = await write(http, instance)
    assert (result.outcome, result.scope, result.http_status) == ("permanent", "request", None)


@BOTH
async def test_a_refusal_after_acceptance_arrives_as_a_status_with_its_reason(
    whatsapp: FakeWhatsApp, receiver: Receiver, http: httpx.AsyncClient, provider: str
) -> None:
    instance = await connect(whatsapp, receiver, provider)
    code = "463" if provider == "evolution" else "131049"
    await whatsapp.faults(instance, nack_times=1, nack_code=code)
    _, result = await write(http, instance, body="oi")
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
    _, result = await write(http, await whatsapp.connect("evolution"), to=stranger, body="oi")
    assert (result.outcome, result.code) == ("permanent", "not_on_whatsapp")
    instance = await connect(whatsapp, receiver, "meta")
    _, result = await write(http, instance, to=stranger, body="oi")
    assert result.outcome == "accepted"

    async def failed() -> bool:
        return "failed" in of(receiver, instance, result.provider_message_id)

    await eventually(failed)


async def test_a_server_from_2_4_on_sends_a_message_once_however_often_it_is_asked(
    whatsapp: FakeWhatsApp, http: httpx.AsyncClient
) -> None:
    instance = await whatsapp.connect("evolution", version="2.4.0")
    await whatsapp.faults(instance, lose_times=1)
    message, lost = await write(http, instance, body="oi")
    again = await PROVIDERS["evolution"].send(http, instance, message)
    assert (lost.outcome, again.outcome) == ("unknown", "accepted")
    assert again.provider_message_id == planned_message_id(message.id)
    assert len(await whatsapp.ledger(instance)) == 1
