"""Chaos of sending: providers that lose answers, refuse, repeat and stay silent, workers that die,
outages, and people who change their mind between a message and its sending.

    make chaos OF=sending                       a minute, any seed
    make chaos OF=sending SECONDS=300 SEED=7    the same dice; the rest is the machine's

The ledger of the fake WhatsApp judges. Exit code 1 where a message arrived twice, its status is
not what became of it, or it was sent too fast, to somebody who had said no, or out of order.
"""

import asyncio
import itertools
import os
import random
import sys
import time
from collections import Counter
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

import httpx

from tests.faults.chaos import own_site
from tests.faults.proxy import Place, Proxy
from tests.faults.sending_feed import Chat, Feed, looked
from tests.faults.sending_moods import MOODS
from tests.faults.sending_proof import Limits, Report, Seen, prove
from tests.faults.sending_time import CLOSED, DUE, ENDED, RESTED, UNLIMITED
from tests.faults.site import Site, deployed
from tests.faults.workers import Workers
from tests.fixtures import CRON_SECRET, Api
from tests.tenants import Number, Tenant

Json = dict[str, Any]
WORKERS = 2
CUTS = [
    "begin_send", "record_send_result", "exchange_jobs", "ingest_inbound", "begin_reconcile",
    "record_reconciled", "react_to_report", "record_probe", "ask_for_decision",
]  # fmt: skip
PLACES: list[Place] = ["request", "answer"]


@dataclass(slots=True)
class Chaos:
    site: Site
    api: Api
    proxy: Proxy
    workers: Workers
    chance: random.Random
    feed: Feed
    numbers: list[Number]
    report: Report
    limits: Limits = field(default_factory=Limits)
    seen: Seen = field(default_factory=Seen)
    pids: list[int] = field(default_factory=list)
    ticks: list[Any] = field(default_factory=list)
    over: bool = False
    known: set[str] = field(default_factory=set)
    happened: "Counter[str]" = field(default_factory=Counter)
    count: "itertools.count[int]" = field(default_factory=itertools.count)
    began: float = field(default_factory=time.monotonic)

    @property
    def seconds(self) -> float:
        return time.monotonic() - self.began

    def note(self, what: str) -> None:
        self.happened[what.split(":")[0]] += 1
        self.report.lines.append(f"{self.seconds:7.1f} s  {what}")

    async def start_worker(self) -> None:
        settings = self.site.through(self.proxy.url)
        batch, name = self.chance.randint(2, 30), f"w{next(self.count)}"
        self.pids.append(await self.workers.start(settings, batch=batch, name=name))

    # Trouble ----------------------------------------------------------------------------------

    async def kill(self) -> None:
        pid = self.pids.pop(self.chance.randrange(len(self.pids)))
        self.note("a worker is killed")
        await self.workers.kill(pid)
        await self.start_worker()

    async def change_mood(self) -> None:
        number = self.chance.choice(self.numbers)
        mood = self.chance.choice(MOODS[number.provider])
        self.note(f"mood of {number.provider}: {mood}")
        await self.calm(number)
        await self.site.set_faults(number.external_id, **mood)

    async def calm(self, number: Number) -> None:
        await self.site.whatsapp.delete(f"/_fake/numbers/{number.external_id}/faults")

    async def cut(self) -> None:
        function, place = self.chance.choice(CUTS), self.chance.choice(PLACES)
        times = self.chance.choice([1, 2, 4])
        self.note(f"cut: the next {place} of {function}, {times} times")
        self.proxy.cut(function, place, times)

    async def break_postgres(self) -> None:
        self.note("Postgres restarts")
        restart = self.chance.choice([self.site.restart_postgres, self.site.kill_postgres])
        await restart()

    async def two_ticks(self) -> None:
        self.note("two ticks")
        headers = {"authorization": f"Bearer {CRON_SECRET}"}
        ticks = (self.api.http.post("/api/queue/process", headers=headers) for _ in range(2))
        self.ticks.append(asyncio.gather(*ticks, return_exceptions=True))

    async def log_out(self) -> None:
        """The phone is unlinked, and linked again a moment later."""
        number = self.chance.choice(self.numbers)
        if number.provider == "evolution":
            self.note("a number is logged out")
            for state, reason in (("close", 401), ("open", 200)):
                path = f"/_fake/numbers/{number.external_id}/state"
                await self.site.whatsapp.post(path, json={"state": state, "reason": reason})
                await asyncio.sleep(1.0)

    async def opt_out(self) -> None:
        chat = self.chance.choice(self.feed.chats)
        self.note("an opt-out")
        scope = self.chance.choice(["marketing", "marketing", "all"])
        body = {"phone": f"+{chat.contact}", "scope": scope}
        headers = {"authorization": f"Bearer {chat.tenant.people['agent'].token}"}
        try:
            await self.api.http.post("/api/suppressions", json=body, headers=headers)
        except httpx.TransportError:
            return

    async def close_windows(self) -> None:
        number = self.chance.choice([one for one in self.numbers if one.provider == "meta"])
        closed = await looked(self.site, CLOSED, number.instance_id)
        self.note(f"windows close: {len(closed)}")
        for row in closed:
            self.seen.closed.setdefault(str(row["id"]), []).append(datetime.now(UTC))

    # Time -------------------------------------------------------------------------------------

    async def watch(self) -> None:
        """Opt-outs as they are committed, and what goes by with time."""
        while not self.over:
            rows = await looked(self.site, "select * from suppressions where lifted_at is null")
            now = datetime.now(UTC)
            for row in rows:
                if str(row["id"]) not in self.known:
                    self.known.add(str(row["id"]))
                    self.seen.suppressions.append((now, row))
            if self.chance.random() < 0.2:
                await looked(self.site, RESTED)
                await looked(self.site, DUE)
                await self.decide()
            await asyncio.sleep(0.2)

    async def decide(self) -> None:
        """Two people look at the phone, and say at once what they saw there."""
        asked = await looked(self.site, "select * from messages where needs_decision")
        ledger = (await self.site.whatsapp.get("/_fake/ledger")).json()
        arrived = {entry["body"] for entry in ledger}
        for row in asked[:2]:
            said = self.feed.sent.get(str(row["id"]))
            if said is not None:
                self.note("people decide")
                word = "sent" if said.text in arrived else "not_sent"
                await asyncio.gather(*(self.resolve(said.chat, row["id"], word) for _ in "12"))

    async def resolve(self, chat: Chat, id: Any, decision: str) -> None:
        headers = {"authorization": f"Bearer {chat.tenant.people['agent'].token}"}
        path = f"/api/messages/{id}/resolution"
        try:
            answer = await self.api.http.post(path, json={"decision": decision}, headers=headers)
        except httpx.TransportError:
            return
        if answer.status_code not in (200, 409) and answer.status_code < 500:
            self.report.faults.append(f"decision: {answer.status_code} {answer.text}")

    # Run --------------------------------------------------------------------------------------

    async def run(self, seconds: float) -> None:
        trouble = [
            *[self.change_mood] * 8,
            *[self.kill] * 3,
            *[self.cut] * 3,
            *[self.opt_out, self.close_windows, self.two_ticks, self.log_out],
        ]
        for _ in range(WORKERS):
            await self.start_worker()
        tasks = [asyncio.create_task(self.feed.run()) for _ in range(4)]
        tasks.append(asyncio.create_task(self.watch()))
        outages = 1
        while self.seconds < seconds:
            await asyncio.sleep(self.chance.random() * 0.8)
            await self.chance.choice(trouble)()
            if self.seconds > outages * max(8.0, seconds / 10):
                await self.break_postgres()
                outages += 1
        self.feed.over = self.over = True
        await asyncio.gather(*tasks, *self.ticks)
        await self.workers.kill_all()
        self.note("no more trouble")
        await self.finish()

    async def finish(self) -> None:
        """All that waits goes on; what was limited is looked at before."""
        for number in self.numbers:
            await self.calm(number)
            path = f"/_fake/numbers/{number.external_id}/state"
            await self.site.whatsapp.post(path, json={"state": "open"})
        for tenant in {chat.tenant.company_id: chat.tenant for chat in self.feed.chats}.values():
            await self.site.quiet(tenant)
        self.limits.until = time.time()
        await self.site.look(UNLIMITED)
        await self.site.look("update private.number_paces set next_at = now()")
        # A lease that runs out by itself tells nobody; one that is ended wakes its lane.
        await self.site.look(ENDED)
        await self.site.settle(self.feed.chats[0].tenant)


async def chaos(site: Site, seconds: float, seed: int) -> Report:
    """Runs for about so long, and as long as its messages take after that; what it found."""
    chance = random.Random(seed)
    report = Report(lines=[f"chaos of sending, {seconds:g} s, seed {seed}"])
    tenants = [await site.project.new_tenant(site.stack.whatsapp_url) for _ in range(2)]
    # A new connection for each call: one that was kept may end while this process is busy.
    unkept = httpx.Limits(max_keepalive_connections=0)
    async with (
        httpx.AsyncClient(
            base_url=site.stack.whatsapp_url, timeout=30.0, limits=unkept
        ) as whatsapp,
        deployed(site.settings) as api,
        Proxy(site.stack.url) as proxy,
        Workers("tests.faults.sending_worker") as workers,
    ):
        site = replace(site, whatsapp=whatsapp)
        for tenant, version in zip(tenants, ("2.3.7", "2.4.0"), strict=True):
            for number in tenant.numbers:
                wanted = number.registration(api.url) | {"version": version}
                answer = await site.whatsapp.post("/_fake/numbers", json=wanted)
                assert answer.status_code == 201, answer.text
        feed = Feed(site, api, chance, [chat for one in tenants for chat in chats_of(one)])
        numbers = [number for tenant in tenants for number in tenant.numbers]
        run = Chaos(site, api, proxy, workers, chance, feed, numbers, report)
        await set_limits(run, *tenants)
        await run.run(seconds)
        await prove(site, feed, run.limits, run.seen, report)
    report.checked.append(f"what happened: {dict(run.happened)}")
    return report


def chats_of(tenant: Tenant) -> list[Chat]:
    return [
        Chat(tenant, number, f"55119{number.phone[-6:]}{place:02d}", cold=place >= 4)
        for number in tenant.numbers
        for place in range(10)
    ]


async def set_limits(run: Chaos, first: Tenant, second: Tenant) -> None:
    """One limit of each kind; the numbers are older than the day in which windows are unknown."""
    wanted: list[tuple[Number, Json]] = [
        (first.evolution, {"gap_seconds": 0.2, "jitter_seconds": 0.2}),
        (second.evolution, {"rate_per_minute": 240, "daily_cap": 4}),
        (first.meta, {"daily_cap": 4}),
        (second.meta, {"portfolio_limit": 3}),
    ]
    for number, pace in wanted:
        old = {"created_at": "2026-01-01T00:00:00Z", "state": "open"}
        await run.site.project.update("instances", pace | old, id=f"eq.{number.instance_id}")
    limits, id = run.limits, [number.instance_id for number, _ in wanted]
    limits.gaps[id[0]], limits.rates[id[1]] = 0.2, 4.0
    limits.people |= {id[1]: 4, id[2]: 4, id[3]: 3}


async def main() -> int:
    seconds = float(os.environ.get("SECONDS") or 60)
    seed = int(os.environ.get("SEED") or random.randrange(1_000_000))
    async with own_site() as site:
        report = await chaos(site, seconds, seed)
    sys.stdout.write(f"{report}\n")
    return 1 if report.faults else 0


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
