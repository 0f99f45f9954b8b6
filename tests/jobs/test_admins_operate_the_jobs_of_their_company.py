"""/api/jobs: admins see and steer their company's jobs, others are told why not."""

from typing import Any

import httpx
import pytest

from tests.fixtures import Api
from tests.jobs.conftest import TestQueue
from tests.tenants import Tenant


async def call(
    api: Api, tenant: Tenant, role: str, method: str, path: str, json: Any = None
) -> httpx.Response:
    headers = {"authorization": f"Bearer {tenant.people[role].token}"}
    return await api.http.request(method, f"/api/jobs{path}", json=json, headers=headers)


async def failed_job(queue: TestQueue, tenant: Tenant) -> int:
    (job_id,) = await queue.enqueue({"company_id": tenant.company_id, "data": {"n": 1}})
    await queue.settle(await queue.claim(), "dead", error="broken")
    return job_id


@pytest.mark.parametrize("role", ["admin", "owner"])
async def test_list_explain_replay_cancel(
    role: str, api: Api, tenant: Tenant, queue: TestQueue
) -> None:
    # Paused, so that no drain of another test takes it.
    job_id = await failed_job(queue, tenant)
    await queue.change(paused=True)
    page = (await call(api, tenant, role, "GET", f"/failed?queue={queue.name}")).json()
    assert [(row["id"], row["error"]) for row in page["data"]] == [(job_id, "broken")]
    explained = (await call(api, tenant, role, "GET", f"/{job_id}")).json()
    assert (explained["reason"], explained["job"]["data"]) == ("ended", {"n": 1})
    replayed = await call(api, tenant, role, "POST", f"/{job_id}/replay")
    assert (replayed.status_code, replayed.json()["status"]) == (200, "pending")
    again = await call(api, tenant, role, "POST", f"/{job_id}/replay")
    assert (again.status_code, again.json()["code"]) == (409, "job_not_failed")
    explained = (await call(api, tenant, role, "GET", f"/{job_id}")).json()
    assert explained["reason"] == "queue_paused"
    cancelled = await call(api, tenant, role, "POST", f"/{job_id}/cancel", {"running": True})
    assert cancelled.json() == {"id": job_id, "status": "cancelled"}
    mine = {"company_id": f"eq.{tenant.company_id}", "order": "id"}
    acts = await queue.project.rows("job_operations", **mine)
    assert [(act["operation"], act["user_id"]) for act in acts] == [
        ("replay", tenant.people[role].id),
        ("cancel", tenant.people[role].id),
    ]


async def test_a_filter_means_the_jobs_of_the_company_alone(
    api: Api, tenant: Tenant, queue: TestQueue
) -> None:
    mine = await failed_job(queue, tenant)
    (others,) = await queue.enqueue({})
    await queue.settle(await queue.claim(), "dead", error="broken")
    await queue.change(paused=True)
    body = {"queue": queue.name, "error": "bro"}
    answer = await call(api, tenant, "admin", "POST", "/replay", body)
    assert answer.json() == {"replayed": 1, "left": 0}
    assert [(await queue.job(id))["status"] for id in (mine, others)] == ["pending", "failed"]
    answer = await call(api, tenant, "admin", "POST", "/cancel", {"type": "test"})
    assert answer.json() == {"cancelled": 1, "left": 0}


@pytest.mark.parametrize("role", ["agent", "viewer"])
async def test_who_is_no_admin_is_refused(
    role: str, api: Api, tenant: Tenant, queue: TestQueue
) -> None:
    job_id = await failed_job(queue, tenant)
    for method, path, status in (
        ("GET", "/failed", 403),
        ("GET", f"/{job_id}", 404),
        ("POST", f"/{job_id}/replay", 404),
        ("POST", f"/{job_id}/cancel", 404),
    ):
        answer = await call(api, tenant, role, method, path)
        assert answer.status_code == status, f"{path}: {answer.text}"
    for path in ("/cancel", "/replay"):
        answer = await call(api, tenant, role, "POST", path, {"queue": queue.name})
        assert (answer.status_code, answer.json()["code"]) == (403, "role_required")
    assert (await queue.job(job_id))["status"] == "failed"


async def test_a_body_that_is_not_understood_changes_nothing(
    api: Api, tenant: Tenant, queue: TestQueue
) -> None:
    for path, body in (("/cancel", {"queues": queue.name}), ("/replay", {"status": "completed"})):
        answer = await call(api, tenant, "admin", "POST", path, body)
        assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request")
    answer = await call(api, tenant, "admin", "GET", "/99999999999999999999")
    assert answer.status_code == 422
