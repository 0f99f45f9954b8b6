"""One person is one contact: ids with their evidence, conflicts that nobody hides, merging."""

from typing import Any
from uuid import uuid4

import httpx
import pytest

from tests.messaging import bodies
from tests.messaging.conftest import Company
from tests.tenants import Number, Person

Json = dict[str, Any]

ANA, BIA = "5511987654321", "5521912345678"


async def seen(shop: Company, number: Number, who: str, *, lid: str | None = None) -> str:
    """Somebody writes, from a phone or with a LID beside it; the id of the contact reached."""
    id = bodies.new_id()
    said = bodies.text(number, who, id=id)
    if lid is not None:
        said["data"]["key"] |= {"remoteJid": f"{lid}@lid"}
        if who:
            said["data"]["key"] |= {"remoteJidAlt": f"{who}@s.whatsapp.net"}
    await shop.post(number, said)
    await shop.settled()
    (message,) = await shop.rows("messages", provider_message_id=f"eq.{id}")
    (conversation,) = await shop.rows("conversations", id=f"eq.{message['conversation_id']}")
    return str(conversation["contact_id"])


async def call(
    shop: Company, method: str, path: str, person: Person | None = None, **content: Any
) -> httpx.Response:
    token = (person or shop.tenant.people["agent"]).token
    headers = {"authorization": f"Bearer {token}"}
    return await shop.api.http.request(method, path, headers=headers, **content)


async def merge(shop: Company, kept: str, other: str) -> httpx.Response:
    pair = {"kept_id": kept, "other_id": other}
    return await call(shop, "POST", "/api/contacts/merge", json=pair)


@pytest.mark.parametrize(
    ("first", "second", "phone"),
    [
        ("551187654321", "5511987654321", "+5511987654321"),
        ("5215512345678", "525512345678", "+525512345678"),
        ("541123456789", "5491123456789", "+5491123456789"),
    ],
)
async def test_the_forms_of_a_phone_are_one_contact(
    first: str, second: str, phone: str, company: Company
) -> None:
    number = company.tenant.evolution
    assert await seen(company, number, first) == await seen(company, number, second)
    (contact,) = await company.rows("contacts")
    assert contact["phone"] == phone
    for form in (first, second, phone):
        answer = await call(company, "GET", "/api/contacts", params={"phone": form})
        assert [row["id"] for row in answer.json()["data"]] == [contact["id"]]
    params = {"p_id": str(uuid4()), "p_body": "oi", "p_instance_id": number.instance_id}
    agent = company.tenant.people["agent"].token
    await company.project.rpc("send_message", params | {"p_to": f"+{first}"}, agent)
    assert len(await company.rows("contacts")) == 1


async def test_each_id_keeps_what_told_of_it(company: Company) -> None:
    number = company.tenant.evolution
    contact = await seen(company, number, ANA)
    await seen(company, number, ANA, lid="99887766554433")
    told = (await call(company, "GET", f"/api/contacts/{contact}")).json()
    assert {(row["kind"], row["value"], row["evidence"]) for row in told["identities"]} == {
        ("phone", f"+{ANA}", "message"),
        ("wa_id", ANA, "message"),
        ("lid", "99887766554433", "message"),
    }
    first, second = (row["id"] for row in await company.rows("inbound_events", order="id"))
    of = {row["kind"]: row["event_id"] for row in told["identities"]}
    assert of == {"phone": first, "wa_id": first, "lid": second}
    assert (told["conflicts"], told["merged"]) == ([], [])


async def test_whoever_hides_the_phone_is_found_again_by_the_other_ids(company: Company) -> None:
    """Meta: a username and a business-scoped id; later the phone beside it."""
    number = company.tenant.meta
    hidden = {"profile": {"name": "Ana", "username": "ana.sp"}, "user_id": "BR.998877"}
    for contact, sender in (
        (hidden, {"from_user_id": "BR.998877"}),
        (hidden | {"wa_id": ANA}, {"from_user_id": "BR.998877", "from": ANA}),
    ):
        said: Json = {"id": bodies.new_id(), "timestamp": str(bodies.NOON), "type": "text"}
        said |= {"text": {"body": "oi"}} | sender
        value = {"contacts": [contact], "messages": [said]}
        await company.post(number, bodies.meta(number, "messages", value))
        await company.settled()
    (known,) = await company.rows("contacts")
    assert known["phone"] == f"+{ANA}"
    kinds = {row["kind"] for row in await company.rows("contact_identities")}
    assert kinds == {"phone", "wa_id", "bsuid", "username"}


async def conflicting(shop: Company) -> tuple[str, str]:
    """Two contacts, and a payload with an id of each: (of the phone, of the LID)."""
    number = shop.tenant.evolution
    by_phone = await seen(shop, number, ANA)
    by_lid = await seen(shop, number, "", lid="99887766554433")
    assert by_phone != by_lid
    assert await seen(shop, number, ANA, lid="99887766554433") == by_phone
    return by_phone, by_lid


async def test_ids_of_two_contacts_are_a_conflict_and_no_merge(company: Company) -> None:
    by_phone, by_lid = await conflicting(company)
    listed = (await call(company, "GET", "/api/contacts/conflicts")).json()["data"]
    (pair,) = listed
    assert {pair["contact_id"], pair["other_id"]} == {by_phone, by_lid}
    assert (pair["kind"], pair["value"]) == ("lid", "99887766554433")
    told = (await call(company, "GET", f"/api/contacts/{by_lid}")).json()
    assert [row["contact_id"] for row in told["conflicts"]] == [by_phone]
    assert len(await company.rows("contacts")) == 2


async def test_conflicts_of_one_payload_are_all_on_some_page(company: Company) -> None:
    people = [await seen(company, company.tenant.evolution, f"551198765000{n}") for n in range(4)]
    first, *others = sorted(people)
    for other in others:
        pair = {"company_id": company.id, "contact_id": first, "other_id": other, "kind": "lid"}
        pair |= {"value": "1", "evidence": "message", "created_at": "2026-01-01T00:00:00Z"}
        await company.project.insert("contact_conflicts", pair)
    found: list[str] = []
    params: dict[str, str] = {"limit": "1"}
    while True:
        page = (await call(company, "GET", "/api/contacts/conflicts", params=params)).json()
        found += [pair["other_id"] for pair in page["data"]]
        if page["next_cursor"] is None:
            break
        params["cursor"] = page["next_cursor"]
    assert sorted(found) == others


async def test_a_merge_leaves_one_person(company: Company) -> None:
    by_phone, by_lid = await conflicting(company)
    before = await company.rows("messages", order="occurred_at,seq")
    merged = await merge(company, by_phone, by_lid)
    assert merged.status_code == 200, merged.text
    kept = merged.json()
    assert {row["kind"] for row in kept["identities"]} == {"phone", "wa_id", "lid"}
    assert (kept["merged"], kept["conflicts"]) == ([by_lid], [])
    (thread,) = kept["conversations"]
    after = await company.rows("messages", order="occurred_at,seq")
    assert {row["conversation_id"] for row in after} == {thread["id"]}
    assert sorted(row["id"] for row in after) == sorted(row["id"] for row in before)
    assert len({row["seq"] for row in after}) == len(after) == len({row["rev"] for row in after})
    page = await call(company, "GET", f"/api/conversations/{thread['id']}/messages")
    assert len(page.json()["data"]) == len(after)
    # Who writes under either id is the kept contact from now on.
    number = company.tenant.evolution
    assert await seen(company, number, "", lid="99887766554433") == by_phone
    rows = await company.rows("contact_operations")
    assert [(row["operation"], row["contact_id"], row["other_id"]) for row in rows] == [
        ("merge", by_phone, by_lid)
    ]
    assert rows[0]["user_id"] == company.tenant.people["agent"].id


async def test_a_thread_of_another_number_goes_along(company: Company) -> None:
    ana = await seen(company, company.tenant.evolution, ANA)
    bia = await seen(company, company.tenant.meta, BIA)
    kept = (await merge(company, ana, bia)).json()
    assert len(kept["conversations"]) == 2
    assert await company.rows("conversations", contact_id=f"eq.{bia}") == []


async def test_the_merged_one_leads_to_the_kept_one(company: Company) -> None:
    ana = await seen(company, company.tenant.evolution, ANA)
    bia = await seen(company, company.tenant.evolution, BIA)
    cid = await seen(company, company.tenant.evolution, "5531933334444")
    assert (await merge(company, bia, cid)).status_code == 200
    assert (await merge(company, ana, bia)).status_code == 200
    for gone in (bia, cid):
        answer = await call(company, "GET", f"/api/contacts/{gone}")
        assert (answer.status_code, answer.headers["location"]) == (308, f"/api/contacts/{ana}")
    listed = (await call(company, "GET", "/api/contacts")).json()["data"]
    assert [row["id"] for row in listed] == [ana]


async def test_the_same_merge_twice_is_one(company: Company) -> None:
    ana = await seen(company, company.tenant.evolution, ANA)
    bia = await seen(company, company.tenant.evolution, BIA)
    answers = [(await merge(company, ana, bia)).json() for _ in range(2)]
    assert answers[0] == answers[1]
    assert len(await company.rows("contact_operations")) == 1


async def test_an_opt_out_of_either_holds_for_both(company: Company) -> None:
    ana = await seen(company, company.tenant.evolution, ANA)
    bia = await seen(company, company.tenant.evolution, BIA)
    await call(company, "POST", "/api/suppressions", json={"contact_id": bia})
    await merge(company, ana, bia)
    for phone in (ANA, BIA):
        ask = {"p_identities": [{"kind": "phone", "value": f"+{phone}"}]}
        assert await company.project.rpc("is_suppressed", ask | {"p_company_id": company.id})
    told = (await call(company, "GET", f"/api/contacts/{ana}")).json()
    assert [row["contact_id"] for row in told["suppressions"]] == [ana]


async def test_what_cannot_be_merged_is_refused(company: Company, rival: Any) -> None:
    ana = await seen(company, company.tenant.evolution, ANA)
    bia = await seen(company, company.tenant.evolution, BIA)
    cid = await seen(company, company.tenant.evolution, "5531933334444")
    theirs = Company(rival, company.api, company.project)
    stranger = await seen(theirs, rival.evolution, ANA)
    await merge(company, ana, bia)
    for kept, other, expected in (
        (ana, ana, (422, "same_contact")),
        (ana, str(uuid4()), (404, "contact_not_found")),
        (ana, stranger, (404, "contact_not_found")),
        (stranger, ana, (404, "contact_not_found")),
        (bia, cid, (409, "contact_merged")),
        (cid, bia, (409, "contact_merged")),
    ):
        answer = await merge(company, kept, other)
        assert (answer.status_code, answer.json()["code"]) == expected, answer.text
    pair = {"kept_id": ana, "other_id": cid}
    viewer = company.tenant.people["viewer"]
    answer = await call(company, "POST", "/api/contacts/merge", viewer, json=pair)
    assert (answer.status_code, answer.json()["code"]) == (403, "role_required")


async def test_groups_broadcasts_and_channels_are_no_contacts(company: Company) -> None:
    number = company.tenant.evolution
    for address in ("120363000000000001@g.us", "status@broadcast", "120363000000000002@newsletter"):
        said = bodies.text(number, "x")
        said["data"]["key"] |= {"remoteJid": address}
        said["data"]["key"] |= {"participant": f"{ANA}@s.whatsapp.net"}
        group = bodies.evolution(number, "contacts.upsert", [{"remoteJid": address}])
        await company.post(number, said, group)
    await company.settled()
    assert await company.rows("contacts") == []
    assert await company.rows("contact_identities") == []


async def test_sql_and_python_read_a_phone_alike(database: Any) -> None:
    from functions.providers.identity import phone_of

    digits = [
        "5511987654321", "551187654321", "551133334444", "5511887654321", "550087654321",
        "5215512345678", "525512345678", "5211234567890", "541123456789", "5491123456789",
        "549112345678", "14155550123", "351912345678", "123", "0123456789", "1" * 15, "1" * 16,
    ]  # fmt: skip
    for number in digits:
        found = await database.fetchval("select private.canonical_phone($1)", number)
        assert found == phone_of(number), number
