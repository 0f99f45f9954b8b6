"""Where a person of the company writes, on the phone or in the inbox, the bot keeps silent."""

import time
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import asyncpg

from tests.messaging import bodies
from tests.messaging.conftest import Company

Json = dict[str, Any]
ANA = "5511987654321"


async def paused_until(company: Company) -> datetime | None:
    (row,) = await company.rows("conversations")
    until = row["bot_paused_until"]
    return datetime.fromisoformat(until) if until else None


def minutes_left(until: datetime | None) -> float:
    assert until is not None
    return (until - datetime.now(UTC)) / timedelta(minutes=1)


async def echo(company: Company, body: str = "eu mesmo", seconds_ago: int = 0) -> None:
    number = company.tenant.meta
    at = int(time.time()) - seconds_ago
    await company.post(number, bodies.echo(number, ANA, body, id=bodies.new_id(), at=at))
    await company.settled()


async def act(company: Company, id: str, what: str, body: Json | None = None) -> Any:
    token = company.tenant.people["agent"].token
    return await company.api.http.post(
        f"/api/conversations/{id}/bot/{what}",
        json=body,
        headers={"authorization": f"Bearer {token}"},
    )


async def test_an_answer_on_the_phone_pauses_the_bot_for_an_hour(company: Company) -> None:
    await company.conversation(company.tenant.meta, ANA)
    assert await paused_until(company) is None
    await echo(company)
    assert 58 < minutes_left(await paused_until(company)) <= 60
    (event,) = await company.rows("conversation_events")
    assert (event["action"], event["cause"]) == ("bot_pause", "event")


async def test_an_answer_in_the_inbox_pauses_it_and_one_by_key_does_not(company: Company) -> None:
    id = await company.conversation(company.tenant.evolution, ANA)
    owner, agent = company.tenant.people["owner"], company.tenant.people["agent"]
    key = await company.project.rpc("create_api_key", {"p_name": "bot"}, owner.token)
    message = {"id": str(uuid4()), "conversation_id": id, "body": "sou o bot"}
    headers = {"authorization": f"Bearer {key['key']}"}
    answer = await company.api.http.post("/api/messages", json=message, headers=headers)
    assert answer.status_code == 202, answer.text
    assert await paused_until(company) is None
    answer = await company.api.send(agent, message | {"id": str(uuid4()), "body": "sou eu"})
    assert answer.status_code == 202, answer.text
    until = await paused_until(company)
    assert 58 < minutes_left(until) <= 60
    # Line after line is not news after news.
    await company.api.send(agent, message | {"id": str(uuid4()), "body": "e mais"})
    assert await paused_until(company) == until


async def test_what_the_provider_repeats_of_our_own_send_pauses_nothing(
    company: Company, database: asyncpg.Connection
) -> None:
    id = await company.conversation(company.tenant.meta, ANA)
    await database.execute(
        """insert into messages (company_id, conversation_id, origin, status, body)
           values ($1, $2, 'api', 'sending', 'sou o bot')""",
        company.id,
        id,
    )
    await echo(company, "sou o bot")
    assert await paused_until(company) is None
    await echo(company, "sou eu")
    assert await paused_until(company) is not None


async def test_how_long_is_the_companys_choice(company: Company) -> None:
    await company.conversation(company.tenant.meta, ANA)
    await company.project.update("companies", {"bot_pause_minutes": 0}, id=f"eq.{company.id}")
    await echo(company)
    assert await paused_until(company) is None
    await company.project.update("companies", {"bot_pause_minutes": 5}, id=f"eq.{company.id}")
    await echo(company, seconds_ago=3600)
    assert await paused_until(company) is None
    await echo(company)
    assert 4 < minutes_left(await paused_until(company)) <= 5


async def test_it_is_paused_and_resumed_by_hand(company: Company) -> None:
    id = await company.conversation(company.tenant.meta, ANA)
    answer = await act(company, id, "pause", {"minutes": 600})
    assert answer.status_code == 200, answer.text
    assert 599 < minutes_left(await paused_until(company)) <= 600
    # A person who answers meanwhile does not shorten that.
    await echo(company)
    assert 598 < minutes_left(await paused_until(company)) <= 600
    assert (await act(company, id, "resume")).json()["bot_paused_until"] is None
    assert (await act(company, id, "resume")).status_code == 200
    assert (await act(company, id, "pause")).status_code == 200
    assert 58 < minutes_left(await paused_until(company)) <= 60
    events = await company.rows("conversation_events", order="id")
    assert [event["action"] for event in events] == ["bot_pause"] * 3
    for minutes in (0, 10_081, "x"):
        assert (await act(company, id, "pause", {"minutes": minutes})).status_code == 422
