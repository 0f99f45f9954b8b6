"""Evolution API v2 (2.2, 2.3.7, 2.4): a server that links WhatsApp numbers through Baileys.

authenticity.py  is it from our server
envelope.py      bytes -> items
events.py        an item -> events; messages.py, changes.py and addressing.py for those about
                 messages, groups.py for groups and calls
catalogue.py     a Baileys message -> our content; content.py, answers.py, wrapped.py read its kinds
sending.py       an outbound message -> a request; outgoing.py for its content
commands.py      a command -> requests; lifecycle.py for those of the instance itself
outcomes.py      the answer -> SendResult
"""

from collections.abc import Mapping

import httpx

from functions.providers.base import Instance, Item, OutboundMessage, Secrets, SendResult
from functions.providers.calls import run, unsupported
from functions.providers.commands import Answer, Command
from functions.providers.events import Event, Json
from functions.providers.evolution.authenticity import is_authentic
from functions.providers.evolution.commands import COMMANDS, first_step
from functions.providers.evolution.envelope import split_body
from functions.providers.evolution.events import parse_item
from functions.providers.evolution.sending import send_message


class Evolution:
    name = "evolution"
    commands = frozenset(COMMANDS)

    def challenge(self, query: Mapping[str, str], secrets: Secrets) -> str | None:
        """None: Evolution asks for nothing before it posts."""
        return None

    def verify(self, headers: Mapping[str, str], raw: bytes, secrets: Secrets) -> bool:
        return is_authentic(headers, secrets)

    def split(self, raw: bytes, endpoint_route: str | None) -> list[Item]:
        return split_body(raw, endpoint_route)

    def parse(self, kind: str, raw: Json) -> list[Event]:
        return parse_item(kind, raw)

    async def send(
        self, http: httpx.AsyncClient, instance: Instance, message: OutboundMessage
    ) -> SendResult:
        return await send_message(http, instance, message)

    async def perform(
        self, http: httpx.AsyncClient, instance: Instance, command: Command
    ) -> Answer:
        if type(command) not in COMMANDS:
            return unsupported(command)
        return await run(http, first_step(instance, command))


EVOLUTION = Evolution()
