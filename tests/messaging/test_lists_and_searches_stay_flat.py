"""What a list or a search reads does not grow with the company: pages of the database, counted,
and the index that each reads, by name.

One company has 20 times the conversations and messages of the other, with the same shares of
open, unread and waiting ones. Each read is made by a member, under row level security: as tables
are after autovacuum, before their first analyse, and under a plan that serves all parameters.
"""

import itertools
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import asyncpg
import pytest

from bench.filling import TABLES, fill, settle
from bench.plans import Cost, cost
from local.stack import Stack
from tests.tenants import Project, Tenant

SMALL, LARGE, MESSAGES = 1_000, 20_000, 4
# Blocks of 8 kB. A page of 50 conversations looks each of them up; one whose filters no index
# answers together looks at 2000 of them, and one by number at 10000.
PAGE, NARROWED, NUMBERED = 400, 2_500, 11_000
# What makes the planner know nothing of a table, or nothing of the parameters.
STATES = {
    "analysed": "select 1",
    "never analysed": f"""
      delete from pg_statistic where starelid = any ('{{{",".join(TABLES)}}}'::regclass[]);
      update pg_class set reltuples = -1, relpages = 0, relallvisible = 0
      where oid = any ('{{{",".join(TABLES)}}}'::regclass[])
    """,
    "planned once": "set local plan_cache_mode = force_generic_plan",
}
FILTERS: dict[str, list[str]] = {
    "p_status": ["'open'", "'closed'"],
    "p_assignee": ["'me'", "'none'"],
    "p_unread": ["true", "false"],
    "p_kind": ["'group'", "'direct'", "'newsletter'"],
    "p_instance_id": ["'{number}'"],
    "p_sort": ["'waiting'"],
}
# The first filter that is given says which index, if any.
LEADS = {
    ("p_sort", "'waiting'"): "conversations_waiting",
    ("p_unread", "true"): "conversations_unread",
    ("p_assignee", "'me'"): "conversations_by_assignee",
    ("p_assignee", "'none'"): "conversations_of_nobody",
    ("p_kind", "'group'"): "conversations_by_kind",
    ("p_kind", "'newsletter'"): "conversations_by_kind",
    ("p_instance_id", "'{number}'"): "conversations_of_instance",
    ("p_status", "'open'"): "conversations_by_status",
    ("p_status", "'closed'"): "conversations_by_status",
}
LISTS = {
    "one conversation": ("get_conversation('{long}')", "conversations_pkey"),
    "messages": ("list_messages('{long}')", "messages_in_reading_order"),
    "older messages": (
        "list_messages('{long}', p_cursor => '{middle}')",
        "messages_in_reading_order",
    ),
    "changed messages": (
        "sync_conversation('{long}', {version} - 50, '{epoch}')",
        "messages_in_rev_order",
    ),
    "all messages anew": ("sync_conversation('{long}', 0, null)", "messages_in_reading_order"),
    "changed conversations": (
        "sync_inbox('{company}', {head} - 50, '{epoch}')",
        "conversations_in_rev_order",
    ),
    "the inbox anew": ("sync_inbox('{company}', 0, null)", "conversations_in_inbox_order"),
    "contacts": ("list_contacts()", "contacts_in_order"),
    "a contact": ("list_contacts(p_phone => '{phone}')", "contacts_by_company"),
}
SEARCHES = {
    "a frequent word": "search_messages('pedido')",
    "the newest with it": "search_messages('pedido', p_sort => 'newest')",
    "in this order": """search_messages('"bom dia"')""",
    "or": "search_messages('boleto or frete')",
    "not": "search_messages('-pedido')",
    "a rare word": "search_messages('raro500')",
    "a rare and a frequent word": "search_messages('raro500 de pedido')",
    "an unknown word": "search_messages('inexistente')",
    "a rare name": "search_contacts('raro500')",
    "a name": "search_contacts('maria')",
    "a beginning of names": "search_contacts('mar')",
    "a letter": "search_contacts('m')",
    "a phone": "search_contacts('{phone}')",
    "some digits": "search_contacts('9000')",
    "an area": "search_contacts('(55) 11 9')",
}


@dataclass(frozen=True, slots=True)
class Volumes:
    database: asyncpg.Connection
    small: Tenant
    large: Tenant
    facts: dict[str, dict[str, Any]]

    async def cost(self, tenant: Tenant, call: str, state: str = "analysed") -> Cost:
        """Of a call by a member of the company, the second time."""
        text = call.format(**self.facts[tenant.company_id])
        async with self._in(state):
            return await cost(self.database, tenant.people["agent"].id, text)

    @asynccontextmanager
    async def _in(self, state: str) -> AsyncIterator[None]:
        transaction = self.database.transaction()
        await transaction.start()
        try:
            await self.database.execute(STATES[state])
            yield
        finally:
            await transaction.rollback()


async def facts_of(database: asyncpg.Connection, tenant: Tenant) -> dict[str, Any]:
    """What a call may be about; the longest conversation has a fortieth of all messages."""
    row = await database.fetchrow(
        """select company.id as company, epoch, conversation.id as long, conversation.version,
             (select version from versions where scope = 'inbox:' || company.id) as head,
             (select private.page_cursor(occurred_at, seq::text) from messages
              where conversation_id = conversation.id
                and seq = conversation.version / 2) as middle,
             (select phone from contacts where company_id = company.id
              order by phone limit 1) as phone
           from companies as company
           join conversations as conversation on conversation.company_id = company.id
           where company.id = $1 order by conversation.version desc limit 1""",
        tenant.company_id,
    )
    return dict(row) | {"number": tenant.meta.instance_id}


@pytest.fixture(scope="module")
async def volumes(project: Project, stack: Stack) -> AsyncIterator[Volumes]:
    assert stack.whatsapp_url
    small, large = [await project.new_tenant(stack.whatsapp_url) for _ in range(2)]
    database = await asyncpg.connect(stack.database_url)
    await fill(database, [(small, SMALL), (large, LARGE)], MESSAGES)
    await settle(database)
    facts = {one.company_id: await facts_of(database, one) for one in (small, large)}
    yield Volumes(database, small, large, facts)
    await database.execute(
        "delete from companies where id = any ($1::uuid[])", [small.company_id, large.company_id]
    )
    await database.close()


def combinations() -> list[dict[str, str]]:
    """No filter, every filter, and every two."""
    each = [(name, value) for name, values in FILTERS.items() for value in values]
    pairs = [dict(pair) for pair in itertools.combinations(each, 2) if pair[0][0] != pair[1][0]]
    return [{}, *({name: value} for name, value in each), *pairs]


def lead(asked: dict[str, str]) -> str:
    found = [index for (name, value), index in LEADS.items() if asked.get(name) == value]
    return next(iter(found), "conversations_in_inbox_order")


def scanned(found: Cost, table: str) -> set[str]:
    """Which indexes of a table, but for those by which single rows are looked up."""
    assert not {"conversations", "messages", "contacts"} & set(found.walked)
    return {name for name in found.indexes if name.startswith(f"{table}_")} - {f"{table}_pkey"}


@pytest.mark.parametrize("state", STATES)
async def test_every_list_reads_the_index_of_its_filters(volumes: Volumes, state: str) -> None:
    for asked in combinations():
        arguments = ", ".join(f"{name} => {value}" for name, value in asked.items())
        found = await volumes.cost(volumes.large, f"list_conversations({arguments})", state)
        assert scanned(found, "conversations") == {lead(asked)}, asked
        assert found.blocks <= (PAGE if len(asked) < 2 else NARROWED), (asked, found)


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize(
    "asked",
    [
        {},
        {"p_assignee": "'none'"},
        {"p_assignee": "'me'"},
        {"p_unread": "false", "p_kind": "'direct'"},
        {"p_status": "'closed'", "p_kind": "'group'"},
    ],
    ids=str,
)
async def test_a_page_by_number_looks_at_ten_thousand(
    volumes: Volumes, state: str, asked: dict[str, str]
) -> None:
    arguments = ", ".join(f"{name} => {value}" for name, value in asked.items())
    call = f"list_conversations({arguments or 'null'}, p_page => 15, p_limit => 50)"
    found = await volumes.cost(volumes.large, call, state)
    assert scanned(found, "conversations") == {lead(asked)}
    assert found.blocks <= NUMBERED


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("name", LISTS)
async def test_a_list_reads_one_page_of_its_index(volumes: Volumes, name: str, state: str) -> None:
    call, index = LISTS[name]
    found = await volumes.cost(volumes.large, call, state)
    table = index.partition("_")[0]
    assert scanned(found, table) == ({index} if index != f"{table}_pkey" else set())
    assert found.blocks <= PAGE


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("name", SEARCHES)
async def test_a_search_reads_no_more_of_a_long_history(
    volumes: Volumes, name: str, state: str
) -> None:
    small, large = [
        await volumes.cost(tenant, SEARCHES[name], state)
        for tenant in (volumes.small, volumes.large)
    ]
    table = "contacts" if "contacts" in SEARCHES[name] else "messages"
    assert scanned(large, table) == {f"{table}_by_words"}
    assert large.blocks <= 1.5 * small.blocks + 400, (small, large)


async def test_an_echo_does_not_read_its_conversation(volumes: Volumes) -> None:
    """Whether a message that the phone tells of is one of ours that is being sent."""
    conversation_id = volumes.facts[volumes.large.company_id]["long"]
    event = '{"type": "text", "body": "oi", "provider_message_id": "X"}'
    found = await cost(
        volumes.database, None, f"private.adopt_echo('{conversation_id}', '{event}')"
    )
    assert scanned(found, "messages") == {"messages_in_flight"}
