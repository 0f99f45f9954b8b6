"""What people of a tenant and their customers say in a test: each text once, so it is found."""

import itertools
from collections.abc import Iterable
from dataclasses import dataclass, field
from uuid import uuid4

import httpx

from tests.faults.history import log
from tests.faults.site import Site
from tests.fixtures import Api, until
from tests.tenants import Number, Tenant


@dataclass(slots=True)
class Traffic:
    """`sent` are our messages (id -> text) that the API took, `heard` the customers' (provider
    id -> text)."""

    site: Site
    tenant: Tenant
    api: Api
    sent: dict[str, str] = field(default_factory=dict)
    heard: dict[str, str] = field(default_factory=dict)
    _count: "itertools.count[int]" = field(default_factory=itertools.count)

    def contact(self, number: Number, place: int) -> str:
        """A phone that belongs to this tenant's test alone."""
        return f"55119{number.phone[-6:]}{place:02d}"

    async def say(self, number: Number, contact: str, body: str | None = None) -> str:
        """An agent writes. Like every client, it repeats the call until the API has taken it."""
        id, body = str(uuid4()), body or f"out {next(self._count)}"
        message = {
            "id": id,
            "instance_id": number.instance_id,
            "to": f"+{contact}",
            "body": body,
        }

        async def taken() -> bool:
            try:
                answer = await self.api.send(self.tenant.people["agent"], message)
            except httpx.TransportError as error:
                log.info("send %s: %s", body, type(error).__name__)
                return False
            if answer.status_code == 503:
                log.info("send %s: 503", body)
                return False
            assert answer.status_code == 202, answer.text
            return True

        await until(taken, seconds=30, what=f"the API takes {body}")
        self.sent[id] = body
        return id

    async def hear(self, number: Number, contact: str, *, times: int = 1) -> str:
        """A customer writes; the provider posts it, `times` times at once."""
        id, body = f"3EB0{uuid4().hex[:18].upper()}", f"in {next(self._count)}"
        answer = await self.site.whatsapp.post(
            "/_fake/inbound",
            json={
                "number": number.external_id,
                "from": contact,
                "id": id,
                "body": body,
                "times": times,
            },
        )
        assert answer.status_code == 202, answer.text
        self.heard[id] = body
        return id

    async def say_much(self, numbers: Iterable[Number], contacts: int, each: int) -> None:
        """`each` messages to each of so many contacts of the numbers."""
        for number in numbers:
            for _, place in itertools.product(range(each), range(contacts)):
                await self.say(number, self.contact(number, place))

    async def hear_much(self, numbers: Iterable[Number], contacts: int, each: int) -> None:
        for number in numbers:
            for _, place in itertools.product(range(each), range(contacts)):
                await self.hear(number, self.contact(number, place))
