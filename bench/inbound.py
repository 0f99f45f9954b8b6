"""Webhooks at a steady rate: how long the answer takes, how long until the message is on a screen,
and that nothing is lost or doubled, although some are delivered twice."""

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from bench import cpu, live
from bench.figures import MILLISECONDS, Report, Table, Wall, milliseconds, percentile
from bench.load import Plan, Sample, generate
from bench.machine import LoadMeter
from bench.options import Options
from bench.product import Product, running
from bench.watcher import Watch, watching
from local.whatsapp import echoes
from local.whatsapp.network import Number

# The first seconds open conversations, connections and plans; they are counted, not timed.
WARM_UP_SECONDS = 2.0
# Every so many webhooks, one is posted again at once, as providers do.
REDELIVERED_EVERY = 50
SETTLING_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Written:
    """A message of the plan; its text says which one of its chat it is."""

    provider_id: str
    phone: str
    number: int

    @property
    def text(self) -> str:
        return f"{self.phone} {self.number:06d} Bom dia! Ainda tem pão de queijo hoje?"


async def measure(options: Options) -> Report:
    async with running() as product:
        written, plan = compose(product, options)
        async with watching(product) as watch:
            spent, began = cpu.usage(), time.time()
            with LoadMeter() as meter:
                probing = asyncio.create_task(_probe(product, options.seconds))
                samples = await generate(plan)
                probed = await probing
            spent = cpu.since(spent)
            await _until_processed(product, len(written))
        stages = await _stages(product, watch, began + WARM_UP_SECONDS)
        stages["commit → subscriber"] = live.delays(watch, probed)
        counted = await _count(product, written)
    return _report(options, samples, stages, counted, spent, meter)


async def _probe(product: Product, seconds: float) -> live.Committed:
    conversation = await live.open_conversation(product)
    return await live.probe(product, [conversation], live.TOGGLE, seconds, rate=5.0)


def compose(product: Product, options: Options) -> tuple[list[Written], Plan]:
    """The messages, each once, and the requests that bring them."""
    tenant = product.tenant
    total = round(options.rate * (options.seconds + WARM_UP_SECONDS))
    written, requests = [], []
    for index in range(total):
        chat, number = index % options.chats, index
        ours = tenant.numbers[chat % 2]
        message = Written(f"BENCH{index:08d}", f"55119{80_000_000 + chat:08d}", number)
        raw = body_of(message, ours, time.time() + index / options.rate)
        one = {
            "method": "POST",
            "path": ours.path,
            "headers": ours.headers(raw) | {"content-type": "application/json"},
            "body": raw.decode(),
        }
        written.append(message)
        requests.append(one)
        if index % REDELIVERED_EVERY == 0:
            requests.append(one)
    return written, Plan(product.api_url, requests, rate=options.rate)


def body_of(message: Written, ours: Any, at: float) -> bytes:
    """A text as the number's provider posts it."""
    number = Number(ours.external_id, ours.provider, ours.phone, ours.key, ours.waba_id or "")
    order = {
        "from": message.phone,
        "name": f"Cliente {message.phone[-4:]}",
        "body": message.text,
        "timestamp": int(at),
        "type": "text",
    }
    build = echoes.evolution_inbound if ours.provider == "evolution" else echoes.meta_inbound
    return orjson.dumps(build(number, message.provider_id, order))


async def _until_processed(product: Product, total: int) -> None:
    """Returns when the queue is empty, or gives up: the counts then say what is missing."""
    until = time.monotonic() + SETTLING_SECONDS
    question = "select count(*) from public.inbound_events where state = 'processed'"
    while await product.database.fetchval(question) < total and time.monotonic() < until:
        await asyncio.sleep(0.1)
    await asyncio.sleep(1.0)  # the last broadcasts are still on their way to the subscriber


# When each message was received and processed. The key of an item holds the provider's id of it.
STAGES = r"""
  select message.body,
    extract(epoch from event.received_at)::float8 as received,
    extract(epoch from event.processed_at)::float8 as processed
  from public.messages as message
  join public.inbound_events as event
    on substring(event.dedupe_key from 'BENCH[0-9]{8}') = message.provider_message_id
  where event.processed_at is not null
"""


async def _stages(product: Product, watch: Watch, since: float) -> dict[str, list[float]]:
    """Seconds from received to processed and to the screen, of what was received after `since`."""
    timed = [row for row in await product.database.fetch(STAGES) if row["received"] >= since]
    shown = _shown_at(watch)
    on_screen = [shown(row["body"]) - row["received"] for row in timed]
    return {
        "received → processed": [row["processed"] - row["received"] for row in timed],
        "received → on screen": [seconds for seconds in on_screen if seconds < float("inf")],
    }


def _shown_at(watch: Watch) -> Callable[[str], float]:
    """When a text, or a later one of its chat, was first on the screen; infinite when never."""
    by_chat: dict[str, list[tuple[str, float]]] = {}
    for seen in watch.seen:
        if seen.preview:
            chat, number = seen.preview.split(" ")[:2]
            by_chat.setdefault(chat, []).append((number, seen.at))

    def shown_at(text: str) -> float:
        chat, number = text.split(" ")[:2]
        times = (at for shown, at in by_chat.get(chat, ()) if shown >= number)
        return min(times, default=float("inf"))

    return shown_at


async def _count(product: Product, written: Sequence[Written]) -> dict[str, int]:
    """What arrived, against what was posted."""
    rows = await product.database.fetch(
        "select provider_message_id as id, count(*) as copies from public.messages group by 1"
    )
    copies = {row["id"]: row["copies"] for row in rows}
    value = product.database.fetchval
    return {
        "posted once or twice": len(written),
        "lost": sum(message.provider_id not in copies for message in written),
        "doubled": sum(number > 1 for number in copies.values()),
        "stored items": await value("select count(*) from public.inbound_events"),
        "not processed": await value(
            "select count(*) from public.inbound_events where state <> 'processed'"
        ),
        "jobs left": await value(
            "select count(*) from public.queue_jobs where completed_at is null"
        ),
        "jobs that ran again": await value(
            "select count(*) from public.queue_jobs where claims > 1"
        ),
    }


def _report(
    options: Options,
    samples: Sequence[Sample],
    stages: Mapping[str, Sequence[float]],
    counted: Mapping[str, int],
    spent: cpu.Usage,
    meter: LoadMeter,
) -> Report:
    timed = [one for one in samples if one.index >= WARM_UP_SECONDS * options.rate]
    waited = [one.waited for one in timed]
    errors = sum(one.status != 200 for one in samples)
    rows = {"answer": waited, **stages, "generator's delay": [one.late for one in timed]}
    counted = {"answers that were not 200": errors, **counted}
    screen = stages["received → on screen"]
    return Report(
        "inbound",
        [
            Table(
                f"inbound: {options.rate:g} webhooks/s for {options.seconds:g} s,"
                f" {options.chats} chats",
                ("stage", "samples", *MILLISECONDS),
                [(name, len(seconds), *milliseconds(seconds)) for name, seconds in rows.items()],
            ),
            Table("inbound: counted at the end", ("what", "number"), list(counted.items())),
            Table(
                "inbound: CPU per webhook",
                ("part", "ms"),
                [(part, round(each / len(samples) * 1000, 2)) for part, each in spent.items()],
            ),
        ],
        [
            Wall("answer p95 ms", percentile(waited, 0.95) * 1000, 50),
            Wall("answer p99 ms", percentile(waited, 0.99) * 1000, 200),
            Wall("received → on screen p95 ms", percentile(screen, 0.95) * 1000, 500),
            Wall("lost or doubled", counted["lost"] + counted["doubled"], 0),
            Wall("answers that were not 200", errors, 0),
        ],
        load=meter.load,
    )
