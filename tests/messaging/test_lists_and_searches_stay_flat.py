"""What a list or a search reads does not grow with the company: pages of the database, counted.

One company has 20 times the conversations and messages of the other, with the same shares of
open, unread and waiting ones. Each read is made by a member, under row level security.
"""

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import asyncpg
import pytest

from bench.volume import fill
from local.stack import Stack
from tests.tenants import Project, Tenant

SMALL, LARGE, MESSAGES = 1_000, 20_000, 4
# Blocks of 8 kB: a page of 50 rows reads fewer than 200, one that looks at 2000 conversations
# about so many, and one by number looks at 10000.
LISTS = {
    "newest": ("p_limit => 50", 300),
    "open": ("p_status => 'open'", 300),
    "mine": ("p_assignee => 'me'", 300),
    "mine and open": ("p_assignee => 'me', p_status => 'open'", 300),
    "nobody's and open": ("p_assignee => 'none', p_status => 'open'", 300),
    "unread": ("p_unread => true", 300),
    "waiting longest": ("p_sort => 'waiting'", 300),
    "groups": ("p_kind => 'group'", 300),
    "sparse": ("p_fields => '{id,rev}'", 300),
    "unread and closed": ("p_unread => true, p_status => 'closed'", 4_000),
    "far behind": ("p_page => 10, p_limit => 50", 14_000),
}
SEARCHES = {
    "frequent": "select public.search_messages('pedido')",
    "frequent, newest": "select public.search_messages('pedido', p_sort => 'newest')",
    "rare": "select public.search_messages('raro500')",
    "unknown": "select public.search_messages('inexistente')",
    "contact": "select public.search_contacts('raro500')",
}


@dataclass(frozen=True, slots=True)
class Volumes:
    database: asyncpg.Connection
    small: Tenant
    large: Tenant

    async def blocks(self, tenant: Tenant, call: str) -> int:
        """How many blocks a call by a member of the company reads, the second time."""
        claims = {"sub": tenant.people["agent"].id, "role": "authenticated"}
        async with self.database.transaction():
            await self.database.execute("set local role authenticated")
            await self.database.execute(
                "select set_config('request.jwt.claims', $1, true)", json.dumps(claims)
            )
            for _ in range(2):
                ((plan,),) = await self.database.fetch(
                    f"explain (analyze, buffers, format json) {call}"
                )
        top: dict[str, Any] = json.loads(plan)[0]["Plan"]
        return int(top["Shared Hit Blocks"] + top["Shared Read Blocks"])


@pytest.fixture(scope="module")
async def volumes(project: Project, stack: Stack) -> AsyncIterator[Volumes]:
    assert stack.whatsapp_url
    small, large = [await project.new_tenant(stack.whatsapp_url) for _ in range(2)]
    database = await asyncpg.connect(stack.database_url)
    await fill(database, small, SMALL, MESSAGES)
    await fill(database, large, LARGE, MESSAGES)
    yield Volumes(database, small, large)
    await database.execute(
        "delete from companies where id = any ($1::uuid[])", [small.company_id, large.company_id]
    )
    await database.close()


@pytest.mark.parametrize("name", LISTS)
async def test_a_list_reads_no_more_of_a_large_inbox(volumes: Volumes, name: str) -> None:
    arguments, most = LISTS[name]
    call = f"select public.list_conversations({arguments})"
    assert await volumes.blocks(volumes.large, call) <= most


@pytest.mark.parametrize("name", SEARCHES)
async def test_a_search_reads_no_more_of_a_long_history(volumes: Volumes, name: str) -> None:
    small, large = [
        await volumes.blocks(tenant, SEARCHES[name]) for tenant in (volumes.small, volumes.large)
    ]
    assert large <= 1.5 * small + 200, (small, large)
