"""What is kept about a person can be taken out, and erased so that no table shows it any more."""

import json
from typing import Any
from uuid import uuid4

import asyncpg
import httpx
import pytest

from tests.fixtures import until
from tests.messaging import bodies
from tests.messaging.conftest import Company
from tests.messaging.somebody import OTHER, call, everything, live, readable, traces, words

Json = dict[str, Any]


async def erase(shop: Company, contact: str) -> httpx.Response:
    answer = await call(shop, "DELETE", f"/api/contacts/{contact}")

    async def is_done() -> bool:
        jobs = await shop.rows("queue_jobs", type="eq.contacts.erase")
        return all(job["status"] == "completed" for job in jobs)

    # A busy worker goes on a second later.
    await until(is_done, seconds=60, what="the erasure done")
    return answer


async def test_nothing_anywhere_tells_of_an_erased_person(
    connected_company: Company, whatsapp: httpx.AsyncClient, database: asyncpg.Connection
) -> None:
    """Every column of every table, and every file: generated, so that none can be forgotten."""
    shop = connected_company
    who = await live(shop, whatsapp)
    before = await traces(shop, database, who)
    assert {
        "contacts", "contact_identities", "conversations", "messages", "message_changes",
        "message_status_events", "inbound_events", "provider_events", "queue_jobs", "suppressions",
        "realtime.messages_all",
    } <= before  # fmt: skip
    assert [place for place in before if place.startswith(shop.id)], "a file"
    messages = await shop.rows("messages")
    answer = await erase(shop, who.contact)
    assert answer.status_code == 202, answer.text
    assert await traces(shop, database, who) == set()
    # The others, and what can be counted, are there as before.
    assert len(await shop.rows("messages")) == len(messages)
    assert [row["name"] for row in await shop.rows("contacts", phone=f"eq.+{OTHER}")] == ["Outra"]
    assert await shop.rows("messages", body="eq.outra pessoa")
    assert await shop.rows("messages", body="eq.@[erased] concordo")
    others = [row for row in await shop.rows("inbound_events") if OTHER in str(row["raw"])]
    assert others


async def test_what_comes_late_is_not_kept(
    connected_company: Company, whatsapp: httpx.AsyncClient, database: asyncpg.Connection
) -> None:
    """Providers repeat items for a week, and report of messages for longer."""
    shop, number = connected_company, connected_company.tenant.meta
    who = await live(shop, whatsapp)
    said = bodies.text(number, who.wa_id, who.word("meta"), name=who.name, id=who.wamid("late"))
    await shop.post(number, said)
    await shop.settled()
    await erase(shop, who.contact)
    revoke: Json = {
        "id": who.wamid("revoke"),
        "from": who.wa_id,
        "timestamp": "1",
        "type": "revoke",
    }
    revoke |= {"revoke": {"original_message_id": who.wamid("late")}}
    await shop.post(
        number,
        said,
        bodies.status(number, who.wa_id, who.wamid("late"), "read"),
        bodies.meta(number, "messages", {"messages": [revoke]}),
    )
    await shop.settled()
    assert await traces(shop, database, who) == set()


async def test_nobody_writes_to_an_erased_person_again(
    connected_company: Company, whatsapp: httpx.AsyncClient, database: asyncpg.Connection
) -> None:
    """The hash of the opt-out stays; the old thread sends nothing."""
    shop, number = connected_company, connected_company.tenant.evolution
    who = await live(shop, whatsapp)
    threads = await shop.rows("conversations", contact_id=f"eq.{who.contact}")
    await erase(shop, who.contact)
    ask = {"p_identities": [{"kind": "wa_id", "value": who.phone}], "p_company_id": shop.id}
    assert await shop.project.rpc("is_suppressed", ask) is True
    message = {"id": str(uuid4()), "conversation_id": threads[0]["id"], "body": "oi"}
    await shop.api.send(shop.tenant.people["agent"], message)
    again = {"id": str(uuid4()), "instance_id": number.instance_id, "to": f"+{who.phone}"}
    again |= {"body": "oferta", "purpose": "marketing"}
    await shop.api.send(shop.tenant.people["agent"], again)
    await shop.settled()
    rows = [await shop.message(str(one["id"])) for one in (message, again)]
    assert [row["error_code"] for row in rows] == ["contact_erased", "suppressed"]


async def test_who_writes_again_is_somebody_new(
    connected_company: Company, whatsapp: httpx.AsyncClient
) -> None:
    shop, number = connected_company, connected_company.tenant.evolution
    who = await live(shop, whatsapp)
    await erase(shop, who.contact)
    thread = await shop.conversation(number, who.phone)
    (row,) = await shop.rows("conversations", id=f"eq.{thread}")
    assert row["contact_id"] != who.contact


async def test_erasing_twice_is_once_and_written_down(
    connected_company: Company, whatsapp: httpx.AsyncClient
) -> None:
    shop = connected_company
    who = await live(shop, whatsapp)
    first, second = [await erase(shop, who.contact) for _ in range(2)]
    assert first.json() == second.json()
    rows = await shop.rows("contact_operations", operation="eq.erase")
    assert [(row["contact_id"], row["user_id"]) for row in rows] == [
        (who.contact, shop.tenant.people["admin"].id)
    ]


async def test_an_erased_item_is_not_read_again(
    connected_company: Company, whatsapp: httpx.AsyncClient, database: asyncpg.Connection
) -> None:
    shop = connected_company
    who = await live(shop, whatsapp)
    await erase(shop, who.contact)
    answer = await shop.project.rpc(
        "reprocess_inbound", {"p_company_id": shop.id, "p_state": "processed"}
    )
    assert answer["next_cursor"] is None
    await shop.api.tick()
    await shop.settled()
    assert await traces(shop, database, who) == set()


async def test_what_was_merged_is_erased_with_it(
    connected_company: Company, whatsapp: httpx.AsyncClient, database: asyncpg.Connection
) -> None:
    shop, number = connected_company, connected_company.tenant.evolution
    kept = await shop.conversation(number, "5531900000002")
    (row,) = await shop.rows("conversations", id=f"eq.{kept}")
    who = await live(shop, whatsapp)
    params = {"p_kept_id": row["contact_id"], "p_other_id": who.contact}
    await shop.project.rpc("merge_contacts", params | {"p_company_id": shop.id})
    refused = await call(shop, "DELETE", f"/api/contacts/{who.contact}")
    assert (refused.status_code, refused.json()["code"]) == (409, "contact_merged")
    await erase(shop, row["contact_id"])
    assert await traces(shop, database, who) == set()


async def exported(shop: Company, contact: str, limit: int) -> list[Json]:
    """The pages of an export."""
    pages: list[Json] = []
    cursor = None
    while not pages or cursor:
        params = {"limit": str(limit)} | ({"cursor": cursor} if cursor else {})
        answer = await call(shop, "GET", f"/api/contacts/{contact}/export", params=params)
        assert answer.status_code == 200, answer.text
        pages.append(answer.json())
        cursor = pages[-1]["next_cursor"]
    return pages


async def test_an_export_holds_whatever_an_erasure_removes(
    connected_company: Company, whatsapp: httpx.AsyncClient, database: asyncpg.Connection
) -> None:
    shop = connected_company
    who = await live(shop, whatsapp)
    # Broadcasts are copies of rows.
    known = await words(shop, database, who, without=("realtime.",))
    assert len(known) > 15, known
    pages = await exported(shop, who.contact, 2)
    text = readable(json.dumps(pages, ensure_ascii=False))
    assert {word for word in known if word not in text} == set()
    for form in (who.phone, who.wa_id, who.lid):
        assert form in text
    # Row by row, it is what the erasure then changes.
    rows = [record for page in pages for record in page["records"]]
    assert {record["table"] for record in rows} == {
        "inbound_events", "message_changes", "message_status_events", "messages",
        "provider_events", "queue_jobs", "send_attempts",
    }  # fmt: skip
    held = await everything(database)
    for table, key in (("inbound_events", "id"), ("provider_events", "id"), ("queue_jobs", "id")):
        told = {str(each["row"][key]) for each in rows if each["table"] == table}
        expected = {
            line.lstrip("(").partition(",")[0]
            for line in held[table].splitlines()
            if any(trace in readable(line) for trace in who.traces)
        }
        assert expected <= told, table


async def test_an_export_is_paged_and_written_down(
    connected_company: Company, whatsapp: httpx.AsyncClient
) -> None:
    shop = connected_company
    who = await live(shop, whatsapp)
    pages = await exported(shop, who.contact, 2)
    assert ["contact" in page for page in pages] == [True] + [False] * (len(pages) - 1)
    told = pages[0]["contact"]
    assert told["phone"] == f"+{who.phone}"
    assert who.word("note") in [row["evidence"].get("note") for row in told["suppressions"]]
    threads = [row["id"] for row in told["conversations"]]
    expected = [
        row["id"] for row in await shop.rows("messages") if row["conversation_id"] in threads
    ]
    messages = [row["id"] for page in pages for row in page["messages"]]
    assert sorted(messages) == sorted(expected)
    rows = await shop.rows("contact_operations", operation="eq.export")
    assert [row["contact_id"] for row in rows] == [who.contact]
    path = f"/api/contacts/{who.contact}/export"
    for cursor in ("items:x", "files:", "groups:1"):
        answer = await call(shop, "GET", path, params={"cursor": cursor})
        assert (answer.status_code, answer.json()["code"]) == (422, "invalid_cursor"), cursor


async def test_files_go_too_but_for_those_of_others(
    connected_company: Company, whatsapp: httpx.AsyncClient, database: asyncpg.Connection
) -> None:
    shop = connected_company
    who = await live(shop, whatsapp)
    (mine, ours) = (f"{shop.id}/{letter * 64}" for letter in "ab")
    secret = {"apikey": shop.project.secret_key}
    secret |= {"authorization": f"Bearer {shop.project.secret_key}", "content-type": "text/plain"}
    store = f"{shop.project.url}/storage/v1/object/media"
    for name in (mine, ours):
        put = await shop.project.http.post(f"{store}/{name}", content=b"x", headers=secret)
        assert put.status_code == 200, put.text
    (other,) = await shop.rows("messages", body="eq.outra pessoa")
    threads = await shop.rows("conversations", contact_id=f"eq.{who.contact}")
    said = {"conversation_id": f"eq.{threads[0]['id']}", "direction": "eq.in"}
    told = await shop.rows("messages", **said, order="seq")
    for message, name in ((told[0], mine), (told[1], ours), (other, ours)):
        media = {"media": {"state": "stored", "object": name}}
        await shop.project.update("messages", media, id=f"eq.{message['id']}")
    await erase(shop, who.contact)
    there = [
        (await shop.project.http.get(f"{store}/{name}", headers=secret)).status_code == 200
        for name in (mine, ours)
    ]
    assert there == [False, True]


@pytest.mark.parametrize("role", ["agent", "viewer"])
async def test_only_admins_take_out_and_erase(role: str, shop: Company) -> None:
    thread = await shop.conversation(shop.tenant.evolution, "5531900000003")
    (row,) = await shop.rows("conversations", id=f"eq.{thread}")
    path, person = f"/api/contacts/{row['contact_id']}", shop.tenant.people[role]
    for method, address in (("GET", f"{path}/export"), ("DELETE", path)):
        answer = await call(shop, method, address, person)
        assert (answer.status_code, answer.json()["code"]) == (403, "role_required")
    assert await shop.rows("contacts", id=f"eq.{row['contact_id']}", erased_at="is.null")
