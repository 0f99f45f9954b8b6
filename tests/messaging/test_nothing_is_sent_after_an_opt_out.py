"""Whoever has opted out gets no marketing once that is stored, and still gets answers."""

import asyncio
from typing import Any
from uuid import uuid4

from tests.fixtures import until
from tests.messaging import bodies
from tests.messaging.conftest import Company, Phones
from tests.messaging.test_provider_faults_end_in_the_right_status import RETRYABLE
from tests.tenants import Number

Json = dict[str, Any]

ANA = "5511987654321"
ARRIVED = ("accepted", "sent", "delivered", "read")


async def queued(shop: Company, number: Number, purpose: str, to: str = ANA, **more: Any) -> str:
    """A message that waits to be sent: its number rests."""
    message = {"id": str(uuid4()), "instance_id": number.instance_id, "to": f"+{to}"}
    message |= {"body": f"{purpose}!", "purpose": purpose} | more
    answer = await shop.api.send(shop.tenant.people["agent"], message)
    assert answer.status_code == 202, answer.text
    assert answer.json()["purpose"] == purpose
    return str(message["id"])


async def rest(shop: Company) -> None:
    until = {"cooldown_until": "2100-01-01T00:00:00Z"}
    await shop.project.update("instances", until, company_id=f"eq.{shop.id}")


async def outcome(shop: Company, id: str) -> tuple[str, str | None]:
    row = await shop.message(id)
    return row["status"], row["error_code"]


async def suppress(shop: Company, **what: Any) -> Json:
    made: Json = await shop.project.rpc("add_suppression", {"p_company_id": shop.id} | what)
    return made


async def test_queued_marketing_stops_and_service_goes_on(
    connected_company: Company, phones: Phones
) -> None:
    shop, number = connected_company, connected_company.tenant.evolution
    await shop.post(number, bodies.text(number, ANA, "oi"))
    await shop.settled()
    await rest(shop)
    marketing = await queued(shop, number, "marketing")
    service = await queued(shop, number, "service")
    await shop.post(number, bodies.text(number, ANA, " Páre! "))
    await until(lambda: shop.rows("suppressions"), what="the opt-out stored")
    await shop.make_due()
    await shop.settled()
    assert await outcome(shop, marketing) == ("failed", "suppressed")
    assert (await outcome(shop, service))[0] in ARRIVED
    arrived = str(await phones.received(number))
    assert "service!" in arrived
    assert "marketing!" not in arrived


async def test_scope_all_stops_answers_too(connected_company: Company) -> None:
    shop, number = connected_company, connected_company.tenant.evolution
    await shop.conversation(number, ANA)
    await suppress(shop, p_phone=f"+{ANA}", p_scope="all", p_note="ordem judicial")
    assert await outcome(shop, await sent(shop, number, "service")) == ("failed", "suppressed")


async def sent(shop: Company, number: Number, purpose: str, to: str = ANA) -> str:
    id = await queued(shop, number, purpose, to)
    await shop.settled()
    return id


async def test_scope_number_stops_marketing_of_that_number_alone(
    connected_company: Company,
) -> None:
    shop, evolution, meta = connected_company, *connected_company.tenant.numbers
    for number in (evolution, meta):
        await shop.conversation(number, ANA)
    await suppress(shop, p_phone=f"+{ANA}", p_scope="number", p_instance_id=evolution.instance_id)
    assert (await outcome(shop, await sent(shop, evolution, "marketing")))[1] == "suppressed"
    params = {"p_company_id": shop.id, "p_identities": [{"kind": "phone", "value": f"+{ANA}"}]}
    ask = {"p_instance_id": meta.instance_id}
    assert await shop.project.rpc("is_suppressed", params | ask) is False
    assert (await outcome(shop, await sent(shop, evolution, "service")))[0] in ARRIVED


async def test_a_retry_after_the_opt_out_is_no_exception(
    connected_company: Company, phones: Phones
) -> None:
    """The first attempt was refused and the message waits for its second one."""
    shop, number = connected_company, connected_company.tenant.evolution
    await shop.conversation(number, ANA)
    await phones.faults(number, fail_times=1, **RETRYABLE[number.provider])
    id = await sent(shop, number, "marketing")
    assert await outcome(shop, id) == ("sending", None)
    await suppress(shop, p_phone=f"+{ANA}")
    await shop.make_due()
    await shop.settled()
    assert await outcome(shop, id) == ("failed", "suppressed")


async def test_of_a_race_every_message_is_sent_or_stopped(connected_company: Company) -> None:
    """Whichever was first: a stopped one was not even tried, and after it nothing begins."""
    shop, number = connected_company, connected_company.tenant.evolution
    people = [f"55119876{n:05}" for n in range(10)]
    async with asyncio.TaskGroup() as tasks:
        for person in people:
            tasks.create_task(queued(shop, number, "marketing", person))
            tasks.create_task(suppress(shop, p_phone=f"+{person}"))
    await shop.settled()
    tried = {row["message_id"] for row in await shop.rows("send_attempts")}
    for message in await shop.rows("messages", direction="eq.out"):
        stopped = (message["status"], message["error_code"]) == ("failed", "suppressed")
        assert stopped or message["status"] in ARRIVED
        assert (message["id"] in tried) is not stopped
    again = [await queued(shop, number, "marketing", person) for person in people]
    await shop.settled()
    assert {await outcome(shop, id) for id in again} == {("failed", "suppressed")}


async def test_all_forms_of_a_phone_are_one_value(company: Company) -> None:
    forms = {
        "+5511987654321": ["5511987654321", "551187654321", "+55 (11) 98765-4321"],
        "+525512345678": ["5215512345678", "525512345678"],
        "+5491123456789": ["541123456789", "5491123456789"],
        "+14155550123": ["14155550123"],
    }
    for phone, written in forms.items():
        await suppress(company, p_phone=written[-1])
        for form in [phone, *written]:
            for kind in ("phone", "wa_id"):
                ask = {"p_company_id": company.id, "p_identities": [{"kind": kind, "value": form}]}
                assert await company.project.rpc("is_suppressed", ask) is True, form
    ask = {"p_company_id": company.id, "p_identities": [{"kind": "phone", "value": "+14155550124"}]}
    assert await company.project.rpc("is_suppressed", ask) is False


async def test_an_id_that_comes_later_is_suppressed_too(company: Company) -> None:
    """Known by LID, then by phone: the hash of the phone holds without the contact."""
    number = company.tenant.evolution
    seen = {"remoteJid": "99887766554433@lid", "pushName": "Ana"}
    await company.post(number, bodies.evolution(number, "contacts.upsert", [seen]))
    await company.settled()
    (contact,) = await company.rows("contacts")
    await suppress(company, p_contact_id=contact["id"])
    said = bodies.text(number, ANA)
    said["data"]["key"]["remoteJid"] = "99887766554433@lid"
    said["data"]["key"]["remoteJidAlt"] = f"{ANA}@s.whatsapp.net"
    await company.post(number, said)
    await company.settled()
    (contact,) = await company.rows("contacts")
    assert contact["phone"] == f"+{ANA}"
    ask = {"p_company_id": company.id, "p_identities": [{"kind": "phone", "value": f"+{ANA}"}]}
    assert await company.project.rpc("is_suppressed", ask) is True


async def test_a_phone_that_nobody_had_is_suppressed_with_all_that_its_owner_has(
    company: Company,
) -> None:
    number = company.tenant.evolution
    await suppress(company, p_phone=f"+{ANA}")
    said = bodies.text(number, ANA)
    said["data"]["key"]["remoteJid"] = "99887766554433@lid"
    said["data"]["key"]["remoteJidAlt"] = f"{ANA}@s.whatsapp.net"
    await company.post(number, said)
    await company.settled()
    lid = [{"kind": "lid", "value": "99887766554433"}]
    ask = {"p_company_id": company.id, "p_identities": lid}
    assert await company.project.rpc("is_suppressed", ask) is True
    (contact,) = await company.rows("contacts")
    (row,) = await company.rows("suppressions")
    assert row["contact_id"] == contact["id"]


async def test_one_companys_suppression_is_nothing_to_another(
    company: Company, project: Any, rival: Any
) -> None:
    await suppress(company, p_phone=f"+{ANA}")
    ask = {"p_identities": [{"kind": "phone", "value": f"+{ANA}"}]}
    assert await project.rpc("is_suppressed", ask | {"p_company_id": rival.company_id}) is False
    assert await project.rpc("is_suppressed", ask | {"p_company_id": company.id}) is True


async def test_a_failure_that_forbids_more_suppresses(company: Company, database: Any) -> None:
    conversation = await company.conversation(company.tenant.meta, ANA)
    await database.execute(
        """insert into private.suppression_requests
             (company_id, instance_id, contact_id, scope, reason)
           select company_id, instance_id, contact_id, 'marketing', '131050'
           from public.conversations where id = $1::text::uuid""",
        conversation,
    )
    (row,) = await company.rows("suppressions")
    assert (row["scope"], row["reason"], row["evidence"]) == (
        "marketing", "provider", {"code": "131050"},
    )  # fmt: skip
