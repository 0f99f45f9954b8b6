"""The REST endpoints: what they deliver, skip and refuse."""

from typing import Any

import httpx
import pytest
from realtime import AsyncRealtimeClient
from realtime.types import RealtimeChannelOptions

from local.gateway.realtime.limits import MAX_PAYLOAD_BYTES
from tests.realtime.phoenix import dial
from tests.realtime.probe import Member, Probe
from tests.realtime.server import Server

PRIVATE: RealtimeChannelOptions = {"config": {"broadcast": None, "presence": None, "private": True}}


async def post(
    server: Server, path: str, key: str, token: str | None = None, **body: Any
) -> httpx.Response:
    headers = {"apikey": key} | ({"authorization": f"Bearer {token}"} if token else {})
    async with httpx.AsyncClient(headers=headers) as http:
        return await http.post(f"{server.url}/realtime/v1/api/broadcast{path}", **body)


async def test_a_batch_reaches_public_and_private_topics(server: Server, probe: Probe) -> None:
    async with dial(server, probe.keys.secret_key) as client:
        await client.join("realtime:http:public")
        await client.join("realtime:http:private", private=True)
        messages = [
            {"topic": "http:public", "event": "e", "payload": {"n": 1}},
            {"topic": "http:private", "event": "e", "payload": {"n": 2}, "private": True},
        ]
        key = probe.keys.secret_key
        answer = await post(server, "", key, json={"messages": messages})
        assert (answer.status_code, answer.content) == (202, b"")
        assert (await client.next()).payload["payload"] == {"n": 1}
        assert (await client.next()).payload["payload"] == {"n": 2}


async def test_a_private_message_is_skipped_when_its_sender_may_not_write(
    server: Server, probe: Probe, member: Member
) -> None:
    room = await probe.member("room")
    async with dial(server, probe.keys.secret_key) as client:
        await client.join(f"realtime:{member.scope}", private=True)
        await client.join(f"realtime:{room.scope}", private=True)
        messages = [
            {"topic": topic, "event": "e", "payload": {}, "private": True}
            for topic in (member.scope, room.scope)
        ]
        key = probe.keys.publishable_key
        answer = await post(server, "", key, room.token(), json={"messages": messages})
        assert answer.status_code == 202
        assert (await client.next()).topic == f"realtime:{room.scope}"
        await client.heartbeat()


@pytest.mark.parametrize(
    ("body", "errors"),
    [
        ({}, {"messages": ["can't be blank"]}),
        ({"messages": []}, {"messages": ["can't be blank"]}),
        (
            {"messages": [{"topic": "t", "payload": {}}]},
            {"messages": [{"event": ["can't be blank"]}]},
        ),
        (
            {"messages": [{"topic": "t", "event": "e", "payload": [1]}]},
            {"messages": [{"payload": ["is invalid"]}]},
        ),
        (
            {"messages": [{"topic": "t", "event": "e", "payload": {"x": "x" * MAX_PAYLOAD_BYTES}}]},
            {"messages": [{"payload": ["Payload size exceeds tenant limit"]}]},
        ),
    ],
)
async def test_an_invalid_batch_is_refused_field_by_field(
    server: Server, probe: Probe, body: dict[str, Any], errors: dict[str, Any]
) -> None:
    answer = await post(server, "", probe.keys.publishable_key, json=body)
    assert (answer.status_code, answer.json()) == (422, {"errors": errors})


@pytest.mark.parametrize("path", ["", "/t/events/e"])
async def test_an_unknown_key_is_unauthorized(server: Server, path: str) -> None:
    answer = await post(server, path, "nonsense", json={"messages": []})
    assert (answer.status_code, answer.json()) == (401, {"message": "Unauthorized"})


async def test_a_single_message_may_be_json_or_bytes(server: Server, probe: Probe) -> None:
    key = probe.keys.secret_key
    async with dial(server, key) as client:
        await client.join("realtime:a topic/1", private=True)
        path = "/a%20topic%2F1/events/e?private=true"
        octets = {"content-type": "application/octet-stream"}
        assert (await post(server, path, key, json={"n": 1})).status_code == 202
        async with httpx.AsyncClient(headers={"apikey": key, **octets}) as http:
            url = f"{server.url}/realtime/v1/api/broadcast{path}"
            assert (await http.post(url, content=b"\x00\x01")).status_code == 202
        assert (await client.next()).payload["payload"] == {"n": 1}
        assert (await client.next()).payload["payload"] == b"\x00\x01"


async def test_another_content_type_is_unsupported(server: Server, probe: Probe) -> None:
    key = probe.keys.secret_key
    assert (await post(server, "/t/events/e", key, data={"a": "b"})).status_code == 415


async def test_http_send_of_the_official_client_arrives(server: Server, probe: Probe) -> None:
    key = probe.keys.service_role_key
    sender = AsyncRealtimeClient(f"{server.url}/realtime/v1", key)
    async with dial(server, probe.keys.secret_key) as client:
        await client.join("realtime:http:official", private=True)
        channel = sender.channel("http:official", PRIVATE)
        await channel.http_send("e", {"n": 1})
        assert (await client.next()).payload["payload"] == {"n": 1}
