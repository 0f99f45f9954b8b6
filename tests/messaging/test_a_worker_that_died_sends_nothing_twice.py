"""A worker may die at any point between writing its attempt and recording the answer."""

from typing import Any
from uuid import uuid4

import pytest

from tests.messaging import bodies
from tests.messaging.conftest import Company, Phones
from tests.messaging.test_provider_faults_end_in_the_right_status import (
    PERMANENT,
    attempts,
    becomes,
    send,
)

Json = dict[str, Any]

SENDER = "5511987654321"
DEAD = {"p_job_id": 0, "p_claim": 1}


async def abandoned(company: Company) -> str:
    """A message whose worker has written its attempt, and is gone; nobody knows whether it called.
    The job then comes to another worker."""
    conversation = await company.conversation(company.tenant.meta, SENDER)
    id = str(uuid4())
    await company.project.insert(
        "messages",
        {"id": id, "company_id": company.id, "conversation_id": conversation, "body": "oi"},
    )
    order = await company.project.rpc("begin_send", {"p_message_id": id} | DEAD)
    assert order["action"] == "send"
    again = await company.project.rpc("begin_send", {"p_message_id": id} | DEAD)
    assert again == order, "the same claim gets the same answer"
    await company.make_due()
    return id


async def late(company: Company, id: str, outcome: str) -> str:
    """The word of the worker that was taken for dead; the message's status afterwards."""
    params: Json = {"p_message_id": id, "p_attempt": 1, "p_outcome": outcome, "p_code": "late"}
    if outcome == "accepted":
        params |= {"p_provider_message_id": f"ID-{id}", "p_code": None}
    told = await company.project.rpc("record_send_result", params)
    status: str = told["status"]
    assert (await company.message(id))["status"] == status
    return status


async def test_the_next_worker_does_not_call(connected_company: Company, phones: Phones) -> None:
    company = connected_company
    id = await abandoned(company)
    message = await company.message(id)
    assert (message["status"], message["error_code"]) == ("unknown", "worker_died")
    (attempt,) = await company.rows("send_attempts", message_id=f"eq.{id}")
    assert attempt["outcome"] == "unknown"
    assert await phones.received(company.tenant.meta) == []
    (job,) = await company.rows("queue_jobs", unique_key=f"eq.send:{id}")
    assert job["status"] == "completed"


@pytest.mark.parametrize(
    ("fault", "status", "outcome", "on_phone"),
    [
        ({}, "accepted", "accepted", 1),
        ({"lose_times": 1}, "unknown", "unknown", 1),
        ({"fail_times": 1, **PERMANENT["evolution"]}, "failed", "permanent", 0),
    ],
)
async def test_what_was_recorded_is_the_end_of_it(
    fault: Json,
    status: str,
    outcome: str,
    on_phone: int,
    connected_company: Company,
    phones: Phones,
) -> None:
    """The worker dies after that, before it has settled: the job comes to another one."""
    company, number = connected_company, connected_company.tenant.evolution
    await phones.faults(number, drop_statuses=True, drop_echoes=True, **fault)
    id = await send(company, number)
    await becomes(company, id, status)
    await company.idle()
    (job,) = await company.rows("queue_jobs", unique_key=f"eq.send:{id}")
    assert job["status"] == "completed"
    again = {"type": "messages.send", "company_id": company.id, "data": {"message_id": id}}
    await company.project.rpc("enqueue_jobs", {"p_jobs": [again]})
    await company.api.tick()
    await company.settled()
    assert (await company.message(id))["status"] == status
    assert await attempts(company, id) == [outcome]
    assert len(await phones.received(number)) == on_phone


@pytest.mark.parametrize(
    ("outcome", "status"),
    [("accepted", "accepted"), ("unknown", "unknown"), ("permanent", "failed")],
)
async def test_its_late_word_counts(connected_company: Company, outcome: str, status: str) -> None:
    id = await abandoned(connected_company)
    for _ in range(2):
        assert await late(connected_company, id, outcome) == status


async def test_a_report_resolves_it(connected_company: Company) -> None:
    company = connected_company
    id = await abandoned(company)
    number = company.tenant.meta
    await company.post(number, bodies.status(number, SENDER, "X", "delivered", client_ref=id))
    await company.settled()
    message = await company.message(id)
    assert (message["status"], message["provider_message_id"]) == ("delivered", "X")


async def test_a_report_with_somebody_elses_reference_changes_nothing(
    connected_company: Company, company: Company
) -> None:
    """The reference is our id, which a stranger's number could repeat."""
    id = await abandoned(connected_company)
    other = await connected_company.project.new_tenant("http://127.0.0.1:9")
    stranger = Company(other, company.api, company.project)
    number = other.meta
    await stranger.post(number, bodies.status(number, SENDER, "X", "failed", client_ref=id))
    await stranger.settled()
    assert (await connected_company.message(id))["status"] == "unknown"


async def test_a_job_that_is_cancelled_ends_its_message(connected_company: Company) -> None:
    company = connected_company
    conversation = await company.conversation(company.tenant.meta, SENDER)
    id = str(uuid4())
    await company.project.insert(
        "messages",
        {"id": id, "company_id": company.id, "conversation_id": conversation, "body": "oi"},
    )
    ended = {"status": "cancelled", "completed_at": "2026-01-01T00:00:00Z"}
    await company.project.update("queue_jobs", ended, unique_key=f"eq.send:{id}")
    message = await company.message(id)
    assert (message["status"], message["error_code"]) == ("failed", "job_cancelled")
