"""Why a message failed: the earliest report says so, and no later one hides it."""

import itertools
from typing import Any

from tests.messaging import bodies
from tests.messaging.conftest import Company
from tests.tenants import Number

Json = dict[str, Any]

SENDER = "5511987654321"


def failed(number: Number, id: str, code: int, at: int) -> Json:
    content = bodies.status(number, SENDER, id, "failed", at=bodies.NOON + at)
    (entry,) = content["entry"][0]["changes"][0]["value"]["statuses"]
    entry["errors"] = [{"code": code, "title": f"reason {code}"}]
    return content


async def test_of_two_failures_the_earlier_one_counts_in_any_order(company: Company) -> None:
    number = company.tenant.meta
    steps = {
        "message": lambda id: bodies.echo(number, SENDER, "oi", id=id),
        "first": lambda id: failed(number, id, 131026, 10),
        "second": lambda id: failed(number, id, 131049, 20),
    }
    orders = list(itertools.permutations(steps))
    for place in range(len(steps)):
        contents = [steps[order[place]](f"FAILED{n}") for n, order in enumerate(orders)]
        await company.post(number, *contents)
        await company.settled()
    rows = await company.rows("messages")
    assert len(rows) == len(orders)
    assert {(row["status"], row["error_code"]) for row in rows} == {("failed", "131026")}
    assert {row["failed_at"] for row in rows} == {"2025-10-09T08:53:30+00:00"}


async def test_a_message_that_arrived_after_all_keeps_the_report(company: Company) -> None:
    number = company.tenant.meta
    await company.post(number, bodies.echo(number, SENDER, "oi", id="LATE"))
    await company.post(number, failed(number, "LATE", 131026, 10))
    await company.post(number, bodies.status(number, SENDER, "LATE", "delivered"))
    await company.settled()
    (message,) = await company.rows("messages")
    assert (message["status"], message["error_code"]) == ("delivered", None)
    (report,) = await company.rows("message_status_events", status="eq.failed")
    assert report["error"]["code"] == "131026"
