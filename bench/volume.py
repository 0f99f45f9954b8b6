"""The inbox and the search of one large company: what each read costs the database and its caller.

`--conversations 1000000 --messages 20` is what the limits are meant for, and takes an hour to fill.
"""

import json
from typing import Any

import asyncpg

from bench.figures import MILLISECONDS, Cell, Report, Table, Wall, milliseconds, percentile
from bench.load import Plan, generate
from bench.machine import LoadMeter
from bench.options import Options
from bench.product import Product, running
from tests.tenants import Tenant

READS = 200
WALL_MS = 200
# name -> path, and the same call as SQL
CALLS = {
    "newest": ("/api/conversations?limit=50", "list_conversations(p_limit => 50)"),
    "open": ("/api/conversations?status=open", "list_conversations(p_status => 'open')"),
    "mine, open": (
        "/api/conversations?assignee=me&status=open",
        "list_conversations(p_assignee => 'me', p_status => 'open')",
    ),
    "nobody's, open": (
        "/api/conversations?assignee=none&status=open",
        "list_conversations(p_assignee => 'none', p_status => 'open')",
    ),
    "unread": ("/api/conversations?unread=true", "list_conversations(p_unread => true)"),
    "unread, closed": (
        "/api/conversations?unread=true&status=closed",
        "list_conversations(p_unread => true, p_status => 'closed')",
    ),
    "waiting": ("/api/conversations?sort=waiting", "list_conversations(p_sort => 'waiting')"),
    "page 150": ("/api/conversations?page=150", "list_conversations(p_page => 150)"),
    "frequent word": ("/api/search?q=pedido", "search_messages('pedido')"),
    "two words": ("/api/search?q=promocao+azul", "search_messages('promocao azul')"),
    "rare word": ("/api/search?q=raro500", "search_messages('raro500')"),
    "unknown word": ("/api/search?q=inexistente", "search_messages('inexistente')"),
    "contact": ("/api/search?q=mar+sil&kind=contacts", "search_contacts('mar sil')"),
}
# Of 300 people each: shares as a busy shop has them. 1 in 50 is open, 1 in 100 unread and waits.
CONTACTS = """
  insert into public.contacts (company_id, name, phone)
  select $1, first[1 + n % 8] || ' ' || last[1 + n % 7] || ' raro' || n,
    '+55119' || lpad(n::text, 8, '0')
  from (values (
    array['Ana', 'João', 'Maria', 'Pedro', 'Luís', 'Márcia', 'Antônio', 'Beatriz'],
    array['Silva', 'Souza', 'Costa', 'Conceição', 'Araújo', 'Gonçalves', 'Lima']
  )) as names (first, last), generate_series($2::int, $3::int) as n
"""
CONVERSATIONS = """
  insert into public.conversations (
    company_id, instance_id, contact_id, address, status, assignee_id, unread, last_message_at,
    last_message_preview, last_message_direction, last_inbound_at, window_closes_at,
    waiting_since, rev, version
  )
  select $1, $4, id, ltrim(phone, '+'),
    case when n % 50 = 0 then 'open' when n % 51 = 0 then 'pending' else 'closed' end,
    case when n % 3 = 0 then $5::uuid end, case when n % 100 = 0 then 3 else 0 end, at,
    'Bom dia', case when n % 100 = 0 then 'in' else 'out' end, at, at + interval '24 hours',
    case when n % 100 = 0 then at end, n, $6
  from public.contacts
  cross join lateral (select substr(phone, 7)::int as n) as place
  cross join lateral (select now() - n * interval '30 seconds' as at) as time
  where company_id = $1 and n between $2 and $3
"""
MESSAGES = """
  insert into public.messages (
    company_id, conversation_id, instance_id, seq, rev, direction, origin, status, occurred_at, body
  )
  select $1, id, instance_id, m, m, 'in', 'contact', 'received',
    last_message_at - (m - 1) * interval '9 hours',
    'Bom dia! ' || things[1 + hash % 7] || ' ' || kinds[1 + hash % 9]
    || ' da loja, por favor. raro' || conversations.rev
  from public.conversations
  cross join (values (
    array['pedido', 'entrega', 'boleto', 'promoção', 'horário', 'frete', 'troca'],
    array['hoje', 'amanhã', 'azul', 'verde', 'grande', 'pequeno', 'rápido', 'caro', 'pix']
  )) as words (things, kinds)
  cross join generate_series(1, $4::int) as m
  cross join lateral (select abs(hashint4(conversations.rev::int * 31 + m)) as hash) as random
  where company_id = $1 and conversations.rev between $2 and $3
"""
STEP = 20_000


async def fill(
    database: asyncpg.Connection, tenant: Tenant, conversations: int, messages: int
) -> None:
    """Gives a company so many conversations of so many messages, as they would be after a while;
    without triggers, which would tell everybody of each."""
    company, agent = tenant.company_id, tenant.people["agent"].id
    await database.execute("set session_replication_role = replica")
    try:
        for first in range(1, conversations + 1, STEP):
            part = (company, first, min(first + STEP - 1, conversations))
            await database.execute(CONTACTS, *part)
            await database.execute(CONVERSATIONS, *part, tenant.meta.instance_id, agent, messages)
            await database.execute(MESSAGES, *part, messages)
    finally:
        await database.execute("set session_replication_role = origin")
    await database.execute("vacuum analyze public.contacts, public.conversations, public.messages")


async def measure(options: Options) -> Report:
    rows: list[list[Cell]] = []
    plans: list[list[Cell]] = []
    walls: list[Wall] = []
    async with running() as product:
        await fill(product.database, product.tenant, options.conversations, options.messages)
        headers = {"authorization": f"Bearer {product.tenant.people['agent'].token}"}
        with LoadMeter() as meter:
            for name, (path, call) in CALLS.items():
                one = {"method": "GET", "path": path, "headers": headers}
                samples = await generate(Plan(product.api_url, [one], clients=1, seconds=4))
                waited = [sample.waited for sample in samples]
                errors = sum(sample.status != 200 for sample in samples)
                index, blocks = await _plan(product, call)
                rows.append([name, len(samples), errors, *milliseconds(waited), blocks])
                plans.append([name, index])
                walls.append(Wall(f"{name}: p95 ms", percentile(waited, 0.95) * 1000, WALL_MS))
    title = f"one company: {options.conversations} conversations, {options.messages} messages each"
    columns = ("read", "requests", "errors", *MILLISECONDS, "8 kB blocks")
    tables = [Table(title, columns, rows), Table("what they scan", ("read", "indexes"), plans)]
    return Report("volume", tables, walls, meter.load)


async def _plan(product: Product, call: str) -> tuple[str, int]:
    """Which indexes a member's call scans, and how many blocks of 8 kB it reads."""
    database = product.database
    counts = """select indexrelname as name, idx_scan as scans from pg_stat_user_indexes
                where relname in ('conversations', 'messages', 'contacts')"""
    claims = {"sub": product.tenant.people["agent"].id, "role": "authenticated"}
    await database.execute("select pg_stat_force_next_flush()")
    before = dict(await database.fetch(counts))
    async with database.transaction():
        await database.execute("set local role authenticated")
        await database.execute(
            "select set_config('request.jwt.claims', $1, true)", json.dumps(claims)
        )
        explain = f"explain (analyze, buffers, format json) select public.{call}"
        await database.fetchval(explain)  # the first one also reads the catalog
        plan: dict[str, Any] = json.loads(await database.fetchval(explain))[0]["Plan"]
    await database.execute("select pg_stat_force_next_flush()")
    after = dict(await database.fetch(counts))
    used = sorted(name for name in after if after[name] > before[name])
    return " ".join(used), int(plan["Shared Hit Blocks"] + plan["Shared Read Blocks"])
