"""One webhook address may serve many numbers; an item reaches the number it names, or nobody."""

import hashlib
from dataclasses import replace
from typing import Any
from uuid import uuid4

import asyncpg
import pytest

from functions.messaging.credentials import place_of_address, place_of_number
from local.stack import Stack
from tests.fixtures import Api
from tests.messaging import bodies
from tests.messaging.conftest import Company
from tests.tenants import VAULT, Number, Project


@pytest.fixture
async def shops(project: Project, api: Api, stack: Stack) -> list[Company]:
    return [Company(await project.new_tenant(stack.whatsapp_url), api, project) for _ in range(3)]


async def share_address(database: asyncpg.Connection, first: Number, *others: Number) -> None:
    """One Meta app: the numbers of several companies post to the first one's address."""
    for other in others:
        await database.execute(
            """update public.instances set endpoint_id =
                 (select endpoint_id from public.instances where id = $1::text::uuid)
               where id = $2::text::uuid""",
            first.instance_id,
            other.instance_id,
        )


def joined(*contents: dict[str, Any]) -> dict[str, Any]:
    """One body of Meta with the entries of several."""
    entries = [entry for content in contents for entry in content["entry"]]
    return {"object": "whatsapp_business_account", "entry": entries}


async def test_one_post_of_meta_is_split_by_company(
    shops: list[Company], database: asyncpg.Connection
) -> None:
    numbers = [shop.tenant.meta for shop in shops]
    await share_address(database, *numbers)
    # The same contact, the same message id: only the number differs.
    written = [bodies.text(n, "5511987650000", f"para {n.external_id}", id="same") for n in numbers]
    strangers = replace(numbers[0], external_id="999", waba_id="998")
    content = joined(*written, bodies.text(strangers, "5511987650000"), *written[:1])
    answer = await shops[0].api.post_webhook(numbers[0], content)
    assert answer.json() == {"stored": 3, "ignored": 1, "duplicates": 1}
    for shop, number in zip(shops, numbers, strict=True):
        await shop.settled()
        (message,) = await shop.rows("messages")
        assert message["body"] == f"para {number.external_id}"
        assert message["instance_id"] == number.instance_id
        assert len(await shop.rows("contacts")) == 1
        (event,) = await shop.rows("inbound_events")
        assert "para" in str(event["raw"])
        assert str(event["raw"]).count("para") == 1, "the other companies' items are not in it"


async def test_account_news_reach_the_company_of_the_account(
    shops: list[Company], database: asyncpg.Connection
) -> None:
    numbers = [shop.tenant.meta for shop in shops]
    await share_address(database, *numbers)
    ban = {"event": "DISABLED_UPDATE", "ban_info": {"waba_ban_state": "DISABLE"}}
    change = {"field": "account_update", "value": ban}
    content = {"entry": [{"id": numbers[1].waba_id, "time": 1, "changes": [change]}]}
    await shops[0].post(numbers[0], content)
    states = []
    for shop, number in zip(shops, numbers, strict=True):
        await shop.settled()
        (instance,) = await shop.rows("instances", id=f"eq.{number.instance_id}")
        states.append(instance["state"])
    assert states == ["new", "banned", "new"]


@pytest.mark.parametrize("late_first", [False, True])
async def test_an_older_report_of_a_number_is_no_news(late_first: bool, company: Company) -> None:
    number = company.tenant.evolution
    reports = [
        bodies.evolution(number, "connection.update", {"state": state})
        | {"date_time": f"2026-01-01T10:00:0{second}.000Z"}
        for second, state in enumerate(("close", "open"))
    ]
    for report in reversed(reports) if late_first else reports:
        await company.post(number, report)
        await company.settled()
    (instance,) = await company.rows("instances", id=f"eq.{number.instance_id}")
    assert instance["state"] == "open"


async def test_a_ban_of_an_account_is_one_of_all_its_numbers(company: Company) -> None:
    number = company.tenant.meta
    id = str(uuid4())
    twin = {
        "p_id": id,
        "p_company_id": company.id,
        "p_provider": "meta",
        "p_name": "Twin",
        "p_base_url": "https://graph.example",
        "p_external_id": number.external_id[::-1],
        "p_endpoint_id": (await company.rows("instances", id=f"eq.{number.instance_id}"))[0][
            "endpoint_id"
        ],
        "p_credentials": VAULT.seal({}, place_of_number(id)),
        "p_waba_id": number.waba_id,
    }
    await company.project.rpc("create_instance", twin)
    ban = {"event": "DISABLED_UPDATE", "ban_info": {"waba_ban_state": "DISABLE"}}
    change = {"field": "account_update", "value": ban}
    await company.post(number, {"entry": [{"id": number.waba_id, "time": 1, "changes": [change]}]})
    await company.settled()
    states = {row["provider"]: row["state"] for row in await company.rows("instances")}
    assert states == {"meta": "banned", "evolution": "new"}
    assert len(await company.rows("instances", state="eq.banned")) == 2


@pytest.mark.parametrize("provider", ["evolution", "meta"])
async def test_an_address_cannot_speak_for_anothers_number(
    provider: str, shops: list[Company]
) -> None:
    mine, theirs = (getattr(shop.tenant, provider) for shop in shops[:2])
    forged = [
        bodies.text(theirs, "5511987650000"),
        bodies.echo(theirs, "5511987650000", "oi", id="x"),
        bodies.status(theirs, "5511987650000", "x", "read"),
    ]
    if provider == "meta":
        value = {"event": "DISABLED_UPDATE", "ban_info": {"waba_ban_state": "DISABLE"}}
        change = {"field": "account_update", "value": value}
        forged.append({"entry": [{"id": theirs.waba_id, "time": 1, "changes": [change]}]})
    else:
        forged.append(bodies.evolution(theirs, "connection.update", {"state": "close"}))
    for content in forged:
        answer = await shops[0].api.post_webhook(mine, content)
        assert answer.status_code == 200
        assert answer.json()["ignored"] == 1
    await shops[0].settled()
    for table in ("messages", "contacts", "conversations", "message_status_events"):
        assert await shops[1].rows(table) == []
        assert await shops[0].rows(table) == []
    assert await shops[1].rows("inbound_events") == []
    (instance,) = await shops[1].rows("instances", id=f"eq.{theirs.instance_id}")
    assert instance["state"] == "new"


async def test_an_evolution_address_of_several_numbers_goes_by_the_name_in_the_body(
    shops: list[Company], database: asyncpg.Connection
) -> None:
    first, second = (shop.tenant.evolution for shop in shops[:2])
    await share_address(database, first, second)
    stranger = replace(first, external_id="nobody")
    for number, expected in ((first, "stored"), (second, "stored"), (stranger, "ignored")):
        content = bodies.text(number, "5511987650000", f"para {number.external_id}")
        answer = await shops[0].api.post_webhook(first, content)
        assert answer.json()[expected] == 1
    for shop in shops[:2]:
        await shop.settled()
        (message,) = await shop.rows("messages")
        assert message["body"] == f"para {shop.tenant.evolution.external_id}"


async def test_one_tenants_items_do_not_hide_anothers(shops: list[Company]) -> None:
    """Keys are per address: posting somebody's message ids first blocks nothing."""
    for provider in ("evolution", "meta"):
        mine, theirs = (getattr(shop.tenant, provider) for shop in shops[:2])
        content = bodies.text(theirs, "5511987650000", id=f"known-{provider}")
        assert (await shops[0].api.post_webhook(mine, content)).status_code == 200
        answer = await shops[1].api.post_webhook(theirs, content)
        assert answer.json() == {"stored": 1, "ignored": 0, "duplicates": 0}
    await shops[1].settled()
    assert len(await shops[1].rows("messages")) == 2


async def test_an_address_without_a_number_ignores_all(project: Project, api: Api) -> None:
    token, secret = uuid4().hex, uuid4().hex
    token_hash = hashlib.sha256(token.encode()).hexdigest()
    await project.rpc(
        "create_inbound_endpoint",
        {
            "p_provider": "evolution",
            "p_token_hash": token_hash,
            "p_secrets": VAULT.seal({"tokens": [secret]}, place_of_address(token_hash)),
        },
    )
    number = Number("evolution", "", "x", None, "5511", "", f"/in/evolution/{token}", secret)
    answer = await api.post_webhook(number, bodies.text(number, "5511987650000"))
    assert answer.json() == {"stored": 0, "ignored": 1, "duplicates": 0}
