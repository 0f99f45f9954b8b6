"""Caps count people, each once and only when a message goes; what waits follows changed rules."""

import asyncio
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest

from tests.messaging.conftest import Company
from tests.messaging.test_a_number_keeps_its_pace import (
    ALL_DAYS,
    STRANGERS,
    send_by_api,
    set_pace,
    waits,
)
from tests.messaging.test_provider_faults_end_in_the_right_status import becomes
from tests.tenants import Number

Json = dict[str, Any]
TEMPLATE = {"p_type": "template", "p_body": None, "p_payload": {"template": {"name": "aviso"}}}


async def queued(company: Company, number: Number, to: str, **more: Any) -> str:
    """A message that no worker is told of."""
    id = str(uuid4())
    message = {"p_id": id, "p_company_id": company.id, "p_to": to} | TEMPLATE | more
    await company.project.rpc("send_message", message | {"p_instance_id": number.instance_id})
    return id


async def begun(company: Company, id: str) -> Json:
    params = {"p_message_id": id, "p_job_id": 0, "p_claim": 1}
    order: Json = await company.project.rpc("begin_send", params)
    return order


async def people(database: Any, number: Number) -> int | None:
    query = "select people from private.number_paces where instance_id = $1::text::uuid"
    counted: int | None = await database.fetchval(query, number.instance_id)
    return counted


async def test_a_person_counts_once_a_day(connected_company: Company) -> None:
    company, number = connected_company, connected_company.tenant.evolution
    await set_pace(company, number, daily_cap=1)
    for _ in range(3):
        await becomes(company, await send_by_api(company, number, STRANGERS[0]), "read")
    assert await waits(company, await send_by_api(company, number, STRANGERS[1])) > 0


async def test_who_is_not_written_to_is_not_counted(company: Company, database: Any) -> None:
    number = company.tenant.meta
    await set_pace(company, number, daily_cap=1, gap_seconds=60, portfolio_limit=0)
    waiting = await queued(company, number, STRANGERS[0])
    assert (await begun(company, waiting))["reason"] == "portfolio_budget"
    await set_pace(company, number, portfolio_limit=None)
    said_no = {"p_company_id": company.id, "p_phone": STRANGERS[1], "p_scope": "all"}
    await company.project.rpc("add_suppression", said_no)
    suppressed = await queued(company, number, STRANGERS[1])
    assert await begun(company, suppressed) == {"action": "done", "status": "failed"}
    assert not await people(database, number)
    assert (await begun(company, waiting))["action"] == "send"
    assert await people(database, number) == 1


async def test_marketing_leaves_a_tenth_of_the_portfolio_to_the_rest(company: Company) -> None:
    number = company.tenant.meta
    await set_pace(company, number, portfolio_limit=10)
    phones = [f"+55119222300{n:02}" for n in range(12)]
    ids = [await queued(company, number, to, p_purpose="marketing") for to in phones[:10]]
    orders = await asyncio.gather(*(begun(company, id) for id in ids))
    assert sorted(order["action"] for order in orders) == ["send"] * 9 + ["wait"]
    ids = [await queued(company, number, to) for to in phones[10:]]
    assert [(await begun(company, id))["action"] for id in ids] == ["send", "wait"]


async def test_a_portfolio_belongs_to_one_company(company: Company, project: Any) -> None:
    """Whatever another company says its portfolio is called."""
    other = Company(await project.new_tenant("http://127.0.0.1:9"), company.api, project)
    for one in (other, company):
        await set_pace(one, one.tenant.meta, portfolio_id="1", portfolio_limit=1)
        id = await queued(one, one.tenant.meta, STRANGERS[0])
        assert (await begun(one, id))["action"] == "send"


async def test_two_numbers_of_a_portfolio_do_not_both_get_its_last_place(
    company: Company, project: Any, database: Any
) -> None:
    number = company.tenant.meta
    await set_pace(company, number, portfolio_id="1", portfolio_limit=1)
    twin = await project.new_tenant("http://127.0.0.1:9")
    await database.execute(
        "update instances set company_id = $1::text::uuid, portfolio_id = '1', portfolio_limit = 1"
        " where id = $2::text::uuid",
        company.id,
        twin.meta.instance_id,
    )
    ids = [
        await queued(company, one, to)
        for one, to in ((number, STRANGERS[0]), (twin.meta, STRANGERS[1]))
    ]
    orders = await asyncio.gather(*(begun(company, id) for id in ids))
    assert sorted(order["action"] for order in orders) == ["send", "wait"]


async def test_a_person_leaves_the_portfolio_a_day_after_the_last_message(
    company: Company, database: Any
) -> None:
    number = company.tenant.meta
    await set_pace(company, number, portfolio_limit=1)
    again = "update private.portfolio_recipients set written_at = written_at - $1::interval"
    for hours in (0, 23):
        await database.execute(again, timedelta(hours=hours))
        first = await begun(company, await queued(company, number, STRANGERS[0]))
        assert first["action"] == "send"
    await database.execute(again, timedelta(hours=2))
    held = await queued(company, number, STRANGERS[1])
    assert (await begun(company, held))["action"] == "wait"
    await database.execute(again, timedelta(hours=25))
    assert (await begun(company, held))["action"] == "send"


@pytest.mark.parametrize("change", ["rules", "clock"])
async def test_what_waits_for_quiet_hours_follows_their_change(
    change: str, connected_company: Company, database: Any
) -> None:
    company, number = connected_company, connected_company.tenant.evolution
    rules = ALL_DAYS
    if change == "clock":
        # Quiet for the next hours in one zone, and half a day away in another.
        hour = await database.fetchval("select extract(hour from now() at time zone 'UTC')::int")
        rules = {"quiet_from": f"{hour:02}:00", "quiet_until": f"{(hour + 3) % 24:02}:00"}
        await company.project.update("companies", {"time_zone": "UTC"}, id=f"eq.{company.id}")
    await company.project.insert("sending_rules", {"company_id": company.id} | rules)
    held = await send_by_api(company, number, STRANGERS[0])
    assert await waits(company, held) > 0
    mine = {"company_id": f"eq.{company.id}"}
    if change == "rules":
        await company.project.update("sending_rules", {"quiet_until": "00:00"}, **mine)
    else:
        zone = {"time_zone": "Etc/GMT-12"}
        await company.project.update("companies", zone, id=f"eq.{company.id}")
    await company.api.tick()
    await becomes(company, held, "read")


@pytest.mark.parametrize(
    ("limit", "change"),
    [
        ({"daily_cap": 0}, {"daily_cap": 1}),
        ({"gap_seconds": 3600}, {"gap_seconds": 0}),
        ({"warmup_started_on": "2020-01-01", "daily_cap": 0}, {"daily_cap": None}),
    ],
)
async def test_what_waits_for_a_number_follows_its_change(
    limit: Json, change: Json, connected_company: Company
) -> None:
    company, number = connected_company, connected_company.tenant.evolution
    await set_pace(company, number, **limit)
    if "gap_seconds" in limit:
        await becomes(company, await send_by_api(company, number, STRANGERS[1]), "read")
    held = await send_by_api(company, number, STRANGERS[0])
    await company.idle()
    assert (await company.message(held))["status"] == "queued"
    await set_pace(company, number, **change)
    await company.api.tick()
    await becomes(company, held, "read")


async def test_a_number_is_slowed_once_for_all_that_were_refused_together(
    company: Company, database: Any
) -> None:
    number = company.tenant.meta
    ids = [await queued(company, number, to) for to in STRANGERS[:3]]
    for id in ids:
        await begun(company, id)
    refused = {"p_attempt": 1, "p_outcome": "paused", "p_error_class": "throttle"}
    reaction = {"action": "slow_number", "scope": "instance", "wait_seconds": 30, "growth": 1}
    await asyncio.gather(
        *(
            company.project.rpc(
                "record_send_result", {"p_message_id": id, "p_reaction": reaction} | refused
            )
            for id in ids
        )
    )
    query = "select rate_per_second from private.job_limits where limit_key = $1"
    assert await database.fetchval(query, f"number:{number.instance_id}") == 40
