"""Two threads of one person become one: nothing is lost, nobody looks at an empty one."""

import asyncio
from typing import Any
from uuid import uuid4

import asyncpg
import pytest

from functions.realtime.models import Row
from tests.messaging import bodies
from tests.messaging.conftest import Company
from tests.messaging.somebody import call
from tests.messaging.test_a_contact_is_one_person import ANA, BIA, merge, seen

Json = dict[str, Any]
LID = "99887766554433"


async def thread_of(shop: Company, contact: str) -> Json:
    (row,) = await shop.rows("conversations", contact_id=f"eq.{contact}")
    return dict(row)


async def synced(shop: Company, function: str, id: str, after: int, epoch: str) -> Json:
    params = {"p_id": id, "p_after": after, "p_epoch": epoch}
    answer: Json = await shop.project.rpc(function, params, shop.tenant.people["agent"].token)
    return answer


async def test_what_was_merged_leaves_no_empty_thread(company: Company) -> None:
    ana = await seen(company, company.tenant.evolution, ANA)
    bia = await seen(company, company.tenant.evolution, BIA)
    kept, other = await thread_of(company, ana), await thread_of(company, bia)
    agent = company.tenant.people["agent"]
    path = f"/api/conversations/{other['id']}"
    await call(company, "PATCH", path, agent, json={"assignee_id": agent.id})
    assert (await merge(company, ana, bia)).status_code == 200
    for params in ({}, {"status": "closed"}, {"page": "1"}, {"sort": "waiting"}):
        listed = (await call(company, "GET", "/api/conversations", agent, params=params)).json()
        assert other["id"] not in [row["id"] for row in listed["data"]], params
    left = (await call(company, "GET", path, agent)).json()
    assert (left["merged_into"], left["unread"]) == (kept["id"], 0)
    assert left["deleted_at"] is not None
    one = (await call(company, "GET", f"/api/conversations/{kept['id']}", agent)).json()
    assert (one["unread"], one["assignee_id"], one["status"]) == (2, agent.id, "open")
    assert one["waiting_since"] == min(kept["waiting_since"], other["waiting_since"])
    assert "assignee" in [event["action"] for event in one["events"]], "what was done went along"
    refused = await call(company, "PATCH", path, agent, json={"status": "open"})
    assert (refused.status_code, refused.json()["code"]) == (409, "conversation_merged")


async def test_whoever_writes_to_the_merged_thread_writes_to_the_person(company: Company) -> None:
    ana = await seen(company, company.tenant.evolution, ANA)
    bia = await seen(company, company.tenant.evolution, BIA)
    kept, other = await thread_of(company, ana), await thread_of(company, bia)
    agent = company.tenant.people["agent"]
    message = {"id": str(uuid4()), "conversation_id": other["id"], "body": "antes"}
    before = await company.api.send(agent, message)
    await merge(company, ana, bia)
    # Sent again it is the same message, though it has moved.
    again = await company.api.send(agent, message)
    assert (before.status_code, again.status_code) == (202, 202), again.text
    later = {"id": str(uuid4()), "conversation_id": other["id"], "body": "depois"}
    assert (await company.api.send(agent, later)).status_code == 202
    by_row = {"id": str(uuid4()), "conversation_id": other["id"], "company_id": company.id}
    await company.project.insert("messages", by_row | {"body": "supabase-js"})
    for id in (message["id"], later["id"], by_row["id"]):
        assert (await company.message(str(id)))["conversation_id"] == kept["id"]


async def test_those_who_listen_end_with_the_same(
    company: Company, database: asyncpg.Connection
) -> None:
    """From before the merge, by what the protocol answers: see docs/realtime.md."""
    ana = await seen(company, company.tenant.evolution, ANA)
    bia = await seen(company, company.tenant.evolution, BIA)
    kept, other = await thread_of(company, ana), await thread_of(company, bia)
    epoch = (await company.project.rows("companies", id=f"eq.{company.id}"))[0]["epoch"]
    scopes: dict[tuple[str, str], dict[str, Row]] = {
        ("sync_conversation", kept["id"]): {}, ("sync_conversation", other["id"]): {},
        ("sync_inbox", company.id): {},
    }  # fmt: skip
    heads = {}
    for (function, id), held in scopes.items():
        first = await synced(company, function, id, -1, str(uuid4()))
        heads[function, id] = first["ver"]
        held |= {row["id"]: row for row in first["rows"]}
    await merge(company, ana, bia)
    for (function, id), held in scopes.items():
        later = await synced(company, function, id, heads[function, id], epoch)
        if later["reset"]:
            held.clear()
        rows: list[Row] = later["rows"]
        held |= {row["id"]: row for row in rows}
        fresh = await synced(company, function, id, -1, str(uuid4()))
        shown = {key for key, row in held.items() if row.get("deleted_at") is None}
        left = {row["id"] for row in fresh["rows"] if row.get("deleted_at") is None}
        assert shown == left, function
    assert list(scopes["sync_conversation", other["id"]]) == []
    assert len(scopes["sync_conversation", kept["id"]]) == 2


async def test_a_chain_of_merges_ends_at_one_thread(company: Company) -> None:
    people = [ANA, BIA, "5531933334444"]
    ana, bia, cid = [await seen(company, company.tenant.evolution, who) for who in people]
    threads = [await thread_of(company, who) for who in (ana, bia, cid)]
    await merge(company, bia, cid)
    await merge(company, ana, bia)
    rows = {row["id"]: row for row in await company.rows("conversations")}
    kept = threads[0]["id"]
    assert [rows[thread["id"]]["merged_into"] for thread in threads] == [None, kept, kept]
    messages = await company.rows("messages")
    assert {row["conversation_id"] for row in messages} == {kept}
    assert len({row["seq"] for row in messages}) == len(messages) == 3
    for who in people:
        assert await seen(company, company.tenant.evolution, who) == ana


async def test_an_answer_meets_what_it_quotes_in_the_other_thread(company: Company) -> None:
    number = company.tenant.evolution
    bia = await seen(company, number, BIA)
    (quoted,) = await company.rows("messages")
    said = bodies.text(number, ANA, "sim")
    said["data"]["contextInfo"] = {
        "stanzaId": quoted["provider_message_id"], "participant": f"{BIA}@s.whatsapp.net",
        "quotedMessage": {"conversation": "oi"},
    }  # fmt: skip
    await company.post(number, said)
    await company.settled()
    (answer,) = await company.rows("messages", body="eq.sim")
    assert answer["reply_to_id"] is None
    (conversation,) = await company.rows("conversations", id=f"eq.{answer['conversation_id']}")
    await merge(company, conversation["contact_id"], bia)
    assert (await company.message(answer["id"]))["reply_to_id"] == quoted["id"]


@pytest.mark.parametrize("round", range(2))
async def test_a_merge_under_messages_that_come_in_loses_none(company: Company, round: int) -> None:
    number = company.tenant.evolution
    by_phone = await seen(company, number, ANA)
    by_lid = await seen(company, number, "", lid=LID)
    posted = []
    for place in range(12):
        said = bodies.text(number, ANA, f"n{place}")
        if place % 2:
            said["data"]["key"] |= {"remoteJid": f"{LID}@lid"}
        posted.append(company.post(number, said))
    merges = [merge(company, by_phone, by_lid), merge(company, by_phone, by_lid)]
    half = len(posted) // 2
    done = await asyncio.gather(*posted[:half], *merges, *posted[half:])
    assert {answer.status_code for answer in done if answer is not None} == {200}
    await company.settled()
    kept = await thread_of(company, by_phone)
    messages = await company.rows("messages")
    assert len(messages) == 14
    assert {row["conversation_id"] for row in messages} == {kept["id"]}
    assert len({row["seq"] for row in messages}) == 14
    assert kept["unread"] == 14
