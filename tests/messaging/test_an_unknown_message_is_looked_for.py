"""A message whose answer was lost is looked for, then left to a person; it is never sent again."""

import asyncio
from typing import Any
from uuid import uuid4

import pytest

from tests.fixtures import until
from tests.messaging import bodies
from tests.messaging.conftest import Company, Phones
from tests.messaging.test_provider_faults_end_in_the_right_status import (
    attempts,
    becomes,
    send,
)
from tests.tenants import Number

Json = dict[str, Any]

SILENT = {"drop_statuses": True, "drop_echoes": True}
PHONE = "+5511987654321"


async def decide(company: Company, id: str, decision: str, role: str = "agent") -> Any:
    return await company.api.http.post(
        f"/api/messages/{id}/resolution",
        json={"decision": decision},
        headers={"authorization": f"Bearer {company.tenant.people[role].token}"},
    )


async def looks(company: Company, count: int) -> None:
    """What time does: so many looks are made, one after the other."""
    for _ in range(count):
        await company.make_due()
        await company.idle()


async def undecided(company: Company, number: Number, phones: Phones) -> str:
    """A message that was sent, of which nothing was heard and nothing can be found."""
    await phones.faults(number, lose_times=1, **SILENT)
    id = await send(company, number)
    await becomes(company, id, "unknown")
    await looks(company, 5)
    message = await company.message(id)
    assert (message["status"], message["needs_decision"]) == ("unknown", True)
    return id


async def test_what_the_server_has_was_sent(connected_company: Company, phones: Phones) -> None:
    company, number = connected_company, connected_company.tenant.evolution
    await phones.faults(number, lose_times=1, **SILENT)
    id = await send(company, number, "uma vez só")
    await becomes(company, id, "unknown")
    await looks(company, 1)
    row = await becomes(company, id, "accepted")
    (on_phone,) = await phones.received(number)
    assert row["provider_message_id"] == on_phone["provider_id"]
    assert (row["needs_decision"], row["error_code"]) == (False, None)
    assert await attempts(company, id) == ["accepted"]


async def test_the_same_text_before_it_is_another_message(
    connected_company: Company, phones: Phones
) -> None:
    company, number = connected_company, connected_company.tenant.evolution
    await phones.faults(number, **SILENT)
    first = await becomes(company, await send(company, number, "oi"), "accepted")
    await phones.faults(number, cut_times=1)
    id = await send(company, number, "oi")
    await becomes(company, id, "unknown")
    await looks(company, 5)
    assert (await company.message(id))["needs_decision"]
    assert await company.message(first["id"]) == first
    assert len(await phones.received(number)) == 1


async def test_two_alike_never_become_one(connected_company: Company, phones: Phones) -> None:
    """One of two was sent, and found; the other does not take its place."""
    company, number = connected_company, connected_company.tenant.evolution
    await phones.faults(number, lose_times=1, **SILENT)
    first = await send(company, number, "oi")
    await becomes(company, first, "unknown")
    await looks(company, 1)
    found = await becomes(company, first, "accepted")
    await phones.faults(number, cut_times=1)
    second = await send(company, number, "oi")
    await becomes(company, second, "unknown")
    await looks(company, 5)
    other = await company.message(second)
    assert (other["status"], other["needs_decision"]) == ("unknown", True)
    assert await company.message(first) == found
    assert len(await phones.received(number)) == 1


async def test_of_two_alike_that_both_were_sent_none_is_guessed(
    connected_company: Company, phones: Phones
) -> None:
    company, number = connected_company, connected_company.tenant.evolution
    await phones.faults(number, lose_times=2, **SILENT)
    ids = [await send(company, number, "oi") for _ in range(2)]
    for id in ids:
        await becomes(company, id, "unknown")
    await looks(company, 5)
    for id in ids:
        message = await company.message(id)
        assert (message["status"], message["needs_decision"]) == ("unknown", True)
    assert len(await phones.received(number)) == 2


async def test_what_is_known_as_another_message_is_not_taken_for_a_lost_one(
    connected_company: Company, phones: Phones
) -> None:
    """Two looks may end at once: what one of them has recorded, the other one does not."""
    company, number = connected_company, connected_company.tenant.evolution
    await phones.faults(number, **SILENT)
    known = await becomes(company, await send(company, number, "oi"), "accepted")
    await phones.faults(number, cut_times=1)
    lost = await becomes(company, await send(company, number, "oi"), "unknown")
    found = {"p_provider_message_id": known["provider_message_id"]}
    recorded = await company.project.rpc("record_reconciled", {"p_message_id": lost["id"]} | found)
    assert recorded is False
    assert await company.message(known["id"]) == known
    assert await company.message(lost["id"]) == lost


async def test_meta_cannot_be_asked_and_a_person_decides_after_an_hour(
    connected_company: Company, phones: Phones
) -> None:
    company, number = connected_company, connected_company.tenant.meta
    id = await undecided(company, number, phones)
    assert await attempts(company, id) == ["unknown"]
    (job,) = await company.rows("queue_jobs", type="eq.messages.reconcile")
    assert (job["status"], job["attempts"], job["result"]) == ("completed", 5, {"found": False})


@pytest.mark.parametrize(("decision", "status"), [("sent", "accepted"), ("not_sent", "failed")])
async def test_a_person_decides_and_nothing_is_sent(
    decision: str, status: str, connected_company: Company, phones: Phones
) -> None:
    company, number = connected_company, connected_company.tenant.meta
    id = await undecided(company, number, phones)
    for _ in range(2):
        answer = await decide(company, id, decision)
        assert answer.status_code == 200, answer.text
        assert (answer.json()["status"], answer.json()["needs_decision"]) == (status, False)
    other = "sent" if decision == "not_sent" else "not_sent"
    answer = await decide(company, id, other)
    assert (answer.status_code, answer.json()["code"]) == (409, "decision_not_needed")
    await looks(company, 2)
    assert len(await phones.received(number)) == 1


async def test_a_report_after_a_persons_word_still_counts(
    connected_company: Company, phones: Phones
) -> None:
    company, number = connected_company, connected_company.tenant.meta
    id = await undecided(company, number, phones)
    assert (await decide(company, id, "not_sent")).status_code == 200
    report = bodies.status(number, PHONE[1:], "wamid.LATE", "delivered", client_ref=id)
    await company.post(number, report)
    await company.settled()
    message = await company.message(id)
    assert (message["status"], message["error_code"]) == ("delivered", None)


async def test_nobody_decides_what_is_known_or_still_looked_for(
    connected_company: Company, phones: Phones
) -> None:
    company, number = connected_company, connected_company.tenant.meta
    known = await send(company, number)
    await becomes(company, known, "read")
    await phones.faults(number, lose_times=1, **SILENT)
    looked_for = await send(company, number)
    await becomes(company, looked_for, "unknown")
    for id in (known, looked_for):
        for decision in ("sent", "not_sent"):
            answer = await decide(company, id, decision)
            if id == known and decision == "sent":
                assert answer.status_code == 200
            else:
                assert (answer.status_code, answer.json()["code"]) == (409, "decision_not_needed")
    assert (await decide(company, known, "perhaps")).status_code == 422
    assert (await decide(company, str(uuid4()), "sent")).status_code == 404
    assert (await decide(company, looked_for, "sent", "viewer")).status_code == 403


async def test_a_job_that_is_cancelled_leaves_the_decision_to_a_person(
    connected_company: Company, phones: Phones
) -> None:
    company, number = connected_company, connected_company.tenant.evolution
    await phones.faults(number, lose_times=1, **SILENT)
    id = await send(company, number)
    await becomes(company, id, "unknown")
    ended = {"status": "cancelled", "completed_at": "2026-01-01T00:00:00Z"}
    await company.project.update("queue_jobs", ended, unique_key=f"eq.reconcile:{id}")

    async def is_asked() -> Any:
        return (await company.message(id))["needs_decision"]

    await until(is_asked, what="needs_decision")


async def test_of_a_number_that_was_removed_a_person_decides(
    connected_company: Company, phones: Phones
) -> None:
    company, number = connected_company, connected_company.tenant.evolution
    await phones.faults(number, lose_times=1, **SILENT)
    id = await send(company, number)
    await becomes(company, id, "unknown")
    await company.project.rpc("remove_number", {"p_id": number.instance_id})
    await looks(company, 5)
    message = await company.message(id)
    assert (message["status"], message["needs_decision"]) == ("unknown", True)


async def test_what_is_unknown_again_is_looked_for_again(
    connected_company: Company, phones: Phones
) -> None:
    """An echo was taken for the first of two alike; an answer shows that it was the second."""
    company, number = connected_company, connected_company.tenant.evolution
    await phones.faults(number, cut_times=1, **SILENT)
    first = await send(company, number, "oi")
    await becomes(company, first, "unknown")
    taken = bodies.echo(number, PHONE[1:], "oi", id="3EB0TAKEN")
    await company.post(number, taken)
    await company.settled()
    assert (await company.message(first))["provider_message_id"] == "3EB0TAKEN"
    await looks(company, 1)
    attempt = {"p_attempt": 1, "p_outcome": "accepted", "p_provider_message_id": "3EB0TAKEN"}
    begin = {"p_job_id": 0, "p_claim": 1}
    second = str(uuid4())
    wish = {"p_id": second, "p_company_id": company.id, "p_body": "oi", "p_to": PHONE}
    await company.project.rpc("send_message", wish | {"p_instance_id": number.instance_id})
    await company.project.rpc("begin_send", {"p_message_id": second} | begin)
    await company.project.rpc("record_send_result", {"p_message_id": second} | attempt)
    message = await company.message(first)
    assert (message["status"], message["error_code"]) == ("unknown", "answer_lost")
    await looks(company, 5)
    assert (await company.message(first))["needs_decision"]


@pytest.mark.parametrize("words", [("sent", "sent"), ("sent", "not_sent")])
async def test_two_people_at_once_are_one_decision(
    words: tuple[str, str], connected_company: Company, phones: Phones
) -> None:
    company, number = connected_company, connected_company.tenant.meta
    id = await undecided(company, number, phones)
    answers = await asyncio.gather(*(decide(company, id, word) for word in words))
    codes = sorted(answer.status_code for answer in answers)
    assert codes == ([200, 200] if words[0] == words[1] else [200, 409])
    (won,) = {answer.json()["status"] for answer in answers if answer.status_code == 200}
    assert (await company.message(id))["status"] == won
    assert len(await phones.received(number)) == 1
