"""The inbox and the search of a large company beside forty small ones: what each read costs the
database and its caller.

`--conversations 1000000` is what the limits are meant for. It takes an hour to fill and 30 GB of
disk; with `--data FOLDER` it stays there, and the next run reads it again.
"""

import os
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from shutil import rmtree
from statistics import median
from typing import Any

import orjson

from bench import filling
from bench.figures import MILLISECONDS, Cell, Report, Table, Wall, milliseconds, percentile
from bench.load import Plan, generate
from bench.machine import LoadMeter
from bench.options import Options
from bench.plans import Cost, cost
from bench.product import Product, running
from bench.volume_reads import READS, Read, asked
from tests.tenants import PASSWORD, Number, Person, Project, Tenant

SHOPS = 40
# Nine in ten conversations are of the first company; the others share the rest by Zipf's law.
LARGEST = 0.9
WALL_MS = 200
SECONDS = 3
PLANNED = 10
# Of each read after a cold start, one after the other.
COLD, COLD_RATE = 3, 4.0
OF_LISTS = ("conversations_", "messages_", "contacts_")
Rows = list[tuple[Cell, ...]]


@dataclass(frozen=True, slots=True)
class Shop:
    tenant: Tenant
    conversations: int


async def measure(options: Options) -> Report:
    folder = Path(options.data or tempfile.mkdtemp(prefix="recado-volume-"))
    try:
        if not (folder / "shops.json").exists():
            async with running(folder) as product:
                shops = await _fill(product, options)
            (folder / "shops.json").write_bytes(orjson.dumps(shops))
        shops = [_shop(**row) for row in orjson.loads((folder / "shops.json").read_bytes())]
        _forget(folder / "postgres")
        async with running(folder) as product:
            return await _measure(product, shops)
    finally:
        if not options.data:
            rmtree(folder)


async def _fill(product: Product, options: Options) -> list[Shop]:
    rest, largest = SHOPS - 1, round(options.conversations * LARGEST)
    share = (options.conversations - largest) / sum(1 / place for place in range(1, rest + 1))
    sizes = [largest, *(round(share / place) for place in range(1, rest + 1))]
    shops = [
        Shop(await product.project.new_tenant(product.stack.whatsapp_url), size) for size in sizes
    ]
    async with filling.haste(product.database):
        pairs = [(shop.tenant, shop.conversations) for shop in shops]
        await filling.fill(product.database, pairs, options.messages)
    await filling.settle(product.database)
    return shops


def _forget(folder: Path) -> None:
    """Drops the files of a stopped server from the memory of the system."""
    for path in folder.rglob("*"):
        if path.is_file():
            file = os.open(path, os.O_RDONLY)
            os.posix_fadvise(file, 0, 0, os.POSIX_FADV_DONTNEED)
            os.close(file)


def _shop(tenant: dict[str, Any], conversations: int) -> Shop:
    people = {role: Person(**person) for role, person in tenant["people"].items()}
    numbers = {name: Number(**tenant[name]) for name in ("evolution", "meta")}
    return Shop(Tenant(tenant["company_id"], people, **numbers), conversations)


async def _sign_in(project: Project, person: Person) -> str:
    """A token: the one of the day when the data was made has ended."""
    answer = await project.http.post(
        f"{project.url}/auth/v1/token?grant_type=password",
        json={"email": person.email, "password": PASSWORD},
        headers={"apikey": project.publishable_key},
    )
    answer.raise_for_status()
    token: str = answer.json()["access_token"]
    return token


async def _measure(product: Product, shops: Sequence[Shop]) -> Report:
    largest, small = shops[0], shops[SHOPS // 2]
    headers = {
        "authorization": f"Bearer {await _sign_in(product.project, largest.tenant.people['agent'])}"
    }
    given = {read: await asked(product.database, largest.tenant, read) for read in READS}
    rows: Rows = []
    plans: Rows = []
    walls: list[Wall] = []
    with LoadMeter() as meter:
        for read, pairs in given.items():
            requests = [{"method": "GET", "path": path, "headers": headers} for path, _ in pairs]
            first = await generate(Plan(product.api_url, requests[:COLD], rate=COLD_RATE))
            samples = await generate(Plan(product.api_url, requests, clients=1, seconds=SECONDS))
            waited = [sample.waited for sample in samples]
            errors = sum(sample.status != 200 for sample in [*first, *samples])
            cold = round(max(sample.waited for sample in first) * 1000, 1)
            rows.append((read.name, len(samples), errors, *milliseconds(waited), cold))
            plans.append((read.name, *await _blocks(product, read, largest, small)))
            walls.append(Wall(f"{read.name}: p95 ms", percentile(waited, 0.95) * 1000, WALL_MS))
    return Report("volume", _tables(shops, rows, plans), walls, meter.load)


async def _blocks(product: Product, read: Read, largest: Shop, small: Shop) -> list[Cell]:
    """Of some calls: the median and the most in the large company, the most in the small one."""
    found: list[list[Cost]] = []
    for shop in (largest, small):
        pairs = (await asked(product.database, shop.tenant, read))[:PLANNED]
        agent = shop.tenant.people["agent"].id
        found.append([await cost(product.database, agent, call) for _, call in pairs])
    blocks, others = [[one.blocks for one in some] for some in found]
    used = {index for one in found[0] for index in one.indexes if index.startswith(OF_LISTS)}
    return [round(median(blocks)), max(blocks), max(others), " ".join(sorted(used))]


def _tables(shops: Sequence[Shop], rows: Rows, plans: Rows) -> list[Table]:
    total = sum(shop.conversations for shop in shops)
    title = f"a company with {shops[0].conversations:,} of {total:,} conversations"
    beside = f"of {shops[SHOPS // 2].conversations:,}: max"
    return [
        Table(title, ("read", "requests", "errors", *MILLISECONDS, "cold ms"), rows),
        Table("8 kB blocks", ("read", "p50", "max", beside, "indexes"), plans),
    ]
