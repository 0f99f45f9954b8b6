"""Two deployments, two ticks, two deliveries and two senders at the same time."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from uuid import uuid4

import asyncpg
import pytest

from tests.faults.follower import following
from tests.faults.proof import prove
from tests.faults.site import Json, Site, deployed
from tests.faults.traffic import Traffic
from tests.fixtures import Api, until
from tests.tenants import body


@pytest.fixture
async def apis(site: Site) -> AsyncIterator[list[Api]]:
    """Two deployments on one project, each with work after its answers."""
    settings = site.through(site.stack.url, inbound_drain_seconds=5.0)
    async with AsyncExitStack() as running:
        yield [await running.enter_async_context(deployed(settings)) for _ in range(2)]


async def test_two_deployments_and_two_ticks_share_the_work(
    site: Site, traffic: Traffic, apis: list[Api]
) -> None:
    """Every webhook comes twice, the second number's to the second deployment; all is live."""
    tenant = traffic.tenant
    await site.connect(tenant, apis[0], copies=2, shuffle=True)
    async with following(site, tenant) as follower:
        await asyncio.gather(
            traffic.say_much([tenant.evolution], contacts=5, each=4),
            traffic.say_much([tenant.meta], contacts=5, each=4),
            traffic.hear_much(tenant.numbers, contacts=5, each=4),
            *(api.tick() for api in apis for _ in range(2)),
        )
        await asyncio.gather(*(api.tick() for api in apis))
        await site.settle(tenant)
        await follower.until_equal()
    outcome = await prove(traffic)
    assert outcome.statuses() == {"read": 40}
    assert [job["error"] for job in outcome.jobs if job["error"]] == []


async def test_a_webhook_delivered_again_while_it_is_stored(
    site: Site, traffic: Traffic, apis: list[Api]
) -> None:
    """The first delivery has written the item and not committed; the second waits for it."""
    number = traffic.tenant.evolution
    id = f"3EB0{uuid4().hex[:18].upper()}"
    content = _message(number.external_id, traffic.contact(number, 0), id)
    lock = await asyncpg.connect(site.stack.database_url)
    # What every enqueue of a chat takes before its job: receive_inbound stops after the item.
    await lock.execute("select pg_advisory_lock(1701, bucket) from generate_series(0, 255) bucket")
    posts = [asyncio.create_task(api.post_webhook(number, content)) for api in apis]
    await until(lambda: _waiting(site, 2), what="both deliveries in the database")
    await lock.execute("select pg_advisory_unlock_all()")
    await lock.close()
    answers = [(await post).json() for post in posts]
    assert sorted(answer["stored"] for answer in answers) == [0, 1]
    assert sorted(answer["duplicates"] for answer in answers) == [0, 1]
    traffic.heard[id] = "Oi"
    await site.settle(traffic.tenant)
    await prove(traffic)


async def _waiting(site: Site, count: int) -> bool:
    rows = await site.look(
        "select from pg_stat_activity where wait_event_type = 'Lock' and query like '%receive_inb%'"
    )
    return len(rows) >= count


def _message(instance: str, contact: str, id: str) -> Json:
    return {
        "event": "messages.upsert",
        "instance": instance,
        "data": {
            "key": {"remoteJid": f"{contact}@s.whatsapp.net", "fromMe": False, "id": id},
            "pushName": "Bia",
            "message": {"conversation": "Oi"},
            "messageType": "conversation",
            "messageTimestamp": 1795000000,
        },
    }


async def test_many_deliveries_of_one_body_are_one_message(
    site: Site, traffic: Traffic, apis: list[Api]
) -> None:
    number = traffic.tenant.evolution
    ids = [f"3EB0{uuid4().hex[:18].upper()}" for _ in range(5)]
    raws = [body(_message(number.external_id, traffic.contact(number, 0), id)) for id in ids]
    answers = await asyncio.gather(
        *(api.post_webhook(number, raw) for _ in range(5) for raw in raws for api in apis)
    )
    assert sum(answer.json()["stored"] for answer in answers) == 5
    assert sum(answer.json()["duplicates"] for answer in answers) == 45
    traffic.heard |= dict.fromkeys(ids, "Oi")
    await site.settle(traffic.tenant)
    await prove(traffic)


async def test_identical_sends_at_once_are_one_message(
    site: Site, traffic: Traffic, apis: list[Api]
) -> None:
    """To people nobody has written to yet: the conversation is made once, too."""
    number, agent = traffic.tenant.meta, traffic.tenant.people["agent"]
    for place in range(4):
        id, text = str(uuid4()), f"once {place}"
        message = {
            "id": id,
            "instance_id": number.instance_id,
            "to": f"+{traffic.contact(number, place)}",
            "body": text,
        }
        answers = await asyncio.gather(
            *(api.send(agent, message) for api in apis for _ in range(5))
        )
        assert {answer.status_code for answer in answers} == {202}
        assert {answer.json()["id"] for answer in answers} == {id}
        traffic.sent[id] = text
    await site.settle(traffic.tenant)
    outcome = await prove(traffic)
    assert outcome.statuses() == {"read": 4}
    assert len({row["conversation_id"] for row in outcome.messages}) == 4
