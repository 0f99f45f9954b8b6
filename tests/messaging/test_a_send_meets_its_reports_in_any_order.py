"""What a provider reports of a message may come before its answer to the send, or instead of it."""

import itertools
from typing import Any
from uuid import uuid4

import pytest

from tests.messaging import bodies
from tests.messaging.conftest import Company
from tests.messaging.snapshots import now, snapshot
from tests.tenants import Number

Json = dict[str, Any]

STARTED = now()


async def being_sent(company: Company, number: Number, to: str) -> str:
    """A message whose provider is being called by a worker of ours: the test."""
    conversation = await company.conversation(number, to)
    id = str(uuid4())
    await company.project.insert(
        "messages",
        {"id": id, "company_id": company.id, "conversation_id": conversation, "body": "olá"},
    )
    # Nobody else works on it.
    later = {"run_at": "2099-01-01T00:00:00Z"}
    await company.project.update("queue_jobs", later, unique_key=f"eq.send:{id}")
    order = await company.project.rpc(
        "begin_send", {"p_message_id": id, "p_job_id": 0, "p_claim": 1}
    )
    assert (order["action"], order["attempt"]) == ("send", 1)
    return id


async def step(company: Company, number: Number, to: str, id: str, name: str) -> None:
    provider_id = f"ID-{id}"
    if name in ("accepted", "unknown"):
        await company.project.rpc(
            "record_send_result",
            {
                "p_message_id": id,
                "p_attempt": 1,
                "p_outcome": name,
                "p_provider_message_id": provider_id if name == "accepted" else None,
                "p_code": "read_timeout" if name == "unknown" else None,
            },
        )
    elif name == "echo":
        await company.post(number, bodies.echo(number, to, "olá", id=provider_id))
    else:
        report = bodies.status(number, to, provider_id, name, client_ref=id)
        await company.post(number, report)


STEPS = {
    ("evolution", "answered"): ("accepted", "echo", "sent", "delivered"),
    ("evolution", "answer lost"): ("unknown", "echo", "sent", "delivered"),
    ("meta", "answered"): ("accepted", "sent", "delivered", "read"),
    ("meta", "answer lost"): ("unknown", "sent", "delivered"),
    ("meta", "answer lost, failed"): ("unknown", "sent", "failed"),
}


@pytest.mark.parametrize(("provider", "case"), STEPS)
async def test_it_is_one_message_with_the_same_end(
    provider: str, case: str, company: Company
) -> None:
    number: Number = getattr(company.tenant, provider)
    orders = list(itertools.permutations(STEPS[provider, case]))
    people = [f"55119{70_000_000 + n:08d}" for n in range(len(orders))]
    ids = [await being_sent(company, number, to) for to in people]
    for steps in zip(*orders, strict=True):
        for to, id, name in zip(people, ids, steps, strict=True):
            await step(company, number, to, id, name)
        await company.settled()
    end = STEPS[provider, case][-1]
    found = (await snapshot(company, STARTED))["messages"]
    sent = {id: row | {"in": None} for id, row in found.items() if row["direction"] == "out"}
    live = {id for id, row in sent.items() if row["deleted_at"] is None}
    assert live == {f"ID-{id}" for id in ids}
    expected = sent[f"ID-{ids[0]}"]
    assert expected["status"] == end
    assert (expected["error_code"] is None) == (end != "failed")
    for id, steps in zip(ids, orders, strict=True):
        assert sent[f"ID-{id}"] == expected, steps
    for id in ids:
        assert (await company.message(id))["status"] == end
