"""A third provider, whole in one file: what a new one takes. Its server is imaginary.

It posts `{"messages": [{"id", "from", "text", "at"}]}` with a token in a header and takes
`POST {base_url}/send {"to", "text"}`, answered `{"id"}` or `{"error": code}`.
"""

from collections.abc import Callable, Mapping
from typing import Any

import httpx

from functions.providers.attempt import ErrorClass, classified
from functions.providers.base import Instance, Item, OutboundMessage, Secrets, SendResult
from functions.providers.body import read_object
from functions.providers.calls import Request, Step, deliver, run, unsupported
from functions.providers.commands import Answer, Command, MarkRead
from functions.providers.events import Event, Json, MessageReceived, Unknown
from functions.providers.fields import at, instant, records, text
from functions.providers.identity import wa_id_identities
from functions.providers.keys import dedupe_key, digest

ERRORS: dict[str, ErrorClass] = {"busy": "throttle", "nobody": "recipient", "key": "configuration"}


def _mark_read(instance: Instance, command: MarkRead) -> Step:
    request = Request("POST", f"{instance.base_url}/read", body={"ids": [*command.message_ids]})
    return Step(request, lambda response, body: Answer())


COMMANDS: dict[type, Callable[[Instance, Any], Step]] = {MarkRead: _mark_read}


class Third:
    name = "third"
    commands = frozenset(COMMANDS)

    def challenge(self, query: Mapping[str, str], secrets: Secrets) -> str | None:
        return None

    def verify(self, headers: Mapping[str, str], raw: bytes, secrets: Secrets) -> bool:
        return headers.get("x-third-token") in secrets.get("tokens", [])

    def split(self, raw: bytes, endpoint_route: str | None) -> list[Item]:
        body = read_object(raw)
        units = records(body.get("messages")) or [body]
        return [self._item(unit, endpoint_route or "") for unit in units]

    def _item(self, unit: Json, route: str) -> Item:
        key = dedupe_key(route, text(unit.get("id")) or digest(unit))
        return Item(key, "instance", route, "message", text(unit.get("from")), unit)

    def parse(self, kind: str, raw: Json) -> list[Event]:
        identity, sender = text(at(raw, "id")), text(at(raw, "from"))
        if identity is None or sender is None:
            return [Unknown("no message")]
        return [
            MessageReceived(
                provider_message_id=identity,
                sent_at=instant(raw.get("at")),
                chat_address=sender,
                identities=wa_id_identities(sender),
                type="text",
                body=text(raw.get("text")),
            )
        ]

    async def send(
        self, http: httpx.AsyncClient, instance: Instance, message: OutboundMessage
    ) -> SendResult:
        body = {"to": message.to, "text": message.body} if message.body else None
        request = body and Request("POST", f"{instance.base_url}/send", body=body)
        return await deliver(http, request or None, self._read)

    def _read(self, response: httpx.Response, body: Any) -> SendResult:
        if identity := text(at(body, "id")):
            return SendResult("accepted", identity)
        code = text(at(body, "error")) or ""
        return classified(ERRORS.get(code, "unknown"), code=code, response=response)

    async def perform(
        self, http: httpx.AsyncClient, instance: Instance, command: Command
    ) -> Answer:
        if type(command) not in COMMANDS:
            return unsupported(command)
        return await run(http, COMMANDS[type(command)](instance, command))


THIRD = Third()
