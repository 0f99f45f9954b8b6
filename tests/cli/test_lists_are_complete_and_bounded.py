"""Lists of jobs: each state has its jobs, pages neither repeat nor leave out, data stays out."""

from typing import Any

import httpx
import pytest

from functions.app import create_app
from functions.core.db import Database
from functions.core.settings import Settings
from functions.jobs.lists import JobLists
from tests.fixtures import serving
from tests.jobs.conftest import TestQueue
from tests.tenants import Project, Tenant

Json = dict[str, Any]


@pytest.fixture
def lists(db: Database) -> JobLists:
    return JobLists(db.as_service())


async def ids(lists: JobLists, queue: TestQueue, state: Any = None, **more: Any) -> list[int]:
    page = await lists.list_jobs(queue=queue.name, state=state, **more)
    return [job["id"] for job in page["data"]]


async def walked(lists: JobLists, limit: int, **which: Any) -> list[int]:
    """All ids of a list, page by page."""
    found: list[int] = []
    cursor = None
    while True:
        page = await lists.list_jobs(limit=limit, cursor=cursor, **which)
        assert len(page["data"]) <= limit
        found += [job["id"] for job in page["data"]]
        cursor = page["next_cursor"]
        if cursor is None:
            return found


async def test_every_state_lists_its_jobs_in_its_order(lists: JobLists, queue: TestQueue) -> None:
    low, high, failed, cancelled, done = await queue.enqueue(
        {}, {"priority": 9}, {"priority": 8}, {"priority": 7}, {"priority": 6}
    )
    later, soon = await queue.enqueue({"delay_seconds": 900}, {"delay_seconds": 600})
    first, *_ = claimed = await queue.claim(4)
    assert first["id"] == high
    by_id = {job["id"]: job for job in claimed}
    await queue.settle([by_id[failed]], "dead", error="gone")
    await queue.settle([by_id[cancelled]], "cancelled")
    await queue.settle([by_id[done]], "ok")
    assert await ids(lists, queue, "running") == [high]
    assert await ids(lists, queue, "waiting") == [low]
    assert await ids(lists, queue, "scheduled") == [soon, later]
    assert await ids(lists, queue, "failed") == [failed]
    assert await ids(lists, queue, "cancelled") == [cancelled]
    assert await ids(lists, queue, "completed") == [done]
    assert await ids(lists, queue) == [soon, later, done, cancelled, failed, high, low]
    assert await ids(lists, queue, "failed", error="gon") == [failed]
    assert await ids(lists, queue, "failed", error="other") == []


async def test_a_job_behind_another_is_listed_as_waiting(lists: JobLists, queue: TestQueue) -> None:
    made = await queue.enqueue(*({"order_key": "one"} for _ in range(60)))
    (running,) = await queue.claim(50)
    waiting = await walked(lists, 7, queue=queue.name, state="waiting")
    assert sorted([running["id"], *waiting]) == made
    assert any(job["parked"] for job in await queue.project.rows("queue_jobs", id=f"gt.{made[0]}"))


@pytest.mark.parametrize("state", ["waiting", "scheduled", "failed", None])
async def test_pages_neither_repeat_nor_leave_out(
    lists: JobLists, queue: TestQueue, tenant: Tenant, state: Any
) -> None:
    delay = 600 if state == "scheduled" else 0
    made = await queue.enqueue(
        *(
            # Two companies and three priorities: lists merge what stands in many places.
            {"priority": n % 3, "delay_seconds": delay + n % 5, "company_id": company}
            for n, company in zip(range(40), [None, tenant.company_id] * 20, strict=True)
        )
    )
    for job in made if state == "waiting" else []:
        await queue.make_due(job)
    if state == "failed":
        for job in made:
            await queue.make_due(job)
        while claimed := await queue.claim():
            await queue.settle(claimed, "dead", error="gone")
    found = await walked(lists, 7, queue=queue.name, state=state)
    assert sorted(found) == made
    assert await walked(lists, 200, queue=queue.name, state=state) == found
    theirs = await walked(lists, 7, queue=queue.name, state=state, company_id=tenant.company_id)
    assert sorted(theirs) == made[1::2]


async def test_what_is_rare_is_found_page_by_page(lists: JobLists, queue: TestQueue) -> None:
    (rare,) = await queue.enqueue({"type": "rare"})
    await queue.enqueue(*({"delay_seconds": 3600} for _ in range(1000)))
    assert await ids(lists, queue, type="rare") == []  # not among those that a page looks at
    assert await walked(lists, 50, queue=queue.name, type="rare") == [rare]


async def test_lists_hold_no_data_results_or_keys(lists: JobLists, queue: TestQueue) -> None:
    secret = {"data": {"to": "confidencial"}, "order_key": "confidencial"}
    await queue.enqueue(secret | {"limit_key": "confidencial", "unique_key": "confidencial"})
    (job,) = (await lists.list_jobs(queue=queue.name))["data"]
    assert "confidencial" not in str(job)
    assert "confidencial" not in str(await lists.watch_jobs(10))


async def test_a_count_is_what_an_operation_would_change(
    lists: JobLists, queue: TestQueue, project: Project
) -> None:
    await queue.enqueue({}, {"delay_seconds": 600}, {"delay_seconds": 600})
    which = {"queue": queue.name, "state": "scheduled"}
    assert await lists.count_jobs(which) == 2
    cancelled = await project.rpc("cancel_jobs", {"p_queue": queue.name, "p_state": "scheduled"})
    assert cancelled["cancelled"] == 2
    assert await lists.count_jobs({"queue": queue.name}, "cancelled") == 2


async def test_senseless_states_and_cursors_are_refused(project: Project) -> None:
    for params in ({"p_state": "lost"}, {"p_cursor": "x'; drop"}, {"p_cursor": "1_2_3"}):
        answer = await project.http.post(
            f"{project.url}/rest/v1/rpc/list_jobs", json=params, headers=project.headers()
        )
        assert answer.status_code == 422, answer.text


async def test_admins_list_the_jobs_of_their_company(
    settings: Settings, queue: TestQueue, tenant: Tenant
) -> None:
    theirs, _, stranger = await queue.enqueue(
        {"company_id": tenant.company_id}, {"company_id": tenant.company_id}, {}
    )
    async with serving(create_app(settings)) as url, httpx.AsyncClient(base_url=url) as http:

        async def listed(role: str, **params: Any) -> httpx.Response:
            headers = {"authorization": f"Bearer {tenant.people[role].token}"}
            return await http.get("/api/jobs", params=params, headers=headers)

        page = (await listed("admin", state="waiting", limit=1)).json()
        assert [job["id"] for job in page["data"]] == [theirs]
        more = (await listed("owner", state="waiting", cursor=page["next_cursor"])).json()
        assert [job["id"] for job in more["data"]] == [theirs + 1]
        assert stranger not in [job["id"] for job in (await listed("admin")).json()["data"]]
        assert (await listed("agent")).status_code == 403
        assert (await listed("admin", state="lost")).status_code == 422
        assert (await http.get("/api/jobs")).status_code == 401
