"""A connection that only looks alive is found by a probe, rests, and goes on by itself."""

from typing import Any

import pytest

from tests.fixtures import until
from tests.messaging.conftest import Company, Phones
from tests.messaging.test_provider_faults_end_in_the_right_status import attempts, becomes, send
from tests.tenants import Number

Json = dict[str, Any]


async def instance(company: Company, number: Number) -> Json:
    (row,) = await company.rows("instances", id=f"eq.{number.instance_id}")
    found: Json = row
    return found


async def has_state(company: Company, number: Number, state: str) -> None:
    async def is_so() -> bool:
        return bool((await instance(company, number))["state"] == state)

    await until(is_so, what=f"state {state}")


@pytest.fixture
async def dead(connected_company: Company, phones: Phones) -> Number:
    """It says that it is open; what it takes never leaves."""
    company, number = connected_company, connected_company.tenant.evolution
    await company.project.update("instances", {"state": "open"}, id=f"eq.{number.instance_id}")
    await phones.faults(number, zombie=True)
    return number


async def send_many(company: Company, number: Number, count: int, database: Any) -> None:
    """Messages that were accepted eleven minutes ago, and no more."""
    for n in range(count):
        await becomes(company, await send(company, number, to=f"+55119777700{n:02}"), "accepted")
    async with database.transaction():
        await database.execute(  # reports may still come in: locks have one order
            "select private.lock_conversation(id, company_id) from conversations"
            " where company_id = $1::text::uuid order by id",
            company.id,
        )
        await database.execute(
            "update messages set accepted_at = accepted_at - interval '11 minutes'"
            " where company_id = $1::text::uuid",
            company.id,
        )


@pytest.mark.parametrize(("stuck", "waits"), [(0, False), (1, False), (4, False), (5, True)])
async def test_one_message_that_does_not_leave_brings_a_probe_and_five_hold_campaigns(
    stuck: int, waits: bool, connected_company: Company, dead: Number, database: Any
) -> None:
    company = connected_company
    await send_many(company, dead, stuck, database)
    await company.project.rpc("watch_numbers", {})
    jobs = await company.rows("queue_jobs", type="eq.messages.probe")
    assert len(jobs) == (stuck > 0)
    assert bool((await instance(company, dead))["campaigns_paused_until"]) == waits


async def test_what_a_live_number_took_is_not_suspected_again(
    connected_company: Company, dead: Number, phones: Phones, database: Any
) -> None:
    """Its report got lost."""
    company = connected_company
    await send_many(company, dead, 5, database)
    await phones.faults(dead, zombie=False)
    await company.project.rpc("watch_numbers", {})
    await company.make_due()
    await company.settled()
    assert (await company.project.rpc("watch_numbers", {}))["suspects"] == 0


async def test_it_rests_and_goes_on_when_it_lives_again(
    connected_company: Company, dead: Number, phones: Phones, database: Any
) -> None:
    company = connected_company
    await send_many(company, dead, 5, database)
    await company.project.rpc("watch_numbers", {})
    await company.api.tick()
    await has_state(company, dead, "degraded")
    row = await instance(company, dead)
    assert (row["cooldown_reason"], bool(row["cooldown_until"])) == ("degraded", True)
    held = await send(company, dead, to="+5511966660000")
    await company.idle()
    assert await attempts(company, held) == []

    await phones.faults(dead, zombie=False)
    await company.make_due()
    await has_state(company, dead, "open")
    assert (await instance(company, dead))["cooldown_until"] is None
    await company.make_due()
    await becomes(company, held, "read")


async def test_it_is_probed_until_it_lives(
    connected_company: Company, dead: Number, phones: Phones
) -> None:
    """By one job, and by another one where that was given up."""
    company = connected_company
    job = {"type": "messages.probe", "data": {"instance_id": dead.instance_id}}
    job |= {"company_id": company.id, "unique_key": f"probe:{dead.instance_id}"}
    await company.project.rpc("enqueue_jobs", {"p_jobs": [job]})
    for _ in range(4):
        await company.make_due()
        assert (await instance(company, dead))["state"] == "degraded"
        await company.project.rpc("watch_numbers", {})
    (planned,) = await company.rows("queue_jobs", type="eq.messages.probe")
    assert (planned["status"], planned["attempts"]) == ("pending", 0)

    await company.project.rpc("cancel_job", {"p_id": planned["id"]})
    await company.project.rpc("watch_numbers", {})
    await phones.faults(dead, zombie=False)
    await company.make_due()
    assert (await instance(company, dead))["state"] == "open"


async def test_a_number_that_lives_stays_open(
    connected_company: Company, dead: Number, phones: Phones
) -> None:
    company = connected_company
    await phones.faults(dead, zombie=False)
    job = {"type": "messages.probe", "data": {"instance_id": dead.instance_id}}
    await company.project.rpc("enqueue_jobs", {"p_jobs": [job | {"company_id": company.id}]})
    await company.api.tick()
    row = await instance(company, dead)
    assert (row["state"], row["cooldown_until"]) == ("open", None)


async def test_a_failure_of_the_connection_is_probed_at_once(
    connected_company: Company, dead: Number, phones: Phones
) -> None:
    company = connected_company
    closed = {"status": 400, "response": {"message": ["Error: Connection Closed"]}}
    await phones.faults(dead, fail_times=1, fail_status=400, fail_body=closed)
    id = await send(company, dead)
    await has_state(company, dead, "degraded")
    assert await attempts(company, id) == ["retryable"]
