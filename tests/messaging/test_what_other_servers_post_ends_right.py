"""Bodies that no sample has: large, misleading or told twice. Each in two orders, and twice."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from tests.messaging import bodies
from tests.messaging.conftest import Company
from tests.tenants import Number

Json = dict[str, Any]

GROUP = "120363000000000001@g.us"
MEMBER = "10000000000078@lid"
PERSON = "5531999990001"
EDIT: Json = {
    "key": {"remoteJid": GROUP, "fromMe": True, "id": "GROUP1", "participant": MEMBER},
    "type": "MESSAGE_EDIT",
    "editedMessage": {"conversation": "novo"},
    "timestampMs": "1763326190000",
}
FORM = json.dumps({f"pergunta_{n}": "é" * 4000 for n in range(60)})


def upsert(number: Number, id: str, message: Any, name: str = "Ana", **key: Any) -> Json:
    whole = {"remoteJid": f"{PERSON}@s.whatsapp.net", "fromMe": False, "id": id, **key}
    data = {"key": whole, "pushName": name, "message": message, "messageTimestamp": bodies.NOON}
    return bodies.evolution(number, "messages.upsert", data)


def form(number: Number) -> Json:
    reply = {"name": "flow", "body": "Enviado", "response_json": FORM}
    said = {"id": "FORM", "from": PERSON, "timestamp": str(bodies.NOON), "type": "interactive"}
    answer: Json = {"interactive": {"type": "nfm_reply", "nfm_reply": reply}}
    return bodies.meta(number, "messages", {"messages": [said | answer]})


def payment(number: Number, said: str) -> Json:
    status = {"id": "ORDER", "status": said, "type": "payment", "timestamp": str(bodies.NOON)}
    return bodies.meta(number, "messages", {"statuses": [status]})


def history(number: Number) -> list[Json]:
    """A picture from before the number was connected: announced, then sent."""
    past = {"id": "PAST", "from": PERSON, "timestamp": str(bodies.NOON)}
    announced = {"id": PERSON, "messages": [past | {"type": "media_placeholder"}]}
    sent: Json = {"type": "image", "image": {"id": "9", "mime_type": "image/jpeg"}}
    values: list[Json] = [{"history": [{"threads": [announced]}]}, {"messages": [past | sent]}]
    return [bodies.meta(number, "history", value) for value in values]


# Each: the provider, the bodies, and what is known afterwards of each message.
CASES: dict[str, tuple[str, Callable[[Number], list[Json]], dict[str, Json]]] = {
    "a member of a group edits": (
        "evolution",
        lambda number: [
            upsert(number, "GROUP1", {"conversation": "a"}, remoteJid=GROUP, participant=MEMBER),
            bodies.evolution(number, "messages.edited", EDIT),
        ],
        {"GROUP1": {"direction": "in", "body": "novo", "origin": "contact"}},
    ),
    "a code that comes after its placeholder": (
        "evolution",
        lambda number: [
            upsert(number, "CODE", {"placeholderMessage": {"type": "MASK_LINKED_DEVICES"}}),
            upsert(number, "CODE", {"conversation": "código 1"}),
        ],
        {"CODE": {"type": "text", "body": "código 1"}},
    ),
    "an address of zeros": (
        "evolution",
        lambda number: [
            upsert(number, "ZERO", {"conversation": "a"}, remoteJid="000000000000@s.whatsapp.net")
        ],
        {"ZERO": {"body": "a"}},
    ),
    "a name of a hundred thousand letters": (
        "evolution",
        lambda number: [upsert(number, "NAME", {"conversation": "a"}, name="né" * 50_000)],
        {"NAME": {"body": "a"}},
    ),
    "a picture of a shared history": ("meta", history, {"PAST": {"type": "image", "body": None}}),
    "a form of half a megabyte": (
        "meta",
        lambda number: [form(number)],
        {"FORM": {"type": "interactive", "body": "Enviado"}},
    ),
    "an order whose payment fails": (
        "meta",
        lambda number: [
            bodies.echo(number, PERSON, "pedido", id="ORDER"),
            payment(number, "pending"),
            payment(number, "failed"),
        ],
        {"ORDER": {"status": "accepted", "error_code": None}},
    ),
}


@pytest.mark.parametrize("turned", [False, True])
@pytest.mark.parametrize("case", CASES)
async def test_it_ends_as_a_person_expects(case: str, turned: bool, company: Company) -> None:
    provider, make, expected = CASES[case]
    number: Number = getattr(company.tenant, provider)
    contents = make(number)
    for content in [*(reversed(contents) if turned else contents), *contents]:
        await company.post(number, content)
        await company.settled()
    await company.make_due()
    await company.settled()
    found = {row["provider_message_id"]: row for row in await company.rows("messages")}
    assert set(found) == set(expected)
    for id, fields in expected.items():
        assert {name: found[id][name] for name in fields} == fields
    assert len(await company.rows("conversations")) == 1
    assert {event["state"] for event in await company.events(number)} == {"processed"}


async def test_a_partner_that_leaves_closes_the_number(company: Company) -> None:
    number = company.tenant.meta
    owner = {"waba_id": number.waba_id, "owner_business_id": "35602282435505"}
    value = {"event": "PARTNER_REMOVED", "waba_info": owner}
    change = {"field": "account_update", "value": value}
    await company.post(number, {"entry": [{"id": "35602282435505", "changes": [change]}]})
    await company.settled()
    (instance,) = await company.rows("instances", id=f"eq.{number.instance_id}")
    assert (instance["state"], instance["state_reason"]) == ("closed", "PARTNER_REMOVED")


async def test_a_thousand_reports_in_one_body_are_a_thousand(company: Company) -> None:
    number = company.tenant.meta
    said = {"status": "delivered", "timestamp": str(bodies.NOON), "recipient_id": PERSON}
    reports = [{"id": f"MANY{n}", **said} for n in range(1000)]
    content = bodies.meta(number, "messages", {"statuses": reports})
    answers = [(await company.api.post_webhook(number, content)).json() for _ in range(2)]
    assert [answer["stored"] for answer in answers] == [1000, 0]
    await company.settled()
    last = await company.rows("message_status_events", provider_message_id="eq.MANY999")
    assert [report["status"] for report in last] == ["delivered"]
    assert await company.rows("inbound_events", state="neq.processed") == []
