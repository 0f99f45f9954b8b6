"""A key that is lost, and a server that is none of theirs."""

from dataclasses import replace
from uuid import uuid4

import httpx
import pytest

from functions.app import create_app
from functions.core.settings import Settings
from tests.fixtures import Api, serving, until
from tests.messaging.desk import Desk, made, meta_number
from tests.tenants import OTHER_CREDENTIALS_KEY, Project


async def test_a_lost_key_is_overcome_by_connecting_again(
    desk: Desk, settings: Settings, whatsapp: httpx.AsyncClient, project: Project
) -> None:
    waba = str(uuid4().int)[:15]
    first, second = await meta_number(whatsapp, waba), await meta_number(whatsapp, waba)
    rows = [await made(await desk.meta(id, waba)) for id in (first, second)]
    other = replace(settings, credentials_key=OTHER_CREDENTIALS_KEY)
    async with serving(create_app(other)) as url, httpx.AsyncClient(base_url=url) as http:
        again = Desk(Api(url, http), desk.tenant, desk.stack)
        stuck = await again.call("POST", f"/{rows[0]['id']}/refresh")
        assert (stuck.status_code, stuck.json()["code"]) == (503, "credentials_unreadable")
        for id, row in zip((first, second), rows, strict=True):
            connected = await made(await again.meta(id, waba))
            assert connected["id"] == row["id"]
            assert connected["webhook"]["set"] is True
        said = {"number": first, "from": "5511988887777", "body": "Oi!"}
        await whatsapp.post("/_fake/inbound", json=said)

        async def is_heard() -> bool:
            return bool(await project.rows("messages", instance_id=f"eq.{rows[0]['id']}"))

        await until(is_heard, what="the first number, by the account's new address")
    gone = await desk.call("DELETE", f"/{rows[1]['id']}")
    assert gone.json()["removed"] is True
    assert "CREDENTIALS_KEY" in gone.json()["error"]


@pytest.mark.parametrize(
    "server",
    [
        "https://127.0.0.1",
        "https://localhost",
        "https://[::1]",
        "https://169.254.169.254/latest",
        "http://example.com",
        "https://10.0.0.7:8080",
        "https://no-such-name.invalid",
    ],
)
async def test_no_company_makes_us_call_our_own_network(
    server: str, desk: Desk, settings: Settings
) -> None:
    closed = replace(settings, allow_private_servers=False)
    async with serving(create_app(closed)) as url, httpx.AsyncClient(base_url=url) as http:
        outside = Desk(Api(url, http), desk.tenant, desk.stack)
        answer = await outside.evolution(server=server)
        assert (answer.status_code, answer.json()["code"]) == (422, "invalid_server"), answer.text
