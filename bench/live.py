"""From a commit to the subscriber: messages that contacts write, one a transaction.

The time counts from just before the commit is sent, so the commit itself is included. Each message
raises two scopes, its conversation and the inbox; each is followed in one of the measurements.
"""

import asyncio
import itertools
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID, uuid4

import asyncpg

from bench.figures import MILLISECONDS, Cell, Report, Table, Wall, milliseconds, percentile
from bench.machine import LoadMeter
from bench.options import Options
from bench.product import Product, running
from bench.watcher import Watch, watching
from functions.realtime import topics

OPEN = """
insert into public.conversations (company_id, instance_id, kind, address, title)
values ($1, $2, 'group', $3, 'probe') returning id
"""
WRITE = """
insert into public.messages (company_id, conversation_id, direction, origin, status, body)
select company_id, id, 'in', 'contact', 'received', 'oi' from public.conversations where id = $1
"""
TOGGLE = """
update public.conversations set status = case status when 'open' then 'closed' else 'open' end
where id = $1
"""
VERSIONS = "select scope, version from public.versions where scope = any ($1)"

Committed = dict[tuple[str, int], float]
"""(scope, its version) -> when its commit was sent, in epoch seconds."""


@dataclass(frozen=True, slots=True)
class Setting:
    """`subscribers` share the inbox, or where there are `conversations` these."""

    name: str
    subscribers: int
    conversations: int
    rate: float


SETTINGS = [
    Setting("one subscriber of the inbox", 1, 0, 20),
    Setting("200 subscribers of 20 conversations", 200, 20, 20),
    Setting("10 subscribers of a busy inbox", 10, 0, 50),
]


async def measure(options: Options) -> Report:
    rows: list[Sequence[Cell]] = []
    walls = []
    async with running() as product:
        conversations = [await open_conversation(product) for _ in range(20)]
        with LoadMeter() as meter:
            for setting in SETTINGS:
                expected, seconds = await _measure(product, setting, conversations, options.seconds)
                figures = (expected, len(seconds), *milliseconds(seconds))
                rows.append((setting.name, f"{setting.rate:g}/s", *figures))
                p95 = percentile(seconds, 0.95) * 1000
                walls.append(Wall(f"{setting.name}: commit → subscriber p95 ms", p95, 100))
    columns = ("", "commits", "to be seen", "seen", *MILLISECONDS)
    table = Table(f"live: {options.seconds:g} s each", columns, rows)
    return Report("live", [table], walls, load=meter.load)


async def _measure(
    product: Product, setting: Setting, conversations: list[UUID], seconds: float
) -> tuple[int, list[float]]:
    """How many times a commit had to be seen, and how long each took that was."""
    scopes = [topics.conversation(id) for id in conversations]
    if not setting.conversations:
        scopes = [inbox_of(product)]
    followed = list(itertools.islice(itertools.cycle(scopes), setting.subscribers))
    async with watching(product, followed) as watch:
        committed = await probe(product, conversations, WRITE, seconds, setting.rate)
        await asyncio.sleep(1.0)
    times = Counter(followed)
    return sum(times[scope] for scope, _ in committed), delays(watch, committed)


def inbox_of(product: Product) -> str:
    return topics.inbox(UUID(product.tenant.company_id))


async def open_conversation(product: Product) -> UUID:
    id: UUID = await product.database.fetchval(
        OPEN,
        product.tenant.company_id,
        product.tenant.evolution.instance_id,
        f"{uuid4().int % 10**18}@g.us",
    )
    return id


async def probe(
    product: Product, conversations: list[UUID], statement: str, seconds: float, rate: float
) -> Committed:
    """Commits the statement at a steady rate, for each of the conversations in turn."""
    connection = await asyncpg.connect(product.stack.database_url)
    committed: Committed = {}
    began = time.monotonic()
    for index in range(round(seconds * rate)):
        await asyncio.sleep(max(0.0, began + index / rate - time.monotonic()))
        conversation = conversations[index % len(conversations)]
        raised = [inbox_of(product), topics.conversation(conversation)]
        transaction = connection.transaction()
        await transaction.start()
        await connection.execute(statement, conversation)
        versions = await connection.fetch(VERSIONS, raised)
        at = time.time()
        for scope, version in versions:
            committed.setdefault((scope, version), at)
        await transaction.commit()
    await connection.close()
    return committed


def delays(watch: Watch, committed: Committed) -> list[float]:
    """Seconds until each of the versions was on each of the screens."""
    return [
        seen.at - committed[seen.scope, seen.rev]
        for seen in watch.seen
        if (seen.scope, seen.rev) in committed
    ]
