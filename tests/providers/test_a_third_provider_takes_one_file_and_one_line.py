"""The protocol is all that the rest of Recado asks of a provider."""

import json
from typing import Any

import httpx
import orjson
from hypothesis import given

from functions.app import PROVIDERS
from functions.providers import commands as asked
from functions.providers.base import Instance, OutboundMessage, Provider
from functions.providers.events import Identity, MessageReceived
from tests.providers.test_nothing_posted_makes_a_provider_fail import KNOWN_JSON, take
from tests.providers.third import THIRD

ONE_LINE: dict[str, Provider] = {**PROVIDERS, "third": THIRD}
INSTANCE = Instance("1", "third", "http://third.example", "x", {})


def server(request: httpx.Request) -> httpx.Response:
    said = orjson.loads(request.content)
    if request.url.path == "/read":
        return httpx.Response(204)
    return httpx.Response(200, json={"error": "busy"} if said["text"] == "!" else {"id": "T1"})


async def test_it_sends_receives_and_takes_commands() -> None:
    third = ONE_LINE["third"]
    [item] = third.split(b'{"messages": [{"id": "A", "from": "5511987654321", "text": "oi"}]}', "x")
    [message] = third.parse(item.kind, item.raw)
    assert isinstance(message, MessageReceived)
    assert message.identities[0] == Identity("phone", "+5511987654321")
    assert third.verify({"x-third-token": "t"}, b"", {"tokens": ["t"]})
    async with httpx.AsyncClient(transport=httpx.MockTransport(server)) as http:
        sent = await third.send(http, INSTANCE, OutboundMessage("1", "5511", "text", "oi"))
        busy = await third.send(http, INSTANCE, OutboundMessage("2", "5511", "text", "!"))
        read = await third.perform(http, INSTANCE, asked.MarkRead("5511", ["A"]))
        state = await third.perform(http, INSTANCE, asked.ReadState())
    assert (sent.outcome, sent.provider_message_id) == ("accepted", "T1")
    assert (busy.outcome, busy.scope, busy.retry_after_seconds) == ("paused", "instance", 30)
    assert read.failure is None
    assert state.failure is not None


@given(body=KNOWN_JSON)
def test_what_holds_for_the_others_holds_for_it(body: Any) -> None:
    take(THIRD, json.dumps(body).encode())
