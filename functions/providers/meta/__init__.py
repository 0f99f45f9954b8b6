"""Meta's WhatsApp Cloud API.

authenticity.py  the subscription's challenge, the signature of a body
envelope.py      bytes -> items, one per message, status, ... of possibly several tenants
events.py        an item -> events; messages.py and content.py for messages, contacts.py for whose,
                 account.py, calls.py and groups.py for the rest
sending.py       an outbound message -> a request
commands.py      a command -> requests
outcomes.py      the answer -> SendResult; error codes and their classes
"""

from collections.abc import Mapping

import httpx

from functions.providers.base import Instance, Item, OutboundMessage, Secrets, SendResult
from functions.providers.calls import run, unsupported
from functions.providers.commands import Answer, Command
from functions.providers.events import Event, Json
from functions.providers.meta.authenticity import answer_challenge, is_signed
from functions.providers.meta.commands import COMMANDS, first_step
from functions.providers.meta.envelope import split_body
from functions.providers.meta.events import parse_item
from functions.providers.meta.sending import send_message


class Meta:
    name = "meta"
    commands = frozenset(COMMANDS)

    def challenge(self, query: Mapping[str, str], secrets: Secrets) -> str | None:
        return answer_challenge(query, secrets)

    def verify(self, headers: Mapping[str, str], raw: bytes, secrets: Secrets) -> bool:
        return is_signed(headers, raw, secrets)

    def split(self, raw: bytes, endpoint_route: str | None) -> list[Item]:
        """`endpoint_route` is not read: the body says which number each item is for."""
        return split_body(raw)

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


META = Meta()
