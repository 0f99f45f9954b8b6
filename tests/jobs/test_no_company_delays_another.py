import asyncpg
import pytest

from local.stack import Stack
from tests.jobs.conftest import TestQueue
from tests.tenants import Tenant


async def test_ten_jobs_do_not_wait_for_ten_thousand(
    queue: TestQueue, tenant: Tenant, rival: Tenant
) -> None:
    for _ in range(10):
        await queue.enqueue(*({"company_id": tenant.company_id} for _ in range(1000)))
    late = await queue.enqueue(*({"company_id": rival.company_id} for _ in range(10)))
    claimed = await queue.claim(20)
    assert set(late) <= {job["id"] for job in claimed}
    assert len(claimed) == 20


async def test_what_one_does_not_use_the_other_gets(
    queue: TestQueue, tenant: Tenant, rival: Tenant
) -> None:
    await queue.enqueue(*({"company_id": tenant.company_id} for _ in range(200)))
    await queue.enqueue({"company_id": rival.company_id})
    assert len(await queue.claim(150)) == 150


@pytest.mark.parametrize("plans", ["enable_nestloop", "enable_hashjoin", "enable_mergejoin"])
async def test_single_claims_take_turns(
    plans: str, queue: TestQueue, tenant: Tenant, rival: Tenant, stack: Stack
) -> None:
    """Whatever the planner makes of the statistics of the day."""
    for company in (tenant, rival):
        await queue.enqueue(*({"company_id": company.company_id} for _ in range(3)))
    claim = "select (claim_jobs(1, 60, $1) -> 0 ->> 'company_id')::text"
    connection = await asyncpg.connect(stack.database_url)
    try:
        await connection.execute(f"set {plans} = off")
        claimed = [await connection.fetchval(claim, [queue.name]) for _ in range(6)]
    finally:
        await connection.close()
    assert {*claimed} == {tenant.company_id, rival.company_id}
    assert all(claimed[n] != claimed[n + 1] for n in (0, 2, 4))


async def test_numbers_of_a_company_take_turns_too(queue: TestQueue) -> None:
    await queue.enqueue(*({"limit_key": f"{queue.name}:busy"} for _ in range(100)))
    (quiet,) = await queue.enqueue({"limit_key": f"{queue.name}:quiet"})
    assert quiet in {job["id"] for job in await queue.claim(4)}
