"""The messages of a batch are one statement, and each stays what it would be alone."""

import itertools
from dataclasses import asdict
from typing import Any

import asyncpg

from functions.providers.events import Identity, MessageReceived
from tests.messaging import bodies
from tests.messaging.conftest import Company

Json = dict[str, Any]

_people = itertools.count(11_970_000_000)


def together(*contents: Json) -> Json:
    """One body of Meta's with the items of these."""
    return {"entry": [entry for content in contents for entry in content["entry"]]}


def people(count: int) -> list[str]:
    return [f"55{next(_people)}" for _ in range(count)]


async def test_the_inbox_is_told_once_of_all(
    company: Company, database: asyncpg.Connection
) -> None:
    number, senders = company.tenant.meta, people(8)
    for minute in (0, 60):
        told = "select count(*) from realtime.messages where topic = 'inbox:' || $1::text"
        before = await database.fetchval(told, company.id)
        at = bodies.NOON + minute
        texts = [bodies.text(number, who, f"{who} {minute}", at=at) for who in senders]
        await company.post(number, together(*texts))
        await company.settled()
    # The first body also opened the conversations.
    assert await database.fetchval(told, company.id) == before + 1
    rows = await company.rows("conversations", order="rev")
    assert {row["last_message_preview"] for row in rows} == {f"{who} 60" for who in senders}
    assert [row["unread"] for row in rows] == [2] * 8


async def test_each_opt_out_names_its_own_item(company: Company) -> None:
    number = company.tenant.meta
    texts = [bodies.text(number, who, "sair") for who in people(3)]
    await company.post(number, together(*texts))
    await company.settled()
    proofs = [row["evidence"] for row in await company.rows("suppressions")]
    assert len({proof["message_id"] for proof in proofs}) == 3
    for proof in proofs:
        message = await company.message(proof["message_id"])
        (item,) = await company.rows("inbound_events", id=f"eq.{proof['event_id']}")
        assert message["provider_message_id"] in item["dedupe_key"]


def written(id: str, who: str, **told: Any) -> Json:
    """A message as the parser tells it."""
    identities = [Identity("phone", f"+{who}")]
    message = MessageReceived(id, None, f"{who}@s.whatsapp.net", identities=identities)
    return asdict(message) | {"type": "text"} | told


async def test_nothing_overtakes_the_message_that_it_is_about(
    company: Company, database: asyncpg.Connection
) -> None:
    number, (who, other) = company.tenant.meta, people(2)
    await company.post(number, bodies.text(number, who))
    await company.settled()
    (item,) = await company.rows("inbound_events")
    await database.execute(
        "update public.inbound_events set state = 'received' where id = $1", item["id"]
    )
    unreadable = written("A", who, type="unsupported")
    liked = written("C", who, type="reaction", body="👍", target="A", actor="contact")
    events = [unreadable, written("B", other, body="olá"), written("A", who, body="oi"), liked]
    items = [{"id": item["id"], "events": events}]
    assert await company.project.rpc("ingest_inbound", {"p_items": items}) == {}
    (message,) = await company.rows("messages", provider_message_id="eq.A")
    assert (message["type"], message["body"]) == ("text", "oi")
    assert [row["emoji"] for row in message["reactions"]] == ["👍"]


async def test_more_than_fits_one_statement_is_all_stored(company: Company) -> None:
    number, senders = company.tenant.meta, people(40)
    await company.post(number, together(*(bodies.text(number, who, who) for who in senders)))
    await company.settled()
    assert sorted(row["body"] for row in await company.rows("messages")) == senders
    previews = [row["last_message_preview"] for row in await company.rows("conversations")]
    assert sorted(previews) == senders
