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


async def test_single_claims_take_turns(queue: TestQueue, tenant: Tenant, rival: Tenant) -> None:
    for company in (tenant, rival):
        await queue.enqueue(*({"company_id": company.company_id} for _ in range(3)))
    claimed = [(await queue.claim(1))[0]["company_id"] for _ in range(6)]
    assert all(claimed[n] != claimed[n + 1] for n in (0, 2, 4))


async def test_numbers_of_a_company_take_turns_too(queue: TestQueue) -> None:
    await queue.enqueue(*({"limit_key": f"{queue.name}:busy"} for _ in range(100)))
    (quiet,) = await queue.enqueue({"limit_key": f"{queue.name}:quiet"})
    assert quiet in {job["id"] for job in await queue.claim(4)}
