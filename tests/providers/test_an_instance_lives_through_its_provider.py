"""An instance is made, connected, watched and removed through the provider alone."""

import uuid
from typing import Any

import httpx

from functions.providers import commands as asked
from functions.providers.base import Instance
from functions.providers.commands import Command
from functions.providers.events import InstanceChanged, LimitChanged, TemplateChanged
from tests.providers.answers import BOTH, CONTACT, perform, write, written
from tests.providers.fake import FakeWhatsApp, eventually
from tests.providers.receiver import SECRETS, Receiver


async def test_an_instance_lives_from_its_creation_to_its_removal(
    whatsapp: FakeWhatsApp, receiver: Receiver, http: httpx.AsyncClient
) -> None:
    name = f"nova-{uuid.uuid4().hex[:8]}"
    owner = Instance("1", "evolution", whatsapp.url, name, {"api_key": "fake-global-key"})
    webhook = asked.Webhook(f"{receiver.url}/evolution/{name}", "a-webhook-token")
    created = await perform(http, owner, asked.CreateInstance(webhook))
    assert created.events == [InstanceChanged("qr", qr="2@FAKE")]
    instance = Instance("1", "evolution", whatsapp.url, name, created.credentials)

    async def states(command: Command) -> list[Any]:
        answer = await perform(http, instance, command)
        assert answer.failure is None
        return [(change.state, change.reason) for change in answer.events]  # type: ignore[union-attr]

    assert await states(asked.ReadState()) == [("connecting", None)]
    assert await states(asked.Connect()) == [("qr", None)]
    await whatsapp.http.post(f"/_fake/numbers/{name}/state", json={"state": "open"})
    assert await states(asked.ReadState()) == [("open", None)]
    assert await states(asked.Restart()) == [("open", None)]
    for _ in range(2):  # each may be repeated
        assert await states(asked.LogOut()) == [("closed", "logged_out")]
    for _ in range(2):
        assert await states(asked.DeleteInstance()) == [("closed", "deleted")]

    async def told() -> bool:
        found = {getattr(event, "state", None) for event in receiver.events.get(name, [])}
        return {"qr", "open", "closed"} <= found

    await eventually(told)


@BOTH
async def test_the_webhook_that_we_set_is_one_that_we_verify(
    whatsapp: FakeWhatsApp, receiver: Receiver, http: httpx.AsyncClient, provider: str
) -> None:
    target = {"url": "http://127.0.0.1:9/old", "app_secret": "an-app-secret"}
    more: dict[str, Any] = {"webhook": target} if provider == "meta" else {}
    instance = await whatsapp.connect(provider, waba=uuid.uuid4().hex, **more)
    secret = "a-verify-token" if provider == "meta" else "a-webhook-token"
    assert secret in str(SECRETS[provider])
    webhook = asked.Webhook(f"{receiver.url}/{provider}/{instance.external_id}", secret)
    assert (await perform(http, instance, asked.SetWebhook(webhook))).failure is None
    await written(whatsapp, instance, body="oi")

    async def came() -> bool:
        return bool(receiver.messages(instance))

    await eventually(came)


async def test_meta_refuses_an_address_that_does_not_know_its_token(
    whatsapp: FakeWhatsApp, receiver: Receiver, http: httpx.AsyncClient
) -> None:
    number = await whatsapp.connect("meta", waba="a-waba")
    instance = Instance(
        "1", "meta", number.base_url, number.external_id, number.credentials, "a-waba"
    )
    webhook = asked.Webhook(f"{receiver.url}/meta/{number.external_id}", "another-token")
    answer = await perform(http, instance, asked.SetWebhook(webhook))
    assert answer.failure is not None


async def test_a_probe_finds_a_connection_that_only_looks_alive(
    whatsapp: FakeWhatsApp, http: httpx.AsyncClient
) -> None:
    """The state says open, and numbers that the server knows are checked without WhatsApp."""
    instance = await whatsapp.connect("evolution")
    await write(http, instance, body="oi")
    probe = asked.Probe("+5511900000001")
    assert (await perform(http, instance, probe)).events == [InstanceChanged("open")]
    await whatsapp.faults(instance, zombie=True)
    state = await perform(http, instance, asked.ReadState())
    numbers = await perform(http, instance, asked.CheckNumbers([CONTACT]))
    assert state.events == [InstanceChanged("open")]
    assert [number.exists for number in numbers.numbers] == [True]
    dead = await perform(http, instance, probe)
    assert dead.events == [InstanceChanged("degraded", "probe connection_closed")]
    _, sent = await write(http, instance, body="oi de novo")
    assert sent.outcome == "accepted"
    assert len(await whatsapp.ledger(instance)) == 1
    await perform(http, instance, asked.Restart())
    assert (await perform(http, instance, probe)).events == [InstanceChanged("open")]


async def test_the_state_of_a_number_of_meta_has_its_quality_and_limit(
    whatsapp: FakeWhatsApp, http: httpx.AsyncClient
) -> None:
    instance = await whatsapp.connect("meta", quality="YELLOW", limit="TIER_10K")
    registered = await perform(http, instance, asked.Connect(pin="123456"))
    assert registered.events == [InstanceChanged("open")]
    state, limit = (await perform(http, instance, asked.ReadState())).events
    assert state == InstanceChanged("open", number="+5511900000001")
    assert isinstance(limit, LimitChanged)
    assert (limit.scope, limit.quality, limit.daily_limit) == ("number", "yellow", 10_000)
    left = await perform(http, instance, asked.LogOut())
    assert left.events == [InstanceChanged("closed", "logged_out")]
    state, _ = (await perform(http, instance, asked.Probe("+5511900000001"))).events
    assert isinstance(state, InstanceChanged)
    assert state.state == "closed"


async def test_all_templates_are_listed_page_by_page(
    whatsapp: FakeWhatsApp, http: httpx.AsyncClient
) -> None:
    instance = await whatsapp.connect("meta", waba=uuid.uuid4().hex)
    for name in ("a", "b", "c", "d", "e"):
        row = {"waba": instance.account_id, "name": name, "language": "pt_BR", "status": "APPROVED"}
        await whatsapp.http.post("/_fake/templates", json=row)
    answer = await perform(http, instance, asked.ListTemplates())
    assert [template.name for template in answer.events] == ["a", "b", "c", "d", "e"]  # type: ignore[union-attr]
    assert all(
        isinstance(one, TemplateChanged) and one.status == "approved" for one in answer.events
    )
