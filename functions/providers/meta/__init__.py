"""Meta's WhatsApp Cloud API.

authenticity.py  the subscription's challenge, the signature of a body
envelope.py      bytes -> items, one per message, status, ... of possibly several tenants
events.py        an item -> events; messages.py and content.py for messages
sending.py       an outbound message -> HTTP
outcomes.py      the answer -> SendResult; error codes and their classes
"""

from collections.abc import Mapping

import httpx

from functions.providers.base import (
    Event,
    Instance,
    Item,
    Json,
    OutboundMessage,
    Secrets,
    SendResult,
)
from functions.providers.meta.authenticity import answer_challenge, is_signed
from functions.providers.meta.envelope import split_body
from functions.providers.meta.events import parse_item
from functions.providers.meta.sending import send_message


class Meta:
    name = "meta"

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


META = Meta()
