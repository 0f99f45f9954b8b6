"""PATCH /api/conversations/{id}: assign, close, read; each change once, told to all, and signed."""

from typing import Any
from uuid import uuid4

import asyncpg
import httpx
import pytest

from tests.messaging import bodies
from tests.messaging.conftest import Company

Json = dict[str, Any]
ANA = "5511987654321"


async def change(
    company: Company, id: str, changes: Any, role: str = "agent", **headers: str
) -> httpx.Response:
    token = company.tenant.people[role].token
    return await company.api.http.patch(
        f"/api/conversations/{id}",
        json=changes,
        headers={"authorization": f"Bearer {token}"} | headers,
    )


async def changed(company: Company, id: str, changes: Json, **headers: str) -> Json:
    answer = await change(company, id, changes, **headers)
    assert answer.status_code == 200, answer.text
    row: Json = answer.json()
    return row


async def detail(company: Company, id: str) -> Json:
    answer = await company.api.get(f"/api/conversations/{id}", company.tenant.people["viewer"])
    assert answer.status_code == 200, answer.text
    found: Json = answer.json()
    return found


async def write(company: Company, at: int = bodies.NOON) -> str:
    """The contact writes; the conversation."""
    number = company.tenant.meta
    await company.post(number, bodies.text(number, ANA, at=at))
    await company.settled()
    (row,) = await company.rows("conversations")
    id: str = row["id"]
    return id


async def test_a_conversation_is_assigned_and_taken_back(company: Company) -> None:
    id, agent = await write(company), company.tenant.people["agent"]
    row = await changed(company, id, {"assignee_id": agent.id})
    assert row["assignee_id"] == agent.id
    assert (await changed(company, id, {"assignee_id": None}))["assignee_id"] is None
    events = (await detail(company, id))["events"]
    assert [(e["action"], e["old_value"], e["new_value"]) for e in events] == [
        ("assignee", agent.id, None),
        ("assignee", None, agent.id),
    ]
    assert {(e["cause"], e["actor_id"]) for e in events} == {("person", agent.id)}


async def test_the_same_change_twice_is_one_step(company: Company) -> None:
    id, agent = await write(company), company.tenant.people["agent"]
    changes = {"assignee_id": agent.id, "status": "pending", "read": True}
    first = await changed(company, id, changes)
    assert await changed(company, id, changes) == first
    assert len((await detail(company, id))["events"]) == 3


async def test_a_change_is_one_version_and_one_broadcast(
    company: Company, database: asyncpg.Connection
) -> None:
    id = await write(company)
    (before,) = await company.rows("conversations")
    row = await changed(company, id, {"status": "closed", "read": True})
    assert row["rev"] == before["rev"] + 1
    (inbox,) = await company.rows("versions", scope=f"eq.inbox:{company.id}")
    assert inbox["version"] == row["rev"]
    told = await database.fetchval(
        """select payload from realtime.messages
           where topic = $1 and (payload ->> 'ver')::bigint = $2""",
        f"inbox:{company.id}",
        row["rev"],
    )
    assert '"status": "closed"' in told
    assert f'"prev": {before["rev"]}' in told


@pytest.mark.parametrize("status", ["closed", "pending"])
async def test_a_message_from_outside_opens_it_and_ours_does_not(
    company: Company, status: str
) -> None:
    id, number = await write(company), company.tenant.meta
    await changed(company, id, {"status": status})
    await company.post(number, bodies.echo(number, ANA, "do telefone", id="E", at=bodies.NOON + 9))
    await company.settled()
    assert (await detail(company, id))["status"] == status
    await write(company, bodies.NOON + 10)
    found = await detail(company, id)
    assert found["status"] == "open"
    reopened = next(e for e in found["events"] if e["action"] == "status")
    assert (reopened["new_value"], reopened["cause"]) == ("open", "event")
    assert reopened["actor_id"] is None


async def test_what_was_read_is_unread_when_somebody_writes_again(company: Company) -> None:
    await write(company)
    id = await write(company)
    assert (await detail(company, id))["unread"] == 2
    assert (await changed(company, id, {"read": True}))["unread"] == 0
    await write(company)
    assert (await detail(company, id))["unread"] == 1


async def test_a_change_may_depend_on_what_was_read(company: Company) -> None:
    id = await write(company)
    seen = (await detail(company, id))["rev"]
    answer = await change(company, id, {"status": "pending"}, **{"if-match": f'"{seen}"'})
    assert answer.headers["etag"] == f'"{seen + 1}"'
    answer = await change(company, id, {"status": "closed"}, **{"if-match": f'"{seen}"'})
    assert (answer.status_code, answer.json()["code"]) == (412, "version_changed")
    assert (await detail(company, id))["status"] == "pending"
    for current in (f'W/"{seen + 1}"', "*", str(seen + 1)):
        await changed(company, id, {"status": "pending"}, **{"if-match": current})


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({}, "invalid_request"),
        ({"status": "gone"}, "invalid_request"),
        ({"status": None}, "invalid_request"),
        ({"read": False}, "invalid_request"),
        ({"unread": 3}, "invalid_request"),
        ({"company_id": str(uuid4())}, "invalid_request"),
        ({"assignee_id": "me"}, "invalid_request"),
        ({"assignee_id": str(uuid4())}, "invalid_assignee"),
        ({"bot_paused_until": "soon"}, "invalid_request"),
        ([], "invalid_request"),
    ],
)
async def test_a_senseless_change_is_refused(shop: Company, changes: Any, code: str) -> None:
    id = await shop.conversation(shop.tenant.meta, ANA)
    answer = await change(shop, id, changes)
    assert (answer.status_code, answer.json()["code"]) == (422, code)


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({}, "invalid_change"),
        ({"rev": 1}, "invalid_change"),
        ({"status": "gone"}, "invalid_change"),
        ({"status": None}, "invalid_change"),
        ({"read": False}, "invalid_change"),
        ({"assignee_id": "x"}, "22P02"),
        ({"bot_paused_until": "infinity"}, "23514"),
        ({"bot_pause_minutes": "x"}, "22P02"),
    ],
)
async def test_a_senseless_call_of_the_function_is_refused(
    shop: Company, changes: Any, code: str
) -> None:
    id = await shop.conversation(shop.tenant.meta, ANA)
    answer = await shop.project.http.post(
        f"{shop.project.url}/rest/v1/rpc/update_conversation",
        json={"p_id": id, "p_changes": changes},
        headers=shop.project.headers(shop.tenant.people["agent"].token),
    )
    assert 400 <= answer.status_code < 500, answer.text
    said = answer.json()
    assert code in (said["code"], said["message"])


async def test_only_who_may_write_handles_and_is_assigned(company: Company) -> None:
    id, people = await write(company), company.tenant.people
    answer = await change(company, id, {"status": "closed"}, "viewer")
    assert (answer.status_code, answer.json()["code"]) == (403, "role_required")
    answer = await change(company, id, {"assignee_id": people["viewer"].id})
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_assignee")
    answer = await change(company, str(uuid4()), {"status": "closed"})
    assert (answer.status_code, answer.json()["code"]) == (404, "conversation_not_found")


async def test_an_api_key_handles_as_the_service(company: Company) -> None:
    id, owner = await write(company), company.tenant.people["owner"]
    key = await company.project.rpc("create_api_key", {"p_name": "erp"}, owner.token)
    headers = {"authorization": f"Bearer {key['key']}"}
    path = f"/api/conversations/{id}"
    answer = await company.api.http.patch(path, json={"status": "closed"}, headers=headers)
    assert answer.json()["status"] == "closed", answer.text
    (event,) = (await company.api.http.get(path, headers=headers)).json()["events"]
    assert (event["cause"], event["actor_id"]) == ("service", None)


async def test_who_leaves_the_company_leaves_its_conversations(
    company: Company, database: asyncpg.Connection
) -> None:
    id, agent = await write(company), company.tenant.people["agent"]
    await changed(company, id, {"assignee_id": agent.id})
    await database.execute("delete from company_members where user_id = $1::text::uuid", agent.id)
    found = await detail(company, id)
    assert found["assignee_id"] is None
    # And nothing keeps a company that goes.
    owner = company.tenant.people["owner"]
    answer = await change(company, id, {"assignee_id": owner.id}, "owner")
    assert answer.status_code == 200
    await database.execute("delete from companies where id = $1::text::uuid", company.id)
    assert await company.rows("conversation_events") == []


async def test_a_conversation_tells_whom_it_is_with_and_how_long(company: Company) -> None:
    id, number = await write(company), company.tenant.meta
    found = await detail(company, id)
    assert (found["contact"]["name"], found["contact"]["phone"]) == ("Ana", f"+{ANA}")
    assert found["last_inbound_at"] == found["waiting_since"] == "2025-10-09T08:53:20+00:00"
    assert found["window_closes_at"] == "2025-10-10T08:53:20+00:00"
    await write(company, bodies.NOON + 60)
    found = await detail(company, id)
    assert found["waiting_since"] == "2025-10-09T08:53:20+00:00"
    assert found["window_closes_at"] == "2025-10-10T08:54:20+00:00"
    await company.post(number, bodies.echo(number, ANA, "oi", id="E", at=bodies.NOON + 70))
    await company.settled()
    found = await detail(company, id)
    assert (found["waiting_since"], found["last_message_direction"]) == (None, "out")
    await write(company, bodies.NOON + 80)
    assert (await detail(company, id))["waiting_since"] == "2025-10-09T08:54:40+00:00"
    assert (await changed(company, id, {"status": "closed"}))["waiting_since"] is None
