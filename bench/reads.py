"""The API's lists, as a signed-in user: 50 rows, and 304 for who has them already."""

from typing import Any
from uuid import uuid4

from bench import cpu
from bench.figures import MILLISECONDS, Cell, Report, Table, Wall, milliseconds, percentile
from bench.load import Plan, Sample, generate
from bench.machine import LoadMeter
from bench.options import Options
from bench.product import Product, running
from bench.wire import Client, request

CLIENTS = (1, 4, 16, 64)
OPEN_RATE = 500.0
CONVERSATIONS, MESSAGES = 300, 500
# The closed loops are shorter: they only show where it bends.
CLOSED_SHARE = 0.25

Request = dict[str, Any]


async def measure(options: Options) -> Report:
    rows: list[list[Cell]] = []
    walls: list[Wall] = []
    async with running() as product:
        with LoadMeter() as meter:
            for name, one in (await _requests(product)).items():
                for clients in CLIENTS:
                    seconds = options.seconds * CLOSED_SHARE
                    plan = Plan(product.api_url, [one], clients=clients, seconds=seconds)
                    rows.append((await _row(name, f"{clients} clients", plan))[0])
                times = [one] * round(OPEN_RATE * options.seconds)
                plan = Plan(product.api_url, times, rate=OPEN_RATE)
                row, samples = await _row(name, f"{OPEN_RATE:g}/s", plan)
                rows.append(row)
                waited = percentile([sample.waited for sample in samples], 0.95)
                walls.append(Wall(f"{name}, {OPEN_RATE:g}/s: p95 ms", waited * 1000, 200))
    columns = ("list", "load", "requests/s", "errors", *MILLISECONDS, "API CPU ms", "all CPU ms")
    return Report("reads", [Table("reads: 50 rows", columns, rows)], walls, meter.load)


async def _row(name: str, load: str, plan: Plan) -> tuple[list[Cell], list[Sample]]:
    before = cpu.usage()
    samples = await generate(plan)
    spent = cpu.since(before)
    spent.pop("benchmark", None)
    count = len(samples)
    first, last = samples[0].at, max(sample.at + sample.waited for sample in samples)
    errors = sum(sample.status not in (200, 304) for sample in samples)
    row: list[Cell] = [name, load, round(count / (last - first)), errors]
    row += milliseconds([sample.waited for sample in samples])
    row += [round(each / count * 1000, 2) for each in (spent.get("API", 0.0), sum(spent.values()))]
    return row, samples


async def _requests(product: Product) -> dict[str, Request]:
    """The four requests, by name."""
    conversation_id = await _fill(product)
    headers = {"authorization": f"Bearer {product.tenant.people['agent'].token}"}
    paths = {
        "conversations": "/api/conversations?limit=50",
        "messages": f"/api/conversations/{conversation_id}/messages?limit=50",
    }
    client = Client(product.api_url)
    found: dict[str, Request] = {}
    for name, path in paths.items():
        reply = await client.send(request(product.api_url, "GET", path, headers))
        if reply.status != 200 or not reply.etag:
            raise RuntimeError(f"{path}: {reply.status} {reply.body!r}")
        kilobytes = len(reply.body) / 1000
        one: Request = {"method": "GET", "path": path, "headers": headers}
        found[f"{name} 200 ({kilobytes:.0f} kB)"] = one
        found[f"{name} 304"] = one | {"headers": headers | {"if-none-match": reply.etag}}
    client.close()
    return found


async def _fill(product: Product) -> str:
    """Conversations of one company, one of them long; its id."""
    tenant, execute = product.tenant, product.database.execute
    conversation_id = str(uuid4())
    await execute(
        """insert into public.conversations (id, company_id, instance_id, kind, address, title)
           select case n when 1 then $1::uuid else gen_random_uuid() end, $2, $3, 'group',
             n || '@g.us', 'Grupo ' || n
           from generate_series(1, $4::int) as n""",
        conversation_id,
        tenant.company_id,
        tenant.evolution.instance_id,
        CONVERSATIONS,
    )
    await execute(
        """insert into public.messages
             (company_id, conversation_id, direction, origin, status, type, body, occurred_at)
           select $1, $2, 'in', 'contact', 'received', 'text',
             'Bom dia! Ainda tem pão de queijo hoje? ' || n, now() + n * interval '1 second'
           from generate_series(1, $3::int) as n""",
        tenant.company_id,
        conversation_id,
        MESSAGES,
    )
    await execute("vacuum analyze public.conversations, public.messages, public.versions")
    return conversation_id
