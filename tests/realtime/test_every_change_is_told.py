"""Whatever the API shows of conversations and messages: when it changes, whoever follows hears of
it, without asking. Heads are not compared here, so a change that is not told is never seen."""

import asyncio
import base64
import time
from collections import defaultdict
from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import httpx
import orjson
import pytest

from functions.realtime import topics
from functions.realtime.ledger import Status
from functions.realtime.models import is_tombstone
from functions.realtime.subscriber import Pace, Subscriber
from local.stack import Stack
from tests.fixtures import Api, until
from tests.messaging import bodies, changes
from tests.messaging.conftest import Company, Phones
from tests.tenants import Project, Tenant

Json = dict[str, Any]
ANA = changes.SENDER
BIA = "5511987650002"
CAIO = "5511987650003"

# Told with a row's first version, they stay as they are.
BORN = {
    "conversations": {"id", "company_id", "instance_id", "kind", "title", "created_at"},
    "messages": {
        "id", "company_id", "instance_id", "direction", "origin", "purpose", "author",
        "occurred_at", "created_at", "created_by",
    },
}  # fmt: skip
TABLES = {topics.PREFIX_INBOX: "conversations", topics.PREFIX_CONVERSATION: "messages"}


class Screen:
    """The inbox and all of its conversations; `changed` has the columns whose values changed."""

    def __init__(self, subscriber: Subscriber, inbox: str) -> None:
        self._subscriber, self._inbox = subscriber, inbox
        self._seen: dict[str, Json] = {}
        self.rows: dict[str, dict[str, Json]] = {inbox: {}}
        self.changed: dict[str, set[str]] = defaultdict(set)
        subscriber.follow(inbox)

    async def read(self) -> None:
        async for change in self._subscriber.changes():
            rows = self.rows[change.scope]
            if change.reset:
                rows.clear()
            for row in change.rows:
                self._take(change.scope, rows, dict(row))

    def _take(self, scope: str, rows: dict[str, Json], row: Json) -> None:
        rows.pop(row["id"], None)
        if not is_tombstone(row):
            rows[row["id"]] = row
        before = self._seen.get(row["id"], row)
        self._seen[row["id"]] = row
        table = TABLES[scope.partition(":")[0]]
        self.changed[table] |= {name for name in row if row[name] != before.get(name)}
        if scope == self._inbox:
            conversation = topics.conversation(UUID(row["id"]))
            self.rows.setdefault(conversation, {})
            self._subscriber.follow(conversation)

    def is_live(self) -> bool:
        return all(self._subscriber.ledger(scope).status is Status.LIVE for scope in self.rows)


class Shop:
    """A company whose numbers are at the fake WhatsApp, and an agent's screen."""

    def __init__(self, company: Company, screen: Screen) -> None:
        self.company, self.screen = company, screen
        self.project, self.tenant = company.project, company.tenant
        self.number = company.tenant.evolution

    async def posted(self, *contents: Json) -> None:
        """Taken, worked off and on the screen, one after the other."""
        for content in contents:
            await self.company.post(self.number, content)
            await self.worked_off()

    async def worked_off(self) -> None:
        await self.company.api.tick()
        await self.company.settled()
        await until(self.is_shown, what="the screen as the tables are")

    async def call(self, function: str, params: Json, role: str = "agent") -> Any:
        return await self.project.rpc(function, params, self.tenant.people[role].token)

    async def send(self, to: str, body: str) -> str:
        id, instance = str(uuid4()), self.number.instance_id
        params = {"p_id": id, "p_body": body, "p_instance_id": instance, "p_to": f"+{to}"}
        await self.call("send_message", params)
        await self.worked_off()
        return id

    async def handle(self, id: str, **what: Any) -> None:
        await self.call("update_conversation", {"p_id": id, "p_changes": what})
        await until(self.is_shown, what="the screen as the tables are")

    async def is_shown(self) -> bool:
        """The screen shows what the tables hold, and knows that."""
        inbox = topics.inbox(UUID(self.company.id))
        truth: dict[str, dict[str, Json]] = {scope: {} for scope in self.screen.rows}
        truth[inbox] = {
            row["id"]: row for row in await self.company.rows("conversations", deleted_at="is.null")
        }
        for row in await self.company.rows("messages", deleted_at="is.null"):
            truth.setdefault(topics.conversation(UUID(row["conversation_id"])), {})[row["id"]] = row
        return self.screen.rows == truth and self.screen.is_live()


@pytest.fixture
def phones(whatsapp: httpx.AsyncClient) -> Phones:
    return Phones(whatsapp)


@pytest.fixture
async def shop(connected: Tenant, api: Api, project: Project) -> AsyncIterator[Shop]:
    agent = connected.people["agent"]

    async def token() -> str:
        return agent.token

    async def rpc(name: str, params: Json) -> Any:
        return await project.rpc(name, params, agent.token)

    key, pace = project.publishable_key, Pace(heads=3600, idle_heads=3600)
    async with Subscriber(project.url, key, token=token, rpc=rpc, pace=pace) as subscriber:
        screen = Screen(subscriber, topics.inbox(UUID(connected.company_id)))
        reading = asyncio.create_task(screen.read())
        shop = Shop(Company(connected, api, project), screen)
        await until(shop.is_shown, what="an empty inbox")
        yield shop
        reading.cancel()


async def people_talk(shop: Shop) -> str:
    """All that a contact can do; the conversation."""
    number, at = shop.number, int(time.time())
    by_lid = bodies.text(number, "", "oi", id="HEARD", at=at)
    by_lid["data"]["key"] |= {"remoteJid": "99887766554433@lid"}
    both = bodies.text(number, ANA, "sou eu", id="AGAIN", at=at + 1)
    both["data"]["key"] |= {
        "remoteJid": "99887766554433@lid",
        "remoteJidAlt": f"{ANA}@s.whatsapp.net",
    }
    await shop.posted(
        by_lid,
        both,
        changes.answer(number, "LATER", "sim", id="ANSWER", at=at + 2),
        bodies.text(number, ANA, "quer?", id="LATER", at=at + 3),
        changes.reaction(number, "LATER", "👍", at + 4, id="REACTION"),
        changes.edit(number, "LATER", "queres?", at + 5),
        changes.revoke(number, "LATER", at + 6),
    )
    unread = bodies.text(number, ANA, id="PIN", at=at + 7)
    unread["data"] |= {"message": None, "messageStubType": "CIPHERTEXT", "messageType": None}
    pinned = bodies.text(number, ANA, id="PIN", at=at + 7)
    pinned["data"]["message"] = {"pinInChatMessage": {"key": {"id": "LATER"}, "type": 1}}
    vote = bodies.text(number, ANA, id="VOTE", at=at + 8)
    poll = {"pollCreationMessageKey": {"id": "LATER"}, "vote": {"selectedOptions": ["sim"]}}
    vote["data"]["message"] = {"pollUpdateMessage": poll}
    await shop.posted(unread, pinned, vote)
    (conversation,) = await shop.company.rows("conversations")
    return str(conversation["id"])


async def people_answer(shop: Shop, conversation: str) -> None:
    await shop.send(ANA, "às ordens")
    await shop.handle(conversation, assignee_id=shop.tenant.people["agent"].id)
    await shop.handle(conversation, status="closed", read=True)
    await shop.handle(conversation, bot_pause_minutes=5)


async def sends_go_wrong(shop: Shop, phones: Phones) -> None:
    await phones.faults(shop.number, lose_times=1, drop_echoes=True, drop_statuses=True)
    lost = await shop.send(ANA, "chegou?")
    await shop.project.rpc("ask_for_decision", {"p_message_id": lost})
    await phones.faults(shop.number, nack_times=1, drop_echoes=False, drop_statuses=False)
    await shop.send(ANA, "e agora?")


async def a_file_comes(shop: Shop, phones: Phones) -> None:
    content = base64.b64encode(b"a picture").decode()
    order = {"number": shop.number.external_id, "from": ANA, "type": "image"}
    order |= {"mime_type": "image/png", "content": content, "file_name": "foto.png"}
    answer = await phones.whatsapp.post("/_fake/inbound", json=order)
    assert answer.status_code == 202, answer.text
    await shop.worked_off()


async def contacts_become_one_and_none(shop: Shop) -> None:
    await shop.posted(bodies.text(shop.number, BIA, "outra", at=int(time.time())))
    await shop.company.post(shop.tenant.meta, bodies.text(shop.tenant.meta, CAIO, "por aqui"))
    await shop.worked_off()
    ana, bia, caio = [
        (await shop.company.rows("contacts", phone=f"eq.+{phone}"))[0]["id"]
        for phone in (ANA, BIA, CAIO)
    ]
    # Ana's messages go to Bia's conversation; Caio's is Bia's from now on.
    for other in (ana, caio):
        await shop.call("merge_contacts", {"p_kept_id": bia, "p_other_id": other})
        await shop.worked_off()
    await shop.call("erase_contact", {"p_id": bia}, "admin")
    await shop.worked_off()


async def test_all_that_is_shown_is_told_when_it_changes(
    shop: Shop, phones: Phones, stack: Stack
) -> None:
    conversation = await people_talk(shop)
    await people_answer(shop, conversation)
    await sends_go_wrong(shop, phones)
    await a_file_comes(shop, phones)
    await contacts_become_one_and_none(shop)
    for table in TABLES.values():
        assert await columns(stack, table) - BORN[table] == shop.screen.changed[table]


async def columns(stack: Stack, table: str) -> set[str]:
    database = await asyncpg.connect(stack.database_url)
    rows = await database.fetch(
        "select column_name from information_schema.columns "
        "where table_schema = 'public' and table_name = $1",
        table,
    )
    await database.close()
    return {row["column_name"] for row in rows}


async def test_an_update_is_told_without_the_rows_that_it_leaves_as_they_were(
    shop: Shop, stack: Stack
) -> None:
    """With them it would seem to join on to what came before those."""
    texts = [bodies.text(shop.number, ANA, f"{n}", id=f"N{n}") for n in range(3)]
    await shop.posted(*texts)
    (conversation,) = await shop.company.rows("conversations")
    database = await asyncpg.connect(stack.database_url)
    await database.execute(
        "update messages set error_code = case when body = '2' then 'seen' end "
        "where conversation_id = $1::text::uuid",
        conversation["id"],
    )
    payload = orjson.loads(
        await database.fetchval(
            "select payload from realtime.messages where topic = $1 "
            "order by (payload ->> 'ver')::bigint desc limit 1",
            topics.conversation(UUID(conversation["id"])),
        )
    )
    await database.close()
    assert (payload["prev"], payload["ver"]) == (3, 4)
    assert [row["body"] for row in payload["rows"]] == ["2"]


async def test_a_merge_takes_no_version_without_telling(shop: Shop) -> None:
    await shop.posted(*(bodies.text(shop.number, who, "oi") for who in (ANA, ANA, BIA)))
    contacts = {row["phone"]: row["id"] for row in await shop.company.rows("contacts")}
    (kept,) = await shop.company.rows("conversations", contact_id=f"eq.{contacts[f'+{BIA}']}")
    await shop.call(
        "merge_contacts",
        {"p_kept_id": contacts[f"+{BIA}"], "p_other_id": contacts[f"+{ANA}"]},
    )
    await until(shop.is_shown, what="the screen as the tables are")
    rows = await shop.company.rows("messages", conversation_id=f"eq.{kept['id']}", order="rev")
    assert [(row["rev"], row["seq"]) for row in rows] == [(1, 1), (2, 2), (3, 3)]


async def test_a_contact_with_another_name_changes_its_conversation(shop: Shop) -> None:
    steps = []
    for name in ("Ana", "Ana", "Ana Maria"):
        await shop.posted(bodies.text(shop.number, ANA, name=name, at=int(time.time())))
        (conversation,) = await shop.company.rows("conversations")
        steps.append(conversation["rev"])
    with_message, with_name = steps[1] - steps[0], steps[2] - steps[1]
    assert with_name == with_message + 1
