"""The parts of the fake that the providers do not call, and its own promises."""

import uuid
from typing import Any

import httpx
import pytest

from functions.providers.events import TemplateChanged
from local.whatsapp.network import Network
from tests.providers.answers import write
from tests.providers.fake import FakeWhatsApp, eventually
from tests.providers.receiver import Receiver, connect

GLOBAL = {"apikey": "fake-global-key"}


async def created(whatsapp: FakeWhatsApp, name: str) -> httpx.Response:
    body = {"instanceName": name, "integration": "WHATSAPP-BAILEYS", "qrcode": True}
    return await whatsapp.http.post("/instance/create", json=body, headers=GLOBAL)


async def test_an_instance_is_created_and_connected(whatsapp: FakeWhatsApp) -> None:
    answer = await created(whatsapp, "nova")
    assert answer.status_code == 201
    key = {"apikey": answer.json()["hash"]}
    state = await whatsapp.http.get("/instance/connectionState/nova", headers=key)
    assert state.json() == {"instance": {"instanceName": "nova", "state": "connecting"}}
    qr = (await whatsapp.http.get("/instance/connect/nova", headers=key)).json()
    assert qr["base64"].startswith("data:image/png;base64,")
    await whatsapp.http.post("/_fake/numbers/nova/state", json={"state": "open"})
    state = await whatsapp.http.get("/instance/connectionState/nova", headers=key)
    assert state.json()["instance"]["state"] == "open"
    assert (await created(whatsapp, "nova")).status_code == 403


async def test_a_webhook_is_set_in_the_form_of_v2(whatsapp: FakeWhatsApp) -> None:
    instance = await whatsapp.connect("evolution")
    path = f"/webhook/set/{instance.external_id}"
    webhook = {"enabled": True, "url": "http://127.0.0.1:9/x", "headers": {}, "events": []}
    answer = await whatsapp.http.post(path, json={"webhook": webhook}, headers=GLOBAL)
    assert answer.status_code == 201
    old = await whatsapp.http.post(path, json=webhook, headers=GLOBAL)
    assert old.status_code == 400


async def test_unknown_instances_and_keys_are_told_apart(whatsapp: FakeWhatsApp) -> None:
    instance = await whatsapp.connect("evolution")
    body = {"number": "5511", "text": "oi"}
    nobody = await whatsapp.http.post("/message/sendText/nobody", json=body, headers=GLOBAL)
    assert nobody.json()["response"]["message"] == ['The "nobody" instance does not exist']
    assert nobody.status_code == 404
    path = f"/message/sendText/{instance.external_id}"
    wrong = await whatsapp.http.post(path, json=body, headers={"apikey": "x"})
    assert (wrong.status_code, wrong.json()["response"]["message"]) == (401, "Unauthorized")


async def test_numbers_and_messages_can_be_looked_up(whatsapp: FakeWhatsApp) -> None:
    instance = await whatsapp.connect("evolution")
    name = instance.external_id

    async def call(action: str, body: Any) -> Any:
        answer = await whatsapp.http.post(f"/{action}/{name}", json=body, headers=GLOBAL)
        return answer.json()

    await whatsapp.http.post("/_fake/contacts", json={"number": "5531988887777", "exists": False})
    found = await call("chat/whatsappNumbers", {"numbers": ["5531999990001", "5531988887777"]})
    assert found == [
        {"exists": True, "jid": "553199990001@s.whatsapp.net", "number": "5531999990001"},
        {"exists": False, "jid": "553188887777@s.whatsapp.net", "number": "5531988887777"},
    ]
    sent = await call("message/sendText", {"number": "5531999990001", "text": "oi"})
    identity = sent["key"]["id"]
    page = await call("chat/findMessages", {"where": {"key": {"id": identity}}})
    assert [row["key"]["id"] for row in page["messages"]["records"]] == [identity]
    statuses = await call("chat/findStatusMessage", {"where": {"id": identity}})
    assert [row["status"] for row in statuses] == ["SERVER_ACK", "DELIVERY_ACK", "READ"]


async def test_a_closed_socket_answers_400(whatsapp: FakeWhatsApp) -> None:
    instance = await whatsapp.connect("evolution", state="close")
    path = f"/message/sendText/{instance.external_id}"
    answer = await whatsapp.http.post(path, json={"number": "5511", "text": "a"}, headers=GLOBAL)
    assert answer.json()["response"]["message"] == ["Error: Connection Closed"]


async def test_graph_refuses_what_is_no_message(whatsapp: FakeWhatsApp) -> None:
    instance = await whatsapp.connect("meta")
    headers = {"authorization": f"Bearer {instance.credentials['access_token']}"}

    async def post(number: str, body: Any) -> tuple[int, int]:
        answer = await whatsapp.http.post(f"/v24.0/{number}/messages", json=body, headers=headers)
        return answer.status_code, answer.json()["error"]["code"]

    assert await post("1", {}) == (400, 100)
    assert await post(instance.external_id, {"to": "1"}) == (400, 100)
    typeless = {"messaging_product": "whatsapp", "to": "5511", "type": "hologram"}
    assert await post(instance.external_id, typeless) == (400, 100)
    headers["authorization"] = "Bearer x"
    assert await post(instance.external_id, {}) == (401, 190)


async def test_free_text_outside_the_window_fails_in_a_status(whatsapp: FakeWhatsApp) -> None:
    instance = await whatsapp.connect("meta", enforce_window=True)
    headers = {"authorization": f"Bearer {instance.credentials['access_token']}"}
    path = f"/v24.0/{instance.external_id}/messages"
    body = {
        "messaging_product": "whatsapp",
        "to": "5531999990001",
        "type": "text",
        "text": {"body": "oi"},
    }
    assert (await whatsapp.http.post(path, json=body, headers=headers)).status_code == 200
    assert await whatsapp.ledger(instance) == []
    order = {"number": instance.external_id, "from": "553199990001", "body": "oi"}
    await whatsapp.http.post("/_fake/inbound", json=order)
    assert (await whatsapp.http.post(path, json=body, headers=headers)).status_code == 200
    assert len(await whatsapp.ledger(instance)) == 1


async def test_a_template_is_sent_as_it_stands(
    whatsapp: FakeWhatsApp, receiver: Receiver, http: httpx.AsyncClient
) -> None:
    instance = await connect(whatsapp, receiver, "meta", waba=uuid.uuid4().hex)
    row = {"waba": instance.account_id, "name": "pedido", "language": "pt_BR", "parameters": 1}

    async def become(status: str) -> None:
        await whatsapp.http.post("/_fake/templates", json=row | {"status": status})

    async def code(name: str = "pedido", *texts: str) -> str | None:
        parameters = [{"type": "text", "text": each} for each in texts]
        components = [{"type": "body", "parameters": parameters}]
        template = {"name": name, "language": "pt_BR", "components": components}
        _, result = await write(http, instance, type="template", template=template)
        return result.code

    await become("APPROVED")
    assert [await code("pedido", "Ana"), await code("pedido"), await code("outro")] == [
        None, "132000", "132001",
    ]  # fmt: skip
    await become("PAUSED")
    assert await code("pedido", "Ana") == "132015"

    async def told() -> bool:
        found = receiver.events.get(instance.external_id, [])
        return [one.status for one in found if isinstance(one, TemplateChanged)][-1:] == ["paused"]

    await eventually(told)


@pytest.mark.parametrize("provider", ["evolution", "meta"])
async def test_any_webhook_can_be_asked_for(
    whatsapp: FakeWhatsApp, receiver: Receiver, provider: str
) -> None:
    instance = await connect(whatsapp, receiver, provider, waba="w")
    order = (
        {"event": "groups.upsert", "data": {"id": "1@g.us", "subject": "Obra"}}
        if provider == "evolution"
        else {"field": "flows", "value": {"event": "FLOW_STATUS_CHANGE"}, "account": True}
    )
    await whatsapp.http.post(f"/_fake/numbers/{instance.external_id}/event", json=order)

    async def came() -> bool:
        return bool(receiver.events.get(instance.external_id))

    await eventually(came)


@pytest.mark.parametrize("provider", ["evolution", "meta"])
async def test_a_contact_edits_deletes_and_reacts(
    whatsapp: FakeWhatsApp, receiver: Receiver, provider: str
) -> None:
    instance = await connect(whatsapp, receiver, provider)
    order = {"number": instance.external_id, "from": "5531999990001", "target": "OLD"}
    for kind in ("edit", "revoke", "reaction"):
        await whatsapp.http.post("/_fake/inbound", json=order | {"type": kind, "body": "novo"})

    async def all_came() -> bool:
        found = receiver.messages(instance)
        return {(one.type, one.target) for one in found} == {
            ("edit", "OLD"), ("revoke", "OLD"), ("reaction", "OLD"),
        }  # fmt: skip

    await eventually(all_came)


@pytest.mark.parametrize("wanted", [{"fail_tmies": 1}, {"x": 1}])
async def test_a_misspelled_fault_is_refused(whatsapp: FakeWhatsApp, wanted: Any) -> None:
    instance = await whatsapp.connect("evolution")
    path = f"/_fake/numbers/{instance.external_id}/faults"
    assert (await whatsapp.http.post(path, json=wanted)).status_code == 422


def test_the_same_seed_gives_the_same_ids() -> None:
    first, second, other = Network(7), Network(7), Network(8)
    ids = [first.new_id("evolution") for _ in range(3)]
    assert ids == [second.new_id("evolution") for _ in range(3)]
    assert ids != [other.new_id("evolution") for _ in range(3)]
