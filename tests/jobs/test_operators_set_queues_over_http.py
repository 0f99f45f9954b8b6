"""Pause, resume and limits of queues and keys, and the answers as they are described."""

from typing import Any
from uuid import uuid4

import httpx
import pytest
from pydantic import BaseModel

from functions.core.db import Database
from functions.jobs.jobs_bodies import Explanation
from functions.jobs.queue_bodies import (
    HealthOfQueue,
    KeySettings,
    QueueHealth,
    QueueRates,
    QueueState,
    Tick,
)
from functions.jobs.rpc import Queue
from tests.fixtures import CRON_SECRET, Api
from tests.jobs.conftest import Json, TestQueue

SECRET = {"authorization": f"Bearer {CRON_SECRET}"}


async def call(api: Api, method: str, path: str, body: Json | None = None) -> httpx.Response:
    return await api.http.request(method, f"/api/queue{path}", json=body, headers=SECRET)


async def test_a_paused_queue_starts_nothing(queue: TestQueue, api: Api) -> None:
    await queue.enqueue({})
    paused = await call(api, "POST", f"/queues/{queue.name}/pause")
    assert (paused.status_code, paused.json()["paused"]) == (200, True)
    assert await queue.claim() == []
    resumed = await call(api, "POST", f"/queues/{queue.name}/resume")
    assert resumed.json()["paused"] is False
    assert len(await queue.claim()) == 1


async def test_limits_that_are_not_named_stay(queue: TestQueue, api: Api) -> None:
    path = f"/queues/{queue.name}/limits"
    first = {"rate_per_second": 2.5, "burst": 7, "keep_failed": "90 days"}
    assert (await call(api, "PUT", path, first)).status_code == 200
    answer = (await call(api, "PUT", path, {"concurrency": 3})).json()
    assert first | {"concurrency": 3} == {name: answer[name] for name in [*first, "concurrency"]}
    answer = (await call(api, "PUT", path, {"rate_per_second": None})).json()
    assert (answer["rate_per_second"], answer["burst"]) == (None, 7)


async def test_a_key_may_be_any_text(queue: TestQueue, api: Api) -> None:
    key = f"meta/55 11:{uuid4().hex}"
    path = f"/keys/{key}/limits"
    answer = await call(api, "PUT", path, {"rate_per_second": 0.001, "burst": 1})
    assert answer.status_code == 200, answer.text
    assert KeySettings.model_validate(answer.json()).limit_key == key
    await queue.enqueue({"limit_key": key}, {"limit_key": key})
    assert len(await queue.claim()) == 1


@pytest.mark.parametrize(
    ("limits", "code"),
    [
        ('{"rate_per_second": 0}', "invalid_request"),
        ('{"rate_per_second": 1e400}', "invalid_request"),
        ('{"burst": 0}', "invalid_request"),
        ('{"burst": null}', "invalid_value"),
        ('{"concurrency": "many"}', "invalid_request"),
        ('{"keep_failed": "for ever"}', "invalid_value"),
        ('{"keep_failed": "-1 day"}', "invalid_value"),
        ('{"paused": true}', "invalid_request"),
        ("[]", "invalid_request"),
    ],
)
async def test_limits_that_make_no_sense_are_refused(
    limits: str, code: str, queue: TestQueue, api: Api
) -> None:
    headers = SECRET | {"content-type": "application/json"}
    path = f"/api/queue/queues/{queue.name}/limits"
    answer = await api.http.put(path, content=limits, headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (422, code), answer.text


@pytest.mark.parametrize(
    ("method", "end"), [("POST", "pause"), ("POST", "resume"), ("PUT", "limits")]
)
async def test_a_queue_that_is_not_there_is_not_found(method: str, end: str, api: Api) -> None:
    body = {"burst": 1} if method == "PUT" else None
    answer = await call(api, method, f"/queues/no-such-{uuid4().hex[:8]}/{end}", body)
    assert (answer.status_code, answer.json()["code"]) == (404, "queue_not_found")


async def test_every_act_is_written_down(queue: TestQueue, api: Api) -> None:
    await call(api, "POST", f"/queues/{queue.name}/pause")
    acts = await queue.project.rows("job_operations", **{"target->>queue": f"eq.{queue.name}"})
    assert [act["operation"] for act in acts] == ["pause"]


def assert_all_of(row: Json, model: type[BaseModel]) -> None:
    """What the database says is what the document says, nothing more and nothing less."""
    model.model_validate(row)
    assert set(row) == set(model.model_fields)


async def test_answers_are_as_described(queue: TestQueue, api: Api, db: Database) -> None:
    rpc = Queue(db)
    (job_id,) = await queue.enqueue({"limit_key": queue.name})
    await queue.settle(await queue.claim(), "retry", error="no", delay_seconds=60)
    stats: dict[str, Any] = await rpc.queue_stats()
    assert_all_of(stats[queue.name], QueueState)
    assert_all_of(stats[queue.name]["rates"], QueueRates)
    health = await rpc.queue_health()
    assert_all_of(health, QueueHealth)
    assert_all_of(health["queues"][queue.name], HealthOfQueue)
    assert_all_of(await rpc.operator().explain_job(job_id), Explanation)
    assert_all_of(await api.tick(), Tick)
    served = (await call(api, "GET", "/stats")).json()[queue.name]
    assert set(served) == set(stats[queue.name])
