"""What is kept about a person can be taken out, and erased so that no table shows it any more."""

import base64
import time
from dataclasses import dataclass, replace
from typing import Any
from uuid import uuid4

import asyncpg
import httpx
import pytest

from tests.messaging import bodies
from tests.messaging.conftest import Company
from tests.tenants import Person

Json = dict[str, Any]

OTHER = "5547990000001"


@dataclass(frozen=True, slots=True)
class Somebody:
    """A person whose every trace is nobody else's in the database. `contact` is their id."""

    digits: str
    contact: str = ""

    @property
    def phone(self) -> str:
        return f"55479{self.digits}"

    @property
    def lid(self) -> str:
        return f"{self.digits[::-1]}123456"

    @property
    def name(self) -> str:
        return f"Zwölf{self.digits}"

    @property
    def body(self) -> str:
        return f"segredo xylo{self.digits[:6]}"

    @property
    def traces(self) -> tuple[str, ...]:
        return (self.digits, self.lid, self.name, self.body)


TEXTS = """
  select table_schema || '.' || table_name as name from information_schema.tables
  where table_type = 'BASE TABLE' and table_schema in ('public', 'private', 'auth', 'storage')
"""


async def call(
    shop: Company, method: str, path: str, person: Person | None = None, **content: Any
) -> httpx.Response:
    token = (person or shop.tenant.people["admin"]).token
    headers = {"authorization": f"Bearer {token}"}
    return await shop.api.http.request(method, path, headers=headers, **content)


async def traces(database: asyncpg.Connection, who: Somebody) -> list[tuple[str, str]]:
    """(table, trace) of every row in the whole database that tells of the person."""
    found = []
    for row in await database.fetch(TEXTS):
        for trace in who.traces:
            query = f"select count(*) from {row['name']} as t where t::text like $1"
            if await database.fetchval(query, f"%{trace}%"):
                found.append((row["name"], trace))
    return found


async def live(shop: Company) -> Somebody:
    """Somebody who did all that leaves traces."""
    who = Somebody(f"9{uuid4().int % 10**7:07}")
    evolution, meta = shop.tenant.numbers
    jid = f"{who.phone}@s.whatsapp.net"
    wamid = "wamid." + base64.b64encode(f"..{who.phone}".encode()).decode()
    group = bodies.text(evolution, "x", who.body, name=who.name)
    group["data"]["key"] |= {"remoteJid": "120363000000000001@g.us", "participant": jid}
    by_lid = bodies.text(evolution, "x", "oi", name=who.name)
    by_lid["data"]["key"] |= {"remoteJid": f"{who.lid}@lid", "remoteJidAlt": jid}
    seen = {"remoteJid": jid, "pushName": who.name}
    await shop.post(
        evolution,
        bodies.text(evolution, who.phone, who.body, name=who.name),
        bodies.text(evolution, OTHER, "outra pessoa", name="Outra"),
        by_lid,
        group,
        bodies.evolution(evolution, "contacts.upsert", [seen]),
        bodies.evolution(evolution, "nonsense.event", {"jid": who.phone, "text": who.body}),
    )
    # Meta writes the phone without the ninth digit.
    wa_id = f"5547{who.digits}"
    said = bodies.text(meta, wa_id, who.body, name=who.name, id=wamid, at=int(time.time()))
    await shop.post(meta, said, bodies.status(meta, wa_id, wamid + "x", "delivered"))
    await shop.settled()
    (contact,) = await shop.rows("contacts", phone=f"eq.+{who.phone}")
    for number in (evolution, meta):
        message = {"id": str(uuid4()), "instance_id": number.instance_id, "to": f"+{who.phone}"}
        answer = await shop.api.send(shop.tenant.people["agent"], message | {"body": who.body})
        assert answer.status_code == 202, answer.text
    await shop.settled()
    what = {"contact_id": contact["id"], "note": f"ligou {who.name}"}
    await call(shop, "POST", "/api/suppressions", json=what)
    return replace(who, contact=str(contact["id"]))


async def erase(shop: Company, contact: str) -> httpx.Response:
    answer = await call(shop, "DELETE", f"/api/contacts/{contact}")
    await shop.settled()
    return answer


async def test_no_table_tells_of_an_erased_person(
    connected_company: Company, database: asyncpg.Connection
) -> None:
    shop = connected_company
    who = await live(shop)
    before = {trace for _, trace in await traces(database, who)}
    assert before == set(who.traces)
    messages = await shop.rows("messages")
    answer = await erase(shop, who.contact)
    assert answer.status_code == 202, answer.text
    assert await traces(database, who) == []
    # The others, and what can be counted, are there as before.
    assert len(await shop.rows("messages")) == len(messages)
    assert [row["name"] for row in await shop.rows("contacts", phone=f"eq.+{OTHER}")] == ["Outra"]
    assert await shop.rows("messages", body="eq.outra pessoa")
    others = [row for row in await shop.rows("inbound_events") if OTHER in str(row["raw"])]
    assert others


async def test_nobody_writes_to_an_erased_person_again(
    connected_company: Company, database: asyncpg.Connection
) -> None:
    """The hash of the opt-out stays; the old thread sends nothing."""
    shop, number = connected_company, connected_company.tenant.evolution
    who = await live(shop)
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


async def test_who_writes_again_is_somebody_new(connected_company: Company) -> None:
    shop, number = connected_company, connected_company.tenant.evolution
    who = await live(shop)
    await erase(shop, who.contact)
    thread = await shop.conversation(number, who.phone)
    (row,) = await shop.rows("conversations", id=f"eq.{thread}")
    assert row["contact_id"] != who.contact


async def test_erasing_twice_is_once_and_written_down(connected_company: Company) -> None:
    shop = connected_company
    who = await live(shop)
    first, second = [await erase(shop, who.contact) for _ in range(2)]
    assert first.json() == second.json()
    rows = await shop.rows("contact_operations", operation="eq.erase")
    assert [(row["contact_id"], row["user_id"]) for row in rows] == [
        (who.contact, shop.tenant.people["admin"].id)
    ]


async def test_an_erased_item_is_not_read_again(
    connected_company: Company, database: asyncpg.Connection
) -> None:
    shop = connected_company
    who = await live(shop)
    await erase(shop, who.contact)
    answer = await shop.project.rpc(
        "reprocess_inbound", {"p_company_id": shop.id, "p_state": "processed"}
    )
    assert answer["next_cursor"] is None
    await shop.api.tick()
    await shop.settled()
    assert await traces(database, who) == []


async def test_what_was_merged_is_erased_with_it(
    connected_company: Company, database: asyncpg.Connection
) -> None:
    shop, number = connected_company, connected_company.tenant.evolution
    kept = await shop.conversation(number, "5531900000002")
    (row,) = await shop.rows("conversations", id=f"eq.{kept}")
    who = await live(shop)
    params = {"p_kept_id": row["contact_id"], "p_other_id": who.contact}
    await shop.project.rpc("merge_contacts", params | {"p_company_id": shop.id})
    refused = await call(shop, "DELETE", f"/api/contacts/{who.contact}")
    assert (refused.status_code, refused.json()["code"]) == (409, "contact_merged")
    await erase(shop, row["contact_id"])
    assert await traces(database, who) == []


async def test_an_export_is_complete_and_written_down(connected_company: Company) -> None:
    shop = connected_company
    who = await live(shop)
    pages: list[Json] = []
    cursor = None
    while not pages or cursor:
        params = {"limit": "2"} | ({"cursor": cursor} if cursor else {})
        answer = await call(shop, "GET", f"/api/contacts/{who.contact}/export", params=params)
        assert answer.status_code == 200, answer.text
        pages.append(answer.json())
        cursor = pages[-1]["next_cursor"]
    assert ["contact" in page for page in pages] == [True] + [False] * (len(pages) - 1)
    told = pages[0]["contact"]
    assert (told["name"], told["phone"]) == (who.name, f"+{who.phone}")
    assert [row["evidence"]["note"] for row in told["suppressions"]] == [f"ligou {who.name}"]
    threads = [row["id"] for row in told["conversations"]]
    expected = [
        row["id"] for row in await shop.rows("messages") if row["conversation_id"] in threads
    ]
    exported = [row["id"] for page in pages for row in page["messages"]]
    assert sorted(exported) == sorted(expected)
    assert len(exported) > 3
    rows = await shop.rows("contact_operations")
    assert [row["operation"] for row in rows] == ["export"]


async def test_files_go_too_but_for_those_of_others(
    connected_company: Company, database: asyncpg.Connection
) -> None:
    shop = connected_company
    who = await live(shop)
    (mine, ours) = (f"{shop.id}/{letter * 64}" for letter in "ab")
    secret = {"apikey": shop.project.secret_key}
    secret |= {"authorization": f"Bearer {shop.project.secret_key}", "content-type": "text/plain"}
    store = f"{shop.project.url}/storage/v1/object/media"
    for name in (mine, ours):
        put = await shop.project.http.post(f"{store}/{name}", content=b"x", headers=secret)
        assert put.status_code == 200, put.text
    (other,) = await shop.rows("messages", body="eq.outra pessoa")
    told = await shop.rows("messages", body=f"eq.{who.body}", direction="eq.in", order="seq")
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
