"""A failure pauses, slows, suppresses or converts what its class names, and nothing else."""

from typing import Any

import pytest

from functions.messaging.sending import _other_numbers
from tests.fixtures import until
from tests.messaging.conftest import Company, Phones
from tests.messaging.test_provider_faults_end_in_the_right_status import (
    attempts,
    becomes,
    retried,
    send,
)
from tests.tenants import Number

Json = dict[str, Any]

STRANGERS = [f"+55119333300{n:02}" for n in range(10)]


def graph(code: int) -> Json:
    error = {"error": {"code": code, "message": f"(#{code}) refused"}}
    return {"fail_times": 1, "fail_status": 400, "fail_body": error}


async def instance(company: Company, number: Number) -> Json:
    (row,) = await company.rows("instances", id=f"eq.{number.instance_id}")
    found: Json = row
    return found


async def reactions(company: Company) -> list[str]:
    rows = await company.rows("send_reactions", order="id")
    return [row["action"] for row in rows]


async def reacted(company: Company, *actions: str) -> None:
    async def has() -> bool:
        return await reactions(company) == list(actions)

    await until(has, what=f"reactions {actions}")


async def suppressions(company: Company, database: Any) -> list[tuple[str, str]]:
    rows = await database.fetch(
        "select scope, reason from private.suppression_requests where company_id = $1::text::uuid",
        company.id,
    )
    return [(row["scope"], row["reason"]) for row in rows]


async def heard(company: Company, number: Number, phone: str) -> None:
    """The contact writes, so that what follows is a reply."""
    await company.conversation(number, phone.removeprefix("+"))


async def test_a_wrong_configuration_waits_for_a_person(
    connected_company: Company, phones: Phones
) -> None:
    company, number = connected_company, connected_company.tenant.meta
    await phones.faults(number, **graph(190))
    id = await send(company, number)
    await retried(company, id, 1)
    row = await instance(company, number)
    assert (row["cooldown_until"], row["cooldown_reason"]) == ("infinity", "configuration")
    await company.api.tick()
    assert await attempts(company, id) == ["paused"]
    await company.project.rpc(
        "resume_sending", {"p_instance_id": number.instance_id, "p_company_id": company.id}
    )
    await company.make_due()
    await becomes(company, id, "read")
    assert len(await phones.received(number)) == 1


async def test_a_ban_rests_all_numbers_of_the_account_and_no_other(
    connected_company: Company, phones: Phones
) -> None:
    company, number = connected_company, connected_company.tenant.meta
    await phones.faults(number, **graph(368))
    id = await send(company, number)
    await retried(company, id, 1)
    assert (await instance(company, number))["cooldown_until"] == "infinity"
    assert (await instance(company, company.tenant.evolution))["cooldown_until"] is None
    await becomes(company, await send(company, company.tenant.evolution), "read")


async def test_too_fast_halves_the_rate_of_the_number(
    connected_company: Company, phones: Phones, database: Any
) -> None:
    company, number = connected_company, connected_company.tenant.meta
    for rate in (40, 20):
        await phones.faults(number, **graph(130429))
        id = await send(company, number)
        await retried(company, id, 1)
        key = f"number:{number.instance_id}"
        query = "select rate_per_second from private.job_limits where limit_key = $1"
        assert await database.fetchval(query, key) == rate
        await company.make_due()
        await becomes(company, id, "read")


async def test_a_contact_that_gets_too_much_rests_longer_each_time(
    connected_company: Company, phones: Phones
) -> None:
    company, number = connected_company, connected_company.tenant.meta
    id = await send(company, number, "antes")
    await becomes(company, id, "read")
    await phones.faults(number, **{**graph(131056), "fail_times": 3})
    id = await send(company, number)
    for count in (1, 2, 3):
        await retried(company, id, count)
        await company.make_due()
    await becomes(company, id, "read")
    rows = await company.rows("send_reactions", action="eq.pause_contact", order="id")
    waits = [
        round((timestamp(row["until"]) - timestamp(row["created_at"])).total_seconds())
        for row in rows
    ]
    assert waits == [4, 16, 64]


def timestamp(said: str) -> Any:
    from datetime import datetime

    return datetime.fromisoformat(said)


async def test_spam_pauses_campaigns_and_lets_replies_go_on(
    connected_company: Company, phones: Phones
) -> None:
    company, number = connected_company, connected_company.tenant.meta
    await heard(company, number, STRANGERS[0])
    await phones.faults(number, **graph(131048))
    first = await send(company, number, to=STRANGERS[1])
    await retried(company, first, 1)
    row = await instance(company, number)
    assert row["campaigns_paused_until"]
    assert row["cooldown_until"] is None
    await becomes(company, await send(company, number, to=STRANGERS[0]), "read")


async def test_a_closed_window_asks_for_a_template(
    connected_company: Company, phones: Phones
) -> None:
    company, number = connected_company, connected_company.tenant.meta
    await phones.faults(number, nack_times=1, nack_code="131047")
    id = await send(company, number)

    async def is_converted() -> bool:
        return bool((await company.message(id))["error_code"] == "window_closed")

    await until(is_converted, what="the reason window_closed")
    assert "template" in (await company.message(id))["error_detail"]


async def test_who_wants_no_marketing_is_suppressed_for_it(
    connected_company: Company, phones: Phones, database: Any
) -> None:
    company, number = connected_company, connected_company.tenant.meta
    await phones.faults(number, **graph(131050))
    await becomes(company, await send(company, number), "failed")
    assert await suppressions(company, database) == [("marketing", "131050")]


async def test_who_cannot_be_reached_twice_gets_no_marketing_but_answers(
    connected_company: Company, phones: Phones, database: Any
) -> None:
    company, number = connected_company, connected_company.tenant.meta
    for expected in ([], [("marketing", "131026")]):
        await phones.faults(number, nack_times=1, nack_code="131026")
        id = await send(company, number)
        await becomes(company, id, "failed")
        await company.settled()
        assert await suppressions(company, database) == expected
    await becomes(company, await send(company, number, "resposta"), "read")


async def test_who_was_reached_in_between_is_not(
    connected_company: Company, phones: Phones, database: Any
) -> None:
    company, number = connected_company, connected_company.tenant.meta
    for refusals in (1, 0, 1):
        await phones.faults(number, nack_times=refusals, nack_code="131026")
        await becomes(company, await send(company, number), "failed" if refusals else "read")
        await company.settled()
    assert await suppressions(company, database) == []


async def test_a_deferred_message_is_tried_once_more_after_a_day(
    connected_company: Company, phones: Phones
) -> None:
    company, number = connected_company, connected_company.tenant.meta
    await phones.faults(number, **{**graph(131049), "fail_times": 3})
    id = await send(company, number)
    await retried(company, id, 1)
    (job,) = await company.rows("queue_jobs", unique_key=f"eq.send:{id}")
    waits = timestamp(job["run_at"]) - timestamp(job["created_at"])
    assert 86_000 < waits.total_seconds() < 87_000
    await company.make_due()
    await becomes(company, id, "failed")
    assert await attempts(company, id) == ["retryable", "retryable"]


async def test_a_cold_lock_holds_first_messages_and_lets_replies_go_on(
    connected_company: Company, phones: Phones
) -> None:
    company, number = connected_company, connected_company.tenant.evolution
    await heard(company, number, STRANGERS[0])
    await phones.faults(number, cold_lock=True)
    await becomes(company, await send(company, number, to=STRANGERS[1]), "failed")
    await reacted(company, "block_cold")
    assert (await instance(company, number))["cold_blocked_until"]
    held = await send(company, number, to=STRANGERS[2])
    reply = await send(company, number, "resposta", to=STRANGERS[0])
    # The fake knows only contacts that wrote to it.
    await becomes(company, reply, "read", "failed")
    assert await attempts(company, reply) == ["accepted"]
    assert await attempts(company, held) == []
    assert (await company.message(held))["status"] == "queued"


async def test_three_refused_first_messages_are_taken_for_a_cold_lock(
    connected_company: Company, phones: Phones
) -> None:
    company, number = connected_company, connected_company.tenant.evolution
    await phones.faults(number, nack_times=3)
    for stranger in STRANGERS[:2]:
        await becomes(company, await send(company, number, to=stranger), "failed")
    await company.settled()
    assert await reactions(company) == []
    await becomes(company, await send(company, number, to=STRANGERS[2]), "failed")
    await reacted(company, "block_cold")


async def test_a_refused_template_three_times_is_told_to_its_campaigns(
    connected_company: Company, phones: Phones
) -> None:
    company, number = connected_company, connected_company.tenant.meta
    template = {"name": "oferta", "language": "pt_BR", "components": []}
    for stranger in STRANGERS[:3]:
        await phones.faults(number, **graph(132000))
        id = await send(company, number, to=stranger, type="template", template=template)
        await becomes(company, id, "failed")
    (row,) = await company.rows("send_reactions")
    assert (row["action"], row["subject"], row["class"]) == (
        "pause_campaign",
        "oferta",
        "template_request",
    )


async def test_the_form_of_the_phone_under_which_it_arrived_is_kept(
    connected_company: Company, phones: Phones
) -> None:
    company, number = connected_company, connected_company.tenant.meta
    for _ in range(2):
        await becomes(company, await send(company, number, to="+5531987654321"), "read")
    rows = await company.rows("contact_identities", kind="eq.wa_id")
    assert [row["value"] for row in rows] == ["553187654321"]
    (conversation,) = await company.rows("conversations")
    assert conversation["address"] == "553187654321"


@pytest.mark.parametrize(
    ("to", "others"),
    [
        ("5531987654321", ["553187654321"]),
        ("553187654321@s.whatsapp.net", ["5531987654321"]),
        ("14155550100", []),
        ("123456789012345@lid", []),
        ("120363041234567890@g.us", []),
    ],
)
def test_a_phone_that_is_not_on_whatsapp_has_its_other_form(to: str, others: list[str]) -> None:
    assert _other_numbers(to) == others
