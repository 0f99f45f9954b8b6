"""What people and programs send in the chaos of sending, and what their customers do meanwhile."""

import asyncio
import itertools
import random
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import httpx

from tests.faults.chaos_feed import ANSWERS_SECONDS, AWAY
from tests.faults.site import Site
from tests.fixtures import Api
from tests.tenants import Number, Tenant

Json = dict[str, Any]
PICTURE = "https://example.com/oferta.jpg"
PAUSE_SECONDS = 0.2
WAIT_SECONDS = 0.3


@dataclass(slots=True)
class Chat:
    """`cold`: the contact never writes."""

    tenant: Tenant
    number: Number
    contact: str
    cold: bool
    heard: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Said:
    """A message that was taken; `text` is what the phone shows of it, unlike any other."""

    text: str
    type: str
    purpose: str
    chat: Chat


@dataclass(slots=True)
class Feed:
    site: Site
    api: Api
    chance: random.Random
    chats: list[Chat]
    sent: dict[str, Said] = field(default_factory=dict)
    over: bool = False
    _count: "itertools.count[int]" = field(default_factory=itertools.count)

    def new_id(self) -> str:
        return str(UUID(int=self.chance.getrandbits(128), version=4))

    async def run(self) -> None:
        while not self.over:
            what = self.chance.choice([self.say, self.say, self.say, self.hear, self.read])
            await what(self.chance.choice(self.chats))
            await asyncio.sleep(self.chance.random() * PAUSE_SECONDS)

    async def say(self, chat: Chat) -> None:
        """A person or a program sends; it repeats the call until it is answered."""
        id, n = self.new_id(), next(self._count)
        content = self._content(chat, n)
        purpose = self.chance.choice(["service", "marketing"])
        message = {"id": id, "instance_id": chat.number.instance_id, "to": f"+{chat.contact}"}
        send = self._by_person if self.chance.random() < 0.5 else self._by_program
        while True:
            answer = await send(chat, message | content | {"purpose": purpose})
            if answer is not None and answer.status_code < 500:
                break
            await asyncio.sleep(WAIT_SECONDS)
        if answer.status_code == 422 and "window_closed" in answer.text:
            return
        assert answer.status_code in (200, 202), answer.text
        self.sent[id] = Said(_shown(content), content["type"], purpose, chat)

    def _content(self, chat: Chat, n: int) -> Json:
        """Where only a template may go, a template."""
        if chat.number.provider == "meta" and (chat.cold or self.chance.random() < 0.3):
            return {"type": "template", "template": {"name": f"t{n}", "language": "pt_BR"}}
        type = self.chance.choice(["text", "text", "image", "reply", "reaction"])
        if type == "image":
            return {"type": type, "body": f"image {n}", "media": {"url": PICTURE}}
        if chat.heard and type == "reaction":
            return {"type": type, "body": f"reaction {n}", "target": chat.heard[-1]}
        if chat.heard and type == "reply":
            return {"type": "text", "body": f"reply {n}", "reply_to": chat.heard[-1]}
        return {"type": "text", "body": f"text {n}"}

    async def _by_person(self, chat: Chat, message: Json) -> httpx.Response | None:
        try:
            return await self.api.send(chat.tenant.people["agent"], message)
        except httpx.TransportError:
            return None

    async def _by_program(self, chat: Chat, message: Json) -> httpx.Response | None:
        params = {f"p_{name}": value for name, value in message.items() if name != "template"}
        if template := message.get("template"):
            params["p_payload"] = {"template": template | {"components": []}}
        params["p_company_id"] = chat.tenant.company_id
        project = self.site.project
        url = f"{project.url}/rest/v1/rpc/send_message"
        try:
            return await project.http.post(url, json=params, headers=project.headers())
        except httpx.TransportError:
            return None

    async def hear(self, chat: Chat, body: str | None = None) -> None:
        if chat.cold:
            return
        id = f"IN{self.chance.getrandbits(64):016X}"
        said = {"number": chat.number.external_id, "from": chat.contact, "id": id}
        body = body or self.chance.choice(["oi", "tudo bem?", "VOLTAR", "SAIR"])
        answer = await self.site.whatsapp.post("/_fake/inbound", json=said | {"body": body})
        assert answer.status_code == 202, answer.text
        chat.heard.append(id)

    async def read(self, chat: Chat) -> None:
        """A person opens the conversation."""
        rows = await looked(
            self.site,
            "select id from conversations where instance_id = $1::text::uuid and unread > 0"
            " and address in ($2, substr($2, 1, 4) || substr($2, 6))",
            chat.number.instance_id,
            chat.contact,
        )
        for row in rows:
            headers = {"authorization": f"Bearer {chat.tenant.people['agent'].token}"}
            path = f"/api/conversations/{row['id']}"
            try:
                await self.api.http.patch(path, json={"read": True}, headers=headers)
            except httpx.TransportError:
                return


async def looked(site: Site, query: str, *arguments: Any) -> list[Json]:
    """Rows; none while Postgres is away."""
    try:
        async with asyncio.timeout(ANSWERS_SECONDS):
            return await site.look(query, *arguments)
    except AWAY:
        return []


def _shown(content: Json) -> str:
    shown: str = content["template"]["name"] if "template" in content else content["body"]
    return shown
