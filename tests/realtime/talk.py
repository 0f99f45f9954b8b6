"""What goes on in a company while its followers look: everything that changes a conversation."""

import asyncio
import contextlib
import itertools
import random
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

import httpx

from local.gateway.realtime.outage import UNREACHABLE
from tests.faults.site import Json, Site
from tests.fixtures import Api
from tests.messaging import bodies, changes
from tests.tenants import Number, Tenant

CONTACTS = 8
PAUSE_SECONDS = 0.06
MANY_BYTES = 20_000  # more than an event carries
# A maintenance statement, as an operator writes it: most rows stay as they are.
TOUCH_SOME = """
update messages set error_detail = case when random() < 0.2 then $2 else error_detail end
where conversation_id = $1::text::uuid
"""


@dataclass(slots=True)
class Talk:
    """Goes on until `over`; what does not succeed, because something is down, does not matter."""

    site: Site
    tenant: Tenant
    api: Api
    chance: random.Random
    over: bool = False
    done: "Counter[str]" = field(default_factory=Counter)
    failed: "Counter[str]" = field(default_factory=Counter)
    _heard: list[tuple[Number, str]] = field(default_factory=list)
    _count: "itertools.count[int]" = field(default_factory=itertools.count)

    async def run(self) -> None:
        often: list[Callable[[], Awaitable[Any]]] = [self.hear, self.hear, self.say, self.say]
        often += [self.react, self.edit, self.handle, self.handle]
        rare = [self.hear_much, self.revoke, self.touch_some, self.merge, self.erase]
        while not self.over:
            act = self.chance.choice([*often * 3, *rare])
            try:
                await act()
                self.done[act.__name__] += 1
            except (httpx.HTTPError, AssertionError, *UNREACHABLE) as error:
                self.failed[type(error).__name__] += 1
                await asyncio.sleep(PAUSE_SECONDS)
            await asyncio.sleep(self.chance.random() * PAUSE_SECONDS)

    async def work(self) -> None:
        """The queue's worker: receives, sends, erases."""
        while True:
            with contextlib.suppress(Exception):  # the next one has a database again
                await self.site.drain(5.0)
            await asyncio.sleep(0.1)

    # What happens ----------------------------------------------------------------------------

    async def hear(self, body: str | None = None) -> None:
        number = self.chance.choice(self.tenant.numbers)
        sender = changes.SENDER if self.chance.random() < 0.4 else self._contact()
        id = bodies.new_id()
        text = body or f"in {next(self._count)}"
        await self._post(number, bodies.text(number, sender, text, id=id))
        if sender == changes.SENDER:
            self._heard.append((number, id))

    async def hear_much(self) -> None:
        await self.hear("ã" * (MANY_BYTES // 2))

    async def say(self) -> None:
        number = self.chance.choice(self.tenant.numbers)
        await self._as("agent", "send_message", {
            "p_id": str(uuid4()), "p_body": f"out {next(self._count)}",
            "p_instance_id": number.instance_id, "p_to": f"+{self._contact()}",
        })  # fmt: skip

    async def react(self) -> None:
        number, target = self._target()
        emoji = self.chance.choice(["👍", "😂", ""])
        at = bodies.NOON + next(self._count)
        await self._post(number, changes.reaction(number, target, emoji, at, id=bodies.new_id()))

    async def edit(self) -> None:
        number, target = self._target()
        at = bodies.NOON + next(self._count)
        await self._post(number, changes.edit(number, target, f"edited {at}", at))

    async def revoke(self) -> None:
        number, target = self._target()
        at = bodies.NOON + next(self._count)
        await self._post(number, changes.revoke(number, target, at))

    async def handle(self) -> None:
        conversation = self.chance.choice(await self._rows("conversations"))
        what: Json = self.chance.choice([
            {"read": True}, {"status": "closed"}, {"status": "open"}, {"bot_pause_minutes": 5},
            {"assignee_id": self.tenant.people["agent"].id}, {"assignee_id": None},
        ])  # fmt: skip
        await self._as(
            "agent", "update_conversation", {"p_id": conversation["id"], "p_changes": what}
        )

    async def touch_some(self) -> None:
        conversation = self.chance.choice(await self._rows("conversations"))
        await self.site.look(TOUCH_SOME, conversation["id"], f"touched {next(self._count)}")

    async def merge(self) -> None:
        contacts = await self._rows("contacts", merged_into="is.null", erased_at="is.null")
        kept, other = self.chance.sample(contacts, 2)
        await self._as(
            "agent", "merge_contacts", {"p_kept_id": kept["id"], "p_other_id": other["id"]}
        )

    async def erase(self) -> None:
        contacts = await self._rows("contacts", merged_into="is.null", erased_at="is.null")
        await self._as("admin", "erase_contact", {"p_id": self.chance.choice(contacts)["id"]})

    # How -------------------------------------------------------------------------------------

    def _contact(self) -> str:
        return f"55119876500{self.chance.randrange(CONTACTS):02d}"

    def _target(self) -> tuple[Number, str]:
        assert self._heard, "nothing to change yet"
        return self.chance.choice(self._heard[-20:])

    async def _post(self, number: Number, body: Json) -> None:
        answer = await self.api.post_webhook(number, body)
        assert answer.status_code == 200, answer.text

    async def _rows(self, table: str, **filters: str) -> list[Json]:
        rows: list[Json] = await self.site.project.rows(
            table, company_id=f"eq.{self.tenant.company_id}", **filters
        )
        assert len(rows) > 1, "nobody there yet"
        return rows

    async def _as(self, role: str, function: str, params: Json) -> None:
        company = {"p_company_id": self.tenant.company_id}
        if function == "send_message":
            company = {}
        await self.site.project.rpc(function, params | company, self.tenant.people[role].token)
