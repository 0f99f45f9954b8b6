"""A storm: a company talks; broadcasts are lost, doubled and overtaken, sockets cut, tokens expire,
Postgres and the gateway restart, and an older copy of the database comes back.

    make storm                          twenty seconds, any seed
    make storm SECONDS=60 SEED="1 2 3"  the same dice; what falls between them is the machine's

Prints what happened; exit code 1 where a follower does not end up equal to the database, or held
something else than the database did at the same version.
"""

import asyncio
import contextlib
import json
import logging
import os
import random
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from local import npm
from local.gateway.realtime import faults
from local.gateway.realtime.outage import UNREACHABLE
from local.stack import Stack
from tests.faults.site import Site, deployed, settings_of
from tests.fixtures import Api
from tests.realtime.followers import (
    Followers,
    Held,
    PythonFollower,
    State,
    differences,
    javascript_followers,
)
from tests.realtime.talk import Talk
from tests.tenants import Project, Tenant

FOLLOWERS = 3  # in each language
TALKERS = 3
TOKEN_SECONDS = 4.0  # how long one lives
NETWORK = "drop=0.3,duplicate=0.3,delay=0.2,reorder=0.2,close=0.005"
CALM_SECONDS = 60.0  # in which all must be equal at the end
JAVASCRIPT = ("@supabase/supabase-js@2.109.0", "ws@8.18.3")

# Scopes and rows as the API shows them: a tombstone is no row, and its scope nobody's.
TRUTH = """
select scope, epoch::text, versions.version, (
  select coalesce(json_agg(row), '[]') from (
    select to_jsonb(c) as row from conversations as c
    where scope = 'inbox:' || c.company_id and c.deleted_at is null
    union all
    select to_jsonb(m) from messages as m
    where scope = 'conversation:' || m.conversation_id and m.deleted_at is null
  ) as shown
)::text as rows
from versions join companies on companies.id = company_id where company_id = $1::text::uuid
and not exists (
  select from conversations where scope = 'conversation:' || id and deleted_at is not null
)
"""


@dataclass(slots=True)
class Storm:
    """`faults` is what is wrong, `lines` the history, `compared` what was looked at."""

    site: Site
    tenant: Tenant
    talk: Talk
    followers: list[Followers]
    chance: random.Random
    folder: Path
    faults: list[str] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)
    compared: "Counter[str]" = field(default_factory=Counter)
    began: float = field(default_factory=time.monotonic)

    @property
    def seconds(self) -> float:
        return time.monotonic() - self.began

    def note(self, what: str) -> None:
        self.lines.append(f"{self.seconds:7.1f} s  {what}")

    # Looking ---------------------------------------------------------------------------------

    async def truth(self) -> dict[str, Held]:
        """Every scope of the company, of one snapshot."""
        held = {}
        for row in await self.site.look(TRUTH, self.tenant.company_id):
            rows = {each["id"]: each for each in json.loads(row["rows"])}
            held[row["scope"]] = Held("live", row["epoch"], row["version"], rows, rows)
        return held

    async def states(self) -> list[State]:
        return [state for each in self.followers for state in await each.states()]

    async def compare(self) -> None:
        """At one version of one epoch there is one truth, in the middle of the storm too."""
        while True:
            await asyncio.sleep(0.5)
            with contextlib.suppress(*UNREACHABLE):
                truth = await self.truth()
                for state in await self.states():
                    for scope, held in state.items():
                        self._compare(scope, held, truth.get(scope))

    def _compare(self, scope: str, held: Held, true: Held | None) -> None:
        self.compared[str(held.status)] += 1
        if true and (held.epoch, held.version) == (true.epoch, true.version):
            self.compared["at the version of the database"] += 1
            if held.rows != true.rows:
                self.faults.append(f"{scope} at {held.version} had other rows than the database")

    async def until_none_is_live(self) -> None:
        """Without a gateway nobody may say that they know everything."""
        deadline = self.seconds + 20
        while sure := [
            scope
            for state in await self.states()
            for scope, held in state.items()
            if held.status == "live"
        ]:
            if self.seconds > deadline:
                self.faults.append(f"live without a gateway: {sure[:3]}")
                return
            await asyncio.sleep(0.05)

    async def calm(self) -> None:
        """What is under way ends; then all have to be equal."""
        self.talk.over = True
        deadline = self.seconds + CALM_SECONDS
        while wrong := differences(await self.states(), await self.truth()):
            if self.seconds > deadline:
                self.faults += wrong
                return
            await asyncio.sleep(0.2)
        self.note("all are equal to the database")

    # Trouble ---------------------------------------------------------------------------------

    @property
    def _copy(self) -> Path:
        return self.folder / "copy"

    @property
    def _data(self) -> Path:
        return self.site.stack.data / "postgres"

    async def copy(self) -> None:
        """Postgres stops, its data is copied, it starts again."""
        await self.site.stack.postgres.stop()
        # Files belong to the user that Postgres runs as.
        await npm.run(["cp", "-a", str(self._data), str(self._copy)], self.folder)
        await self.site.stack.postgres.__aenter__()
        self.note("Postgres was stopped, copied and started")

    async def restore(self) -> None:
        """Everything stops; what starts again has the data of the copy."""
        stack = self.site.stack
        await stack.__aexit__(None, None, None)
        await self.until_none_is_live()
        await asyncio.to_thread(shutil.rmtree, self._data)
        await asyncio.to_thread(shutil.move, self._copy, self._data)
        # What makes it a restore: before anybody can ask, versions may repeat from here on.
        await stack.postgres.__aenter__()
        await self.site.look("update companies set epoch = gen_random_uuid()")
        await stack.postgres.stop()
        await stack.__aenter__()
        await self.site.connect(self.tenant, self.talk.api)
        self.note("the project was stopped, and the copy started in its place")

    async def rage(self, seconds: float) -> None:
        """So many seconds of talk, interrupted at seeded times."""
        first, second = sorted(self.chance.uniform(0.2, 0.8) * seconds for _ in range(2))
        await asyncio.sleep(first)
        await self.copy()
        await asyncio.sleep(second - first)
        await self.restore()
        await asyncio.sleep(seconds - second)


async def storm(seconds: float, seed: int, modules: Path | None) -> Storm:
    """Runs for about so long; `modules` is None where there is no Node.js: then Python alone."""
    chance = random.Random(seed)
    async with AsyncExitStack() as running:
        folder = Path(running.enter_context(_folder()))
        running.enter_context(_network(seed))
        site, api = await _site(running, folder)
        tenant = await site.project.new_tenant(site.stack.whatsapp_url)
        await site.connect(tenant, api)
        talk = Talk(site, tenant, api, chance)
        followers = await _follow(running, site, tenant, folder, modules)
        run = Storm(site, tenant, talk, followers, chance, folder)
        run.note(f"storm of {seconds:g} s, seed {seed}")
        for task in (*(talk.run() for _ in range(TALKERS)), talk.work(), run.compare()):
            running.callback(asyncio.create_task(task).cancel)
        await run.rage(seconds)
        await run.calm()
        run.note(f"done: {dict(talk.done)}, not done: {dict(talk.failed)}")
        run.note(f"compared: {dict(run.compared)}")
        return run


def _folder() -> "tempfile.TemporaryDirectory[str]":
    return tempfile.TemporaryDirectory(prefix="recado-storm-", ignore_cleanup_errors=True)


@contextlib.contextmanager
def _network(seed: int) -> Iterator[None]:
    """Faults are settings of the gateway's process, which has our environment."""
    os.environ[faults.ENVIRONMENT] = f"{NETWORK},seed={seed}"
    try:
        yield
    finally:
        del os.environ[faults.ENVIRONMENT]


async def _site(running: AsyncExitStack, folder: Path) -> tuple[Site, Api]:
    stack = await running.enter_async_context(Stack(folder / "stack"))
    http = await running.enter_async_context(httpx.AsyncClient(timeout=30.0))
    whatsapp = await running.enter_async_context(
        httpx.AsyncClient(base_url=stack.whatsapp_url, timeout=30.0)
    )
    project = Project(http, stack.url, stack.keys.secret_key, stack.keys.publishable_key)
    site = Site(stack, project, whatsapp, settings_of(stack))
    return site, await running.enter_async_context(deployed(site.settings))


async def _follow(
    running: AsyncExitStack, site: Site, tenant: Tenant, folder: Path, modules: Path | None
) -> list[Followers]:
    def token() -> str:
        claims = {"sub": tenant.people["viewer"].id, "role": "authenticated"}
        return site.stack.keys.sign_user_token(claims | {"exp": time.time() + TOKEN_SECONDS})

    url, key, company = site.stack.url, site.stack.keys.publishable_key, tenant.company_id
    followers: list[Followers] = [
        await running.enter_async_context(PythonFollower(url, key, company, token).running())
        for _ in range(FOLLOWERS)
    ]
    if modules:
        (folder / "node").mkdir()
        followers.append(
            await running.enter_async_context(
                javascript_followers(folder / "node", modules, FOLLOWERS, url, key, company, token)
            )
        )
    return followers


async def main() -> int:
    seconds = float(os.environ.get("SECONDS") or 20)
    seeds = [int(seed) for seed in (os.environ.get("SEED") or "").split()]
    try:
        modules = await npm.install(*JAVASCRIPT)
    except npm.NodeUnavailable as reason:
        modules = None
        sys.stdout.write(f"followers in Python alone: {reason}\n")
    logging.disable()  # outages are meant
    wrong = 0
    for seed in seeds or [random.randrange(1_000_000)]:
        run = await storm(seconds, seed, modules)
        wrong += bool(run.faults)
        sys.stdout.write("\n".join([*run.lines, *run.faults[:20], ""]))
        sys.stdout.flush()
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
