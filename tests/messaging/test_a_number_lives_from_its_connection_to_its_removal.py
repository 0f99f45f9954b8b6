"""Numbers over HTTP, at the fake WhatsApp: connected, linked, told of, restarted, removed."""

import asyncio
from dataclasses import replace
from typing import Any
from uuid import uuid4

import asyncpg
import httpx

from functions.app import create_app
from functions.core.settings import Settings
from local.stack import Stack
from tests.faults.proxy import Proxy
from tests.fixtures import Api, serving, until
from tests.messaging.desk import SERVER_KEY, Desk, Json, made, meta_number
from tests.tenants import Person, Project, Tenant


async def test_an_evolution_number_is_made_linked_and_heard(
    desk: Desk, whatsapp: httpx.AsyncClient, project: Project
) -> None:
    row = await made(await desk.evolution())
    assert (row["state"], row["webhook"]["set"], row["webhook"]["error"]) == ("qr", True, None)
    path = f"/{row['id']}"
    qr = (await desk.call("POST", f"{path}/connect")).json()
    assert (qr["state"], qr["code"]) == ("qr", "2@FAKE")
    assert qr["image"].startswith("data:image/png;base64,")
    assert qr["expires_at"]
    await whatsapp.post(f"/_fake/numbers/{row['external_id']}/state", json={"state": "open"})

    async def is_open() -> bool:
        shown: Json = (await desk.call("GET", path)).json()
        return bool(shown["state"] == "open")

    await until(is_open, what="the number open by its webhook")
    qr = (await desk.call("GET", f"{path}/qr")).json()
    assert (qr["code"], qr["image"]) == (None, None)
    await whatsapp.post(
        "/_fake/inbound",
        json={"number": row["external_id"], "from": "5511988887777", "body": "Oi!"},
    )

    async def is_heard() -> bool:
        return bool(await project.rows("messages", instance_id=f"eq.{row['id']}"))

    await until(is_heard, what="a message through the webhook that we have set")
    listed = (await desk.call("GET", "")).json()["data"]
    (shown,) = [each for each in listed if each["id"] == row["id"]]
    assert shown["last_seen_at"] is not None
    assert shown["needs_a_person"] is False


async def test_the_key_that_is_kept_is_the_instances_own(
    desk: Desk, database: asyncpg.Connection
) -> None:
    from functions.messaging.credentials import place_of_number
    from tests.tenants import VAULT

    row = await made(await desk.evolution())
    sealed = await database.fetchval(
        "select credentials from private.instance_secrets where instance_id = $1::text::uuid",
        row["id"],
    )
    kept = VAULT.open(sealed, place_of_number(row["id"]))
    assert kept["api_key"] != SERVER_KEY
    assert SERVER_KEY not in str(row)


async def test_a_number_logs_out_restarts_and_comes_back(
    desk: Desk, whatsapp: httpx.AsyncClient
) -> None:
    row = await made(await desk.evolution())
    path = f"/{row['id']}"
    await whatsapp.post(f"/_fake/numbers/{row['external_id']}/state", json={"state": "open"})
    assert (await desk.call("POST", f"{path}/refresh")).json()["state"] == "open"
    assert (await desk.call("POST", f"{path}/restart")).json()["state"] == "open"
    ended = (await desk.call("POST", f"{path}/logout")).json()
    assert (ended["state"], ended["state_reason"]) == ("closed", "logged_out")
    again = await desk.call("POST", f"{path}/restart")
    assert again.status_code in (409, 422, 503), again.text
    assert again.json()["code"].startswith("provider_")
    assert (await desk.call("POST", f"{path}/connect")).json()["state"] == "qr"


async def test_what_was_reported_meanwhile_does_not_hide_a_new_code(
    desk: Desk, whatsapp: httpx.AsyncClient, stack: Stack, settings: Settings
) -> None:
    row = await made(await desk.evolution())
    path = f"/{row['id']}"
    async with (
        Proxy(stack.url) as proxy,
        serving(create_app(replace(settings, supabase_url=proxy.url))) as url,
        httpx.AsyncClient(base_url=url, timeout=60.0) as http,
    ):
        step = proxy.hold("record_number_events", "answer")
        asks = Desk(Api(url, http), desk.tenant, stack).call("POST", f"{path}/connect")
        asking = asyncio.create_task(asks)
        await until(step.has(1), what="the new code noted")
        state = f"/_fake/numbers/{row['external_id']}/state"
        await whatsapp.post(state, json={"state": "close"})

        async def is_closed() -> bool:
            shown: Json = (await desk.call("GET", path)).json()
            return bool(shown["state"] == "closed")

        await until(is_closed, what="the report of the end before")
        step.lift()
        qr = (await asking).json()
    assert (qr["state"], qr["code"]) == ("qr", "2@FAKE")
    assert qr["expires_at"]


async def test_a_removed_number_keeps_its_conversations_and_its_name_is_free(
    desk: Desk, whatsapp: httpx.AsyncClient, project: Project, connected: Tenant
) -> None:
    number = connected.evolution
    said = {"number": number.external_id, "from": "5511988887777", "body": "Oi!"}
    await whatsapp.post("/_fake/inbound", json=said)

    async def is_heard() -> list[Any]:
        return await project.rows("messages", instance_id=f"eq.{number.instance_id}")

    (message,) = await until(is_heard, what="the message")
    answer = await desk.call("DELETE", f"/{number.instance_id}")
    assert answer.json() == {"id": number.instance_id, "removed": True, "error": None}
    assert (await desk.call("GET", f"/{number.instance_id}")).status_code == 404
    assert len(await is_heard()) == 1
    late = {"id": str(uuid4()), "conversation_id": message["conversation_id"], "body": "Olá"}
    assert (await desk.api.send(connected.people["agent"], late)).status_code == 202

    async def has_failed() -> list[Any]:
        return await project.rows("messages", id=f"eq.{late['id']}", status="eq.failed")

    (failed,) = await until(has_failed, what="what waits for the number fails")
    assert failed["error_code"] == "number_removed"
    row = await made(await desk.evolution(external_id=number.external_id))
    assert row["id"] != number.instance_id


async def test_a_meta_number_is_asked_subscribed_and_signed(
    desk: Desk, whatsapp: httpx.AsyncClient, project: Project
) -> None:
    waba = str(uuid4().int)[:15]
    first, second = await meta_number(whatsapp, waba), await meta_number(whatsapp, waba)
    row = await made(await desk.meta(first, waba))
    assert (row["state"], row["quality"], row["people_per_day"]) == ("open", "green", 2000)
    assert row["number"] == "+5511933330009"
    assert row["webhook"]["set"] is True
    assert row["webhook"]["verify_token"]
    # The account has one address: its second number does not take it from the first.
    twin = await made(await desk.meta(second, waba))
    assert twin["webhook"]["url"] == row["webhook"]["url"]
    for id, number in ((first, row), (second, twin)):
        said = {"number": id, "from": "5511988887777", "body": "Oi!"}
        await whatsapp.post("/_fake/inbound", json=said)

        async def is_heard(number: Json = number) -> bool:
            return bool(await project.rows("messages", instance_id=f"eq.{number['id']}"))

        await until(is_heard, what=f"a signed message for {id}")


async def test_the_latest_report_of_limits_is_shown_of_the_number_that_it_names(
    desk: Desk, whatsapp: httpx.AsyncClient, connected: Tenant, project: Project
) -> None:
    first, waba = connected.meta, str(connected.meta.waba_id)
    twin = await meta_number(whatsapp, waba)
    other = await made(await desk.meta(twin, waba))

    async def tell(phone: str, limit: str) -> None:
        value = {"display_phone_number": phone, "event": "UPGRADE", "current_limit": limit}
        await whatsapp.post(
            f"/_fake/numbers/{first.external_id}/event",
            json={"field": "phone_number_quality_update", "value": value, "account": True},
        )

    async def shown(id: str) -> int | None:
        people: int | None = (await desk.call("GET", f"/{id}")).json()["people_per_day"]
        return people

    before = await shown(other["id"])
    await tell(first.phone, "TIER_10K")

    async def is_told() -> bool:
        return await shown(first.instance_id) == 10_000

    await until(is_told, what="the number's new limit")
    assert await shown(other["id"]) == before
    late = {"scope": "number", "number": f"+{first.phone}", "daily_limit": 250}
    (event,) = await project.rows(
        "provider_events", instance_id=f"eq.{first.instance_id}", event="eq.limit"
    )
    copy = {**event, "id": event["id"] + 10**9, "data": late, "place": 99}
    await project.insert("provider_events", copy | {"occurred_at": "2020-01-01T00:00:00Z"})
    assert await shown(first.instance_id) == 10_000


async def test_connecting_again_gives_new_credentials(
    desk: Desk, whatsapp: httpx.AsyncClient
) -> None:
    waba = str(uuid4().int)[:15]
    id = await meta_number(whatsapp, waba)
    row = await made(await desk.meta(id, waba))
    again = await made(await desk.meta(id, waba, name="Outro nome", app_secret="new"))
    assert (again["id"], again["webhook"]) == (row["id"], row["webhook"])
    assert again["name"] == "Outro nome"


async def test_what_is_wrong_is_said(desk: Desk, stack: Stack, rival: Tenant) -> None:
    assert stack.whatsapp_url
    waba = str(uuid4().int)[:15]
    for answer, status, code in (
        (await desk.evolution(api_key="wrong"), 422, "credentials_refused"),
        (await desk.evolution(server="http://127.0.0.1:9"), 503, "provider_unavailable"),
        (await desk.evolution(server="http://user@127.0.0.1"), 422, "invalid_request"),
        (await desk.evolution(api_key=None), 422, "invalid_request"),
        (await desk.evolution(external_id="a/b"), 422, "invalid_request"),
        (await desk.meta("1", waba, account_id=None), 422, "invalid_request"),
        (await desk.meta("123456789", waba), 422, None),
        (
            await desk.evolution(external_id=rival.evolution.external_id),
            409,
            "number_taken",
        ),
        (await desk.call("GET", f"/{uuid4()}"), 404, "number_not_found"),
        (await desk.call("POST", f"/{uuid4()}/connect"), 404, "number_not_found"),
        (await desk.call("DELETE", f"/{uuid4()}"), 404, "number_not_found"),
    ):
        assert answer.status_code == status, answer.text
        assert code in (None, answer.json()["code"]), answer.text
        assert "wrong" not in answer.text
        assert "EAAB" not in answer.text


async def test_only_admins_configure_and_every_member_sees(desk: Desk, project: Project) -> None:
    people = desk.tenant.people
    path = f"/{desk.tenant.meta.instance_id}"
    for role in ("viewer", "agent"):
        assert (await desk.call("GET", "", people[role])).status_code == 200
        assert (await desk.call("GET", path, people[role])).status_code == 200
        for method, where in (
            ("POST", f"{path}/connect"),
            ("GET", f"{path}/qr"),
            ("POST", f"{path}/logout"),
            ("DELETE", path),
        ):
            answer = await desk.call(method, where, people[role])
            assert (answer.status_code, answer.json()["code"]) == (403, "role_required")
    made = await project.rpc("create_api_key", {"p_name": "erp"}, people["owner"].token)
    machine = Person("", "", made["key"])
    assert len((await desk.call("GET", "", machine)).json()["data"]) == 2
    assert (await desk.call("GET", path, machine)).status_code == 200
    assert (await desk.call("DELETE", path, machine)).status_code == 403
