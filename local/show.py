"""The show of `make dev`: customers write, the owner sees it live and answers.

The owner is an ordinary client: signed in with a password, reading under row level security,
subscribed to the private topics of the company. What the screen shows is what any client sees.
"""

import asyncio
import itertools
import time
from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

import httpx
from supabase import AsyncClient, acreate_client

from functions.realtime import topics
from functions.realtime.subscriber import Subscriber
from local import demo
from local.demo import Demo
from local.screen import OUTGOING, Screen, shorten
from local.stack import Stack

SCENES = [
    ("Beatriz", "5511988880001", "Bom dia! Tem pão de queijo?", "Bom dia, Beatriz! Sai às 9h."),
    ("Caio", "5521977770002", "Meu pedido já saiu?", "Saiu agora, chega em 20 minutos."),
    ("Dona Lúcia", "553188880003", "Vocês abrem no domingo?", "Abrimos das 7h às 13h."),
    ("Edu", "5511966660004", "Quero dois bolos de fubá", "Anotado! Retira ou entrega?"),
]
ANSWERS = {text: answer for _, _, text, answer in SCENES}
# A new customer this often, so that the table keeps moving.
SCENE_SECONDS = 8.0

Row = Mapping[str, Any]


class Show:
    """Runs until it is cancelled."""

    def __init__(self, screen: Screen, stack: Stack, api_url: str, company: Demo) -> None:
        self._screen = screen
        self._stack = stack
        self._api_url = api_url
        self._company = company
        self._began = datetime.now().astimezone()
        self._posted_at: dict[str, float] = {}
        self._names: dict[str, str] = {}

    async def run(self) -> None:
        key = self._stack.keys.publishable_key
        owner = await acreate_client(self._stack.url, key)
        await owner.auth.sign_in_with_password({"email": demo.OWNER, "password": demo.PASSWORD})

        async def token() -> str:
            session = await owner.auth.get_session()
            return session.access_token if session else ""

        async def rpc(name: str, params: dict[str, Any]) -> Any:
            return (await owner.rpc(name, params).execute()).data

        subscriber = Subscriber(self._stack.url, key, token=token, rpc=rpc)
        subscriber.follow(topics.inbox(UUID(self._company.company_id)))
        async with httpx.AsyncClient(timeout=30.0) as http, subscriber:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._customers(http))
                tasks.create_task(self._owner(subscriber, owner, http))

    async def _customers(self, http: httpx.AsyncClient) -> None:
        """Customers write, to both numbers in turn."""
        numbers = itertools.cycle(self._company.numbers)
        for who, phone, text, _ in itertools.cycle(SCENES):
            number = next(numbers)
            provider_id = f"DEMO{uuid4().hex[:16].upper()}"
            self._posted_at[provider_id] = time.time()
            message = {
                "number": number.external_id,
                "from": phone,
                "name": who,
                "body": text,
                "id": provider_id,
            }
            await http.post(f"{self._stack.whatsapp_url}/_fake/inbound", json=message)
            await asyncio.sleep(SCENE_SECONDS)

    async def _owner(
        self, subscriber: Subscriber, owner: AsyncClient, http: httpx.AsyncClient
    ) -> None:
        """Follows the inbox and every conversation in it; answers what customers ask."""
        async for change in subscriber.changes():
            for row in change.rows:
                if change.scope.startswith(topics.PREFIX_INBOX):
                    subscriber.follow(topics.conversation(UUID(row["id"])))
                elif datetime.fromisoformat(row["created_at"]) > self._began:
                    await self._see(row, owner, http)

    async def _see(self, row: Row, owner: AsyncClient, http: httpx.AsyncClient) -> None:
        who = await self._name(row["conversation_id"], owner)
        if row["direction"] == "out":
            self._see_outgoing(row, who)
        elif row["id"] not in self._names:
            self._names[row["id"]] = who  # seen: later changes of it are no news
            await self._see_incoming(row, who, owner)
            await self._answer(row, http)

    def _see_outgoing(self, row: Row, who: str) -> None:
        began_at = _epoch(row["created_at"])
        self._screen.message(
            row["id"], direction="out", who=who, text=shorten(row["body"]), began_at=began_at
        )
        reached = OUTGOING.index(row["status"]) + 1 if row["status"] in OUTGOING else 0
        for step in OUTGOING[:reached]:
            # Providers' clocks count whole seconds; for the rest it is now that we see it.
            at = _epoch(row["accepted_at"]) if step == "accepted" else None
            self._screen.step(row["id"], step, at)
        if not reached:
            self._screen.step(row["id"], row["status"])

    async def _see_incoming(self, row: Row, who: str, owner: AsyncClient) -> None:
        """The stages before the screen come from the stored webhook item."""
        now = time.time()
        provider_id = str(row["provider_message_id"])
        found = await (
            owner.table("inbound_events")
            .select("received_at,processed_at")
            .like("dedupe_key", f"%{provider_id}%")
            .limit(1)
            .execute()
        )
        stored: Any = found.data[0] if found.data else {}
        began_at = self._posted_at.pop(provider_id, None) or _epoch(stored.get("received_at"))
        self._screen.message(
            row["id"], direction="in", who=who, text=shorten(row["body"]), began_at=began_at
        )
        self._screen.step(row["id"], "posted", began_at)
        self._screen.step(row["id"], "stored", _epoch(stored.get("received_at")))
        self._screen.step(row["id"], "ingested", _epoch(stored.get("processed_at")))
        self._screen.step(row["id"], "on screen", now)

    async def _answer(self, row: Row, http: httpx.AsyncClient) -> None:
        """Through the API with its key, as a bot would."""
        text = ANSWERS.get(row["body"], "Recebido! Já respondemos.")
        answer = await http.post(
            f"{self._api_url}/api/messages",
            json={"id": str(uuid4()), "conversation_id": row["conversation_id"], "body": text},
            headers={"authorization": f"Bearer {self._company.api_key}"},
        )
        if answer.status_code != 202:
            self._screen.say(f"[red]answering failed: {answer.text}[/red]")

    async def _name(self, conversation_id: str, owner: AsyncClient) -> str:
        if conversation_id not in self._names:
            found = await (
                owner.table("conversations")
                .select("title,contacts(name)")
                .eq("id", conversation_id)
                .execute()
            )
            conversation: Any = found.data[0]
            contact = conversation["contacts"] or {}
            self._names[conversation_id] = (
                contact.get("name") or conversation["title"] or "somebody"
            )
        return self._names[conversation_id]


def _epoch(at: str | None) -> float | None:
    return datetime.fromisoformat(at).timestamp() if at else None
