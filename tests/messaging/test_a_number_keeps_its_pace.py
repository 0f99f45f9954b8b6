"""What a company says on its own account keeps the pace of its number; replies go at once."""

from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import pytest

from tests.messaging.conftest import Company, Phones
from tests.messaging.test_provider_faults_end_in_the_right_status import attempts, becomes, send
from tests.tenants import Number

Json = dict[str, Any]

STRANGERS = [f"+55119222200{n:02}" for n in range(10)]
ALL_DAYS = {"quiet_from": "00:00", "quiet_until": "23:59:59.999999"}


async def set_pace(company: Company, number: Number, **pace: Any) -> None:
    await company.project.update("instances", pace, id=f"eq.{number.instance_id}")


async def send_by_api(company: Company, number: Number, to: str, **more: Any) -> str:
    """As a program would, with nobody at the keyboard."""
    id = str(uuid4())
    message = {"p_id": id, "p_company_id": company.id, "p_body": "oi"}
    to_whom = {"p_instance_id": number.instance_id, "p_to": to}
    await company.project.rpc("send_message", message | to_whom | more)
    await company.api.tick()
    return id


async def waits(company: Company, id: str) -> float:
    """For how many seconds a message that has not been begun will wait."""
    assert await attempts(company, id) == []
    assert (await company.message(id))["status"] == "queued"
    (job,) = await company.rows("queue_jobs", unique_key=f"eq.send:{id}")
    assert job["attempts"] == 0
    return (datetime.fromisoformat(job["run_at"]) - datetime.now(UTC)).total_seconds()


async def test_quiet_hours_hold_what_nobody_asked_for(
    connected_company: Company, phones: Phones
) -> None:
    company, number = connected_company, connected_company.tenant.evolution
    await company.conversation(number, STRANGERS[0][1:])
    await company.project.insert("sending_rules", {"company_id": company.id} | ALL_DAYS)
    held = await send_by_api(company, number, STRANGERS[1])
    assert 0 < await waits(company, held) <= 86_400
    reply = await send_by_api(company, number, STRANGERS[0])
    await becomes(company, reply, "read")
    by_a_person = await send(company, number, to=STRANGERS[2])
    await becomes(company, by_a_person, "read")
    await company.project.update(
        "sending_rules", {"quiet_until": "00:00"}, company_id=f"eq.{company.id}"
    )
    await company.make_due()
    await becomes(company, held, "read")


async def test_who_writes_gets_at_once_what_was_held_back(
    connected_company: Company, phones: Phones
) -> None:
    company, number = connected_company, connected_company.tenant.evolution
    await company.project.insert("sending_rules", {"company_id": company.id} | ALL_DAYS)
    held, other = [await send_by_api(company, number, to) for to in STRANGERS[:2]]
    assert await waits(company, held) > 0
    await company.conversation(number, STRANGERS[0][1:])
    await becomes(company, held, "read")
    assert await waits(company, other) > 0


@pytest.mark.parametrize(
    ("zone", "at", "days", "until"),
    [
        ("America/Sao_Paulo", "2026-03-10 22:30:00Z", [], None),
        ("America/Sao_Paulo", "2026-03-10 23:30:00Z", [], "2026-03-11 11:00:00Z"),
        ("America/Sao_Paulo", "2026-03-11 10:59:00Z", [], "2026-03-11 11:00:00Z"),
        ("Asia/Tokyo", "2026-03-11 10:59:00Z", [], None),
        ("America/Sao_Paulo", "2026-03-14 15:00:00Z", [6, 7], "2026-03-16 11:00:00Z"),
        ("Nowhere/Else", "2026-03-10 21:30:00Z", [], "2026-03-11 08:00:00Z"),
        # Nights of eleven and of thirteen hours.
        ("America/New_York", "2026-03-08 06:00:00Z", [], "2026-03-08 12:00:00Z"),
        ("America/New_York", "2026-11-01 05:00:00Z", [], "2026-11-01 13:00:00Z"),
    ],
)
async def test_quiet_hours_follow_the_clock_of_the_company(
    zone: str, at: str, days: list[int], until: str | None, company: Company, database: Any
) -> None:
    await company.project.update("companies", {"time_zone": zone}, id=f"eq.{company.id}")
    rules = {"company_id": company.id, "quiet_from": "20:00", "quiet_until": "08:00"}
    await company.project.insert("sending_rules", rules | {"quiet_days": days})
    found = await database.fetchval(
        "select private.quiet_until($1::text::uuid, $2::text::timestamptz)", company.id, at
    )
    assert found == (until and datetime.fromisoformat(until))


async def test_a_daily_cap_counts_whom_a_number_writes_to_first(
    connected_company: Company,
) -> None:
    company, number = connected_company, connected_company.tenant.evolution
    await company.conversation(number, STRANGERS[0][1:])
    await set_pace(company, number, daily_cap=2)
    for stranger in STRANGERS[1:3]:
        await becomes(company, await send_by_api(company, number, stranger), "read")
    assert 0 < await waits(company, await send_by_api(company, number, STRANGERS[3])) <= 86_400
    for _ in range(2):
        await becomes(company, await send_by_api(company, number, STRANGERS[0]), "read")


async def test_a_fresh_number_warms_up_by_the_steps_of_its_days(
    company: Company, database: Any
) -> None:
    query = (
        "select private.daily_cap(jsonb_populate_record(instance, $2::text::jsonb), current_date)"
        " from instances as instance where id = $1::text::uuid"
    )
    for started, cap, allowed in (
        ("current_date", "null", 20),
        ("current_date - 4", "null", 50),
        ("current_date - 4", "30", 30),
        ("current_date - 13", "null", 200),
        ("current_date - 14", "null", None),
        ("current_date - 14", "500", 500),
    ):
        day = await database.fetchval(f"select ({started})::text")
        pace = f'{{"warmup_started_on": "{day}", "daily_cap": {cap}}}'
        found = await database.fetchval(query, company.tenant.meta.instance_id, pace)
        assert found == allowed, (started, cap)


async def test_a_gap_parts_all_messages_of_a_number(
    connected_company: Company, database: Any
) -> None:
    company, number = connected_company, connected_company.tenant.evolution
    await set_pace(company, number, gap_seconds=600, jitter_seconds=60)
    await becomes(company, await send_by_api(company, number, STRANGERS[0]), "read")
    second = await send_by_api(company, number, STRANGERS[1])
    assert await attempts(company, second) == []
    key = f"number:{number.instance_id}"
    seconds = await database.fetchval(
        "select extract(epoch from blocked_until - now())::float"
        " from private.job_limits where limit_key = $1",
        key,
    )
    assert 590 < seconds <= 660
    await database.execute("update private.number_paces set next_at = now()")
    await company.project.rpc(
        "set_key_limits", {"p_limit_key": key, "p_limits": {"blocked_until": None}}
    )
    await company.make_due()
    await becomes(company, second, "read")


async def test_a_rate_is_the_bucket_of_the_number(company: Company, database: Any) -> None:
    number = company.tenant.meta
    query = "select rate_per_second from private.job_limits where limit_key = $1"
    for per_minute, per_second in ((30, 0.5), (None, None)):
        await set_pace(company, number, rate_per_minute=per_minute)
        found = await database.fetchval(query, f"number:{number.instance_id}")
        assert found == per_second


async def test_numbers_of_a_portfolio_share_whom_they_write_to_first(
    connected_company: Company, phones: Phones
) -> None:
    company, number = connected_company, connected_company.tenant.meta
    await set_pace(company, number, portfolio_limit=1)
    template = {"name": "aviso", "language": "pt_BR"}
    as_template = {"p_type": "template", "p_body": None, "p_payload": {"template": template}}
    for _ in range(2):
        first = await send_by_api(company, number, STRANGERS[0], **as_template)
        await becomes(company, first, "read")
    second = await send_by_api(company, number, STRANGERS[1], **as_template)
    assert await waits(company, second) > 0
    await company.conversation(number, STRANGERS[2][1:])
    await becomes(company, await send_by_api(company, number, STRANGERS[2]), "read")
    assert len(await phones.received(number)) == 3


async def test_the_last_place_of_a_portfolio_is_given_once(company: Company, database: Any) -> None:
    import asyncio

    number = company.tenant.meta
    await set_pace(company, number, portfolio_limit=3)
    ids = []
    for stranger in STRANGERS:
        id = str(uuid4())
        ids.append(id)
        await company.project.rpc(
            "send_message",
            {
                "p_id": id,
                "p_company_id": company.id,
                "p_type": "template",
                "p_payload": {"template": {"name": "aviso", "language": "pt_BR"}},
                "p_instance_id": number.instance_id,
                "p_to": stranger,
            },
        )
    orders = await asyncio.gather(
        *(
            company.project.rpc("begin_send", {"p_message_id": id, "p_job_id": 0, "p_claim": 1})
            for id in ids
        )
    )
    assert sorted(order["action"] for order in orders) == ["send"] * 3 + ["wait"] * 7
