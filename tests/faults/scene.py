"""A company at work, and the means to arrange and to look."""

import base64
from dataclasses import dataclass
from uuid import uuid4

from tests.faults.site import Json, Site
from tests.faults.traffic import Traffic
from tests.tenants import Number

SILENT = {"drop_echoes": True, "drop_statuses": True}


@dataclass(frozen=True, slots=True)
class Scene:
    """A company at work, and the means to arrange and to look."""

    site: Site
    traffic: Traffic

    @property
    def company(self) -> str:
        return self.traffic.tenant.company_id

    @property
    def evolution(self) -> Number:
        return self.traffic.tenant.evolution

    @property
    def contact(self) -> str:
        return self.traffic.contact(self.evolution, 0)

    async def rows(self, query: str) -> list[Json]:
        """Of a statement in which $1 is the company."""
        return await self.site.look(query.replace("$1", "$1::text::uuid"), self.company)

    async def number(self) -> Json:
        (row,) = await self.rows(
            "select * from instances where company_id = $1 and provider = 'evolution'"
        )
        return row

    async def set_number(self, changes: str) -> None:
        await self.rows(
            f"update instances set {changes} where company_id = $1 and provider = 'evolution'"
        )

    async def enqueue(self, type: str) -> None:
        await self.site.project.rpc("enqueue_jobs", {"p_jobs": [{"type": type}]})

    async def ask_for_probe(self) -> None:
        await self.rows(
            "select private.ask_for_probe(id, company_id) from instances"
            " where company_id = $1 and provider = 'evolution'"
        )

    async def hear_a_file(self) -> None:
        id, body = f"3EB0{uuid4().hex[:18].upper()}", "the file"
        content = base64.b64encode(uuid4().bytes).decode()
        order = {"number": self.evolution.external_id, "from": self.contact, "id": id, "body": body}
        order |= {"type": "image", "mime_type": "image/png", "content": content}
        answer = await self.site.whatsapp.post("/_fake/inbound", json=order)
        assert answer.status_code == 202, answer.text
        self.traffic.heard[id] = body
        await self.site.quiet(self.traffic.tenant)

    async def lose(self, number: Number, **fault: int) -> None:
        """A message of which nobody knows whether it was sent, before the last look for it."""
        await self.site.set_faults(number.external_id, **SILENT, **fault)
        await self.traffic.say(number, self.traffic.contact(number, 0))
        await self.site.drain()
        await self.rows(
            "update queue_jobs set attempts = max_attempts - 1, run_at = now()"
            " where company_id = $1 and type = 'messages.reconcile'"
        )
