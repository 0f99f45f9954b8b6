"""Whatever a provider answers or does not answer: nobody gets a message twice, none is lost, and
its status says what is known."""

from typing import Any
from uuid import uuid4

import httpx
import pytest

from tests.fixtures import until
from tests.messaging.conftest import Company, Phones
from tests.tenants import Number

Json = dict[str, Any]

PROVIDERS = ("evolution", "meta")
GRAPH_BUSY = {"error": {"code": 131000, "message": "Something went wrong"}}
GRAPH_SLOW = {"error": {"code": 130429, "message": "Rate limit hit"}}
GRAPH_INVALID = {"error": {"code": 131009, "message": "Parameter value is not valid"}}
EVOLUTION_CLOSED = {"status": 400, "response": {"message": ["Error: Connection Closed"]}}
EVOLUTION_INVALID = {"status": 400, "response": {"message": ["body is wrong"]}}

# Not sent, and worth another attempt.
RETRYABLE: dict[str, Json] = {
    "evolution": {"fail_status": 400, "fail_body": EVOLUTION_CLOSED},
    "meta": {"fail_status": 500, "fail_body": GRAPH_BUSY},
}
# Not sent, and the number is to rest.
PAUSED: dict[str, Json] = {
    "evolution": {"fail_status": 401, "fail_body": {"status": 401, "error": "Unauthorized"}},
    "meta": {"fail_status": 429, "fail_body": GRAPH_SLOW},
}
# Not sent, and never will be.
PERMANENT: dict[str, Json] = {
    "evolution": {"fail_status": 400, "fail_body": EVOLUTION_INVALID},
    "meta": {"fail_status": 400, "fail_body": GRAPH_INVALID},
}


@pytest.fixture(params=PROVIDERS)
def number(request: pytest.FixtureRequest, connected_company: Company) -> Number:
    found: Number = getattr(connected_company.tenant, request.param)
    return found


async def send(company: Company, number: Number, body: str | None = "oi", **more: Any) -> str:
    id = str(uuid4())
    message = {
        "id": id,
        "instance_id": number.instance_id,
        "to": "+5511987654321",
        "body": body,
    }
    answer = await company.api.send(company.tenant.people["agent"], message | more)
    assert answer.status_code == 202, answer.text
    return id


async def becomes(company: Company, id: str, *statuses: str) -> Json:
    async def has() -> Any:
        row = await company.message(id)
        return row if row["status"] in statuses else None

    row: Json = await until(has, what=f"status {statuses}")
    return row


async def attempts(company: Company, id: str) -> list[str]:
    rows = await company.rows("send_attempts", message_id=f"eq.{id}", order="attempt")
    return [row["outcome"] for row in rows]


async def retried(company: Company, id: str, count: int) -> None:
    """Returns when `count` attempts have ended and their job waits for its time."""

    async def have_ended() -> bool:
        outcomes = await attempts(company, id)
        return len(outcomes) == count and None not in outcomes

    await until(have_ended, what=f"{count} attempts")
    await company.idle()


async def test_a_refusal_that_passes_is_tried_again(
    connected_company: Company, number: Number, phones: Phones
) -> None:
    company = connected_company
    await phones.faults(number, fail_times=2, **RETRYABLE[number.provider])
    id = await send(company, number)
    await retried(company, id, 1)
    assert (await company.message(id))["status"] == "sending"
    await company.make_due()
    await company.make_due()
    row = await becomes(company, id, "read")
    assert await attempts(company, id) == ["retryable", "retryable", "accepted"]
    assert (row["error_code"], row["failed_at"]) == (None, None)
    assert len(await phones.received(number)) == 1


async def test_a_refusal_that_stays_fails_after_five_attempts(
    connected_company: Company, number: Number, phones: Phones
) -> None:
    company = connected_company
    await phones.faults(number, fail_times=9, **RETRYABLE[number.provider])
    id = await send(company, number)
    await retried(company, id, 1)
    for _ in range(5):
        await company.make_due()
    row = await becomes(company, id, "failed")
    assert await attempts(company, id) == ["retryable"] * 5
    assert row["error_code"]
    assert row["failed_at"]
    assert await phones.received(number) == []


async def test_a_final_refusal_fails_at_once(
    connected_company: Company, number: Number, phones: Phones
) -> None:
    await phones.faults(number, fail_times=1, **PERMANENT[number.provider])
    id = await send(connected_company, number)
    row = await becomes(connected_company, id, "failed")
    assert await attempts(connected_company, id) == ["permanent"]
    assert row["error_code"]
    assert row["error_detail"]
    await connected_company.make_due()
    assert await phones.received(number) == []


async def test_a_paused_number_rests_and_costs_no_attempt(
    connected_company: Company, number: Number, phones: Phones
) -> None:
    company = connected_company
    await phones.faults(number, fail_times=1, **PAUSED[number.provider])
    first = await send(company, number)
    await retried(company, first, 1)
    (instance,) = await company.rows("instances", id=f"eq.{number.instance_id}")
    assert instance["cooldown_until"]
    # Others of this number wait without calling.
    second = await send(company, number, to="+5511911110000")
    await company.idle()
    assert (await company.message(second))["status"] == "queued"
    assert await attempts(company, second) == []
    jobs = await company.rows("queue_jobs", type="eq.messages.send", status="eq.pending")
    assert [job["attempts"] for job in jobs] == [0, 0]
    await company.make_due()
    await becomes(company, first, "read")
    await becomes(company, second, "read")
    assert len(await phones.received(number)) == 2


async def test_too_much_to_one_contact_rests_that_contact_only(
    connected_company: Company, phones: Phones
) -> None:
    company, number = connected_company, connected_company.tenant.meta
    pair_rate = {"error": {"message": "(#131056) pair rate limit hit", "code": 131056}}
    await phones.faults(number, fail_times=1, fail_status=400, fail_body=pair_rate)
    first = await send(company, number)
    await retried(company, first, 1)
    (instance,) = await company.rows("instances", id=f"eq.{number.instance_id}")
    assert instance["cooldown_until"] is None
    second = await send(company, number, to="+5511911110000")
    await becomes(company, second, "read")
    await company.make_due()
    await becomes(company, first, "read")


@pytest.mark.parametrize("fault", ["lose_times", "gateway_times", "anonymous_times"])
async def test_a_lost_answer_is_resolved_by_what_the_provider_reports(
    connected_company: Company, number: Number, phones: Phones, fault: str
) -> None:
    company = connected_company
    await phones.faults(number, **{fault: 1})
    id = await send(company, number, "só uma vez")
    row = await becomes(company, id, "read")
    assert row["provider_message_id"]
    assert row["error_code"] is None
    assert await attempts(company, id) == ["unknown"]
    await company.make_due()
    assert [message["body"] for message in await phones.received(number)] == ["só uma vez"]
    assert len(await company.rows("messages", deleted_at="is.null")) == 1


async def test_an_answer_that_never_comes_stays_unknown_and_is_not_sent_again(
    connected_company: Company, number: Number, phones: Phones
) -> None:
    company = connected_company
    await phones.faults(number, lose_times=1, drop_statuses=True, drop_echoes=True)
    id = await send(company, number)
    row = await becomes(company, id, "unknown")
    assert row["error_code"]
    await company.api.tick()
    assert (await company.message(id))["status"] == "unknown"
    assert len(await phones.received(number)) == 1
    # Nor does the same call send it again.
    message = {"id": id, "instance_id": number.instance_id, "to": "+5511987654321", "body": "oi"}
    answer = await company.api.send(company.tenant.people["agent"], message)
    assert answer.json()["status"] == "unknown"
    await company.settled()
    assert len(await phones.received(number)) == 1


async def test_a_number_that_is_not_on_whatsapp_fails(
    connected_company: Company, number: Number, phones: Phones, whatsapp: httpx.AsyncClient
) -> None:
    # A mobile, and its form without the ninth digit, which is tried too.
    digits = f"8{uuid4().int % 10**7:07d}"
    absent = f"55119{digits}"
    for form in (absent, f"5511{digits}"):
        await whatsapp.post("/_fake/contacts", json={"number": form, "exists": False})
    id = await send(connected_company, number, to=f"+{absent}")
    row = await becomes(connected_company, id, "failed")
    assert row["error_code"] == ("131026" if number.provider == "meta" else "not_on_whatsapp")
    assert absent not in str(row["error_detail"])
    await connected_company.make_due()
    assert await phones.received(number) == []


async def test_a_server_that_is_away_is_tried_again(
    connected_company: Company, number: Number, phones: Phones
) -> None:
    company = connected_company
    (instance,) = await company.rows("instances", id=f"eq.{number.instance_id}")
    where = {"id": f"eq.{number.instance_id}"}
    await company.project.update("instances", {"base_url": "http://127.0.0.1:9"}, **where)
    id = await send(company, number)
    await retried(company, id, 1)
    assert await attempts(company, id) == ["retryable"]
    await company.project.update("instances", {"base_url": instance["base_url"]}, **where)
    await company.make_due()
    await becomes(company, id, "read")
    assert len(await phones.received(number)) == 1


async def test_a_conversation_sends_in_order_while_one_is_retried(
    connected_company: Company, number: Number, phones: Phones
) -> None:
    company = connected_company
    await phones.faults(number, fail_times=2, **RETRYABLE[number.provider])
    ids = [await send(company, number, "primeira")]
    await retried(company, ids[0], 1)
    ids += [await send(company, number, body) for body in ("segunda", "terceira")]
    other = await send(company, number, "outra conversa", to="+5511911110000")
    await retried(company, other, 1)
    assert await attempts(company, ids[1]) == []
    for _ in range(3):
        await company.make_due()
    for id in (*ids, other):
        await becomes(company, id, "read")
    said = [row["body"] for row in await phones.received(number)]
    said.remove("outra conversa")
    assert said == ["primeira", "segunda", "terceira"]


async def test_webhooks_that_come_twice_and_shuffled_change_nothing(
    connected_company: Company, number: Number, phones: Phones
) -> None:
    company = connected_company
    await phones.faults(number, copies=3, shuffle=True)
    ids = [await send(company, number, f"mensagem {n}") for n in range(5)]
    for id in ids:
        await becomes(company, id, "read")
    await company.settled()
    assert len(await phones.received(number)) == 5
    rows = await company.rows("messages")
    assert {row["id"] for row in rows if row["deleted_at"] is None} == set(ids)
