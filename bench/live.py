"""From a commit to the subscriber: changes of a conversation, one a transaction, on a quiet stack.

The time counts from just before the commit is sent, so the commit itself is included.
"""

import asyncio
import time
from collections.abc import Mapping
from uuid import uuid4

import asyncpg

from bench.figures import MILLISECONDS, Report, Table, Wall, milliseconds, percentile
from bench.machine import LoadMeter
from bench.options import Options
from bench.product import Product, running
from bench.watcher import Watch, watching

PROBES_PER_SECOND = 20.0
TOGGLE = """
  update public.conversations set status = case status when 'open' then 'closed' else 'open' end
  where id = $1 returning rev
"""

Committed = Mapping[int, float]
"""Version of the inbox -> when its commit was sent, in epoch seconds."""


async def measure(options: Options) -> Report:
    async with running() as product, watching(product) as watch:
        with LoadMeter() as meter:
            probed = await probe(product, options.seconds, PROBES_PER_SECOND)
        await asyncio.sleep(1.0)
    seconds = delays(watch, probed)
    return Report(
        "live",
        [
            Table(
                f"live: {PROBES_PER_SECOND:g} commits/s",
                ("stage", "commits", "seen", *MILLISECONDS),
                [("commit → subscriber", len(probed), len(seconds), *milliseconds(seconds))],
            )
        ],
        [Wall("commit → subscriber p95 ms", percentile(seconds, 0.95) * 1000, 100)],
        load=meter.load,
    )


async def probe(product: Product, seconds: float, rate: float) -> Committed:
    """Changes a conversation of the tenant at a steady rate."""
    connection = await asyncpg.connect(product.stack.database_url)
    conversation_id = await connection.fetchval(
        """insert into public.conversations (company_id, instance_id, kind, address, title)
           values ($1, $2, 'group', $3, 'probe') returning id""",
        product.tenant.company_id,
        product.tenant.evolution.instance_id,
        f"{uuid4().int % 10**18}@g.us",
    )
    committed = {}
    began = time.monotonic()
    for index in range(round(seconds * rate)):
        await asyncio.sleep(max(0.0, began + index / rate - time.monotonic()))
        transaction = connection.transaction()
        await transaction.start()
        rev = await connection.fetchval(TOGGLE, conversation_id)
        committed[rev] = time.time()
        await transaction.commit()
    await connection.close()
    return committed


def delays(watch: Watch, probed: Committed) -> list[float]:
    """Seconds until each of the probed versions was on the screen."""
    return [seen.at - probed[seen.rev] for seen in watch.seen if seen.rev in probed]
