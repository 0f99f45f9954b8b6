"""An API killed at any call of connecting a number: who asks again has the number, once, and hears
by it."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any
from uuid import uuid4

import httpx
import pytest

from tests.faults.proxy import Proxy
from tests.faults.site import Json, Site, deployed
from tests.faults.traffic import Traffic
from tests.faults.workers import Workers
from tests.fixtures import until
from tests.providers.fake import free_port
from tests.tenants import Tenant

# In the order in which they are made; the addresses are those of the Evolution server.
CALLS = [
    "may_connect_numbers",
    "find_number_place",
    "instance/connectionState",
    "connect_number",
    "instance/create",
    "record_number_events",
]
# Who asks, and what the new number reports meanwhile.
BESIDES = {"auth/v1", "find_inbound_endpoint", "receive_inbound"}


@pytest.fixture(scope="module")
async def servers() -> AsyncIterator[Workers]:
    async with Workers("tests.faults.server") as started:
        yield started


async def connect(url: str, tenant: Tenant, wanted: Json) -> httpx.Response:
    token = tenant.people["admin"].token
    async with httpx.AsyncClient(base_url=url, timeout=30.0) as http:
        return await http.post(
            "/api/numbers", json=wanted, headers={"authorization": f"Bearer {token}"}
        )


def new_number(server: str) -> Json:
    name = f"b-{uuid4().hex[:8]}"
    return {
        "provider": "evolution", "name": "Balcão", "external_id": name, "server": server,
        "api_key": "fake-global-key",
    }  # fmt: skip


async def is_connected_once(site: Site, tenant: Tenant, row: Json) -> None:
    """A message reaches the company through the address that the server was given."""
    rows = await site.look(
        "select id from instances where external_id = $1 and removed_at is null", row["external_id"]
    )
    assert [str(found["id"]) for found in rows] == [row["id"]]
    said = {"number": row["external_id"], "from": "5511988887777", "body": "Oi!"}
    assert (await site.whatsapp.post("/_fake/inbound", json=said)).status_code == 202
    await site.quiet(tenant)
    await site.drain()
    heard = await site.look(
        "select body from messages where instance_id = $1::text::uuid", row["id"]
    )
    assert [message["body"] for message in heard] == ["Oi!"]


async def test_no_call_is_missing(
    site: Site, traffic: Traffic, proxy: Proxy, outside: Proxy
) -> None:
    settings = site.through(proxy.url, allow_private_servers=True)
    async with deployed(settings) as api:
        answer = await connect(api.url, traffic.tenant, new_number(outside.url))
        assert answer.status_code == 201, answer.text
        made = {*proxy.calls, *outside.calls} - BESIDES
        await is_connected_once(site, traffic.tenant, answer.json())
    assert made == set(CALLS)


@pytest.mark.parametrize("call", CALLS)
async def test_killed_when_a_call_was_made(
    call: str, site: Site, traffic: Traffic, proxy: Proxy, outside: Proxy, servers: Workers
) -> None:
    wanted, tenant = new_number(outside.url), traffic.tenant
    port = free_port()
    server = await servers.start(site.through(proxy.url), port=port)
    step = (outside if "/" in call else proxy).hold(call, "answer")
    asking = asyncio.create_task(_when_it_is_up(f"http://127.0.0.1:{port}", tenant, wanted))
    await until(step.has(1), what=f"{call} called")
    await servers.kill(server)
    step.lift()
    with pytest.raises(httpx.TransportError):
        await asking
    async with deployed(site.through(site.stack.url, allow_private_servers=True)) as api:
        answer = await connect(api.url, tenant, wanted)
        assert answer.status_code == 201, answer.text
        await is_connected_once(site, tenant, answer.json())


async def _when_it_is_up(url: str, tenant: Tenant, wanted: Json) -> Any:
    async def is_up() -> bool:
        async with httpx.AsyncClient() as http:
            with contextlib.suppress(httpx.ConnectError):
                await http.get(url)
                return True
        return False

    await until(is_up, what="the API up")
    return await connect(url, tenant, wanted)
