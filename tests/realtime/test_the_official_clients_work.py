"""The official Python and JavaScript clients against the gateway, as their users write them."""

import asyncio
import json
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from realtime import AsyncRealtimeClient, RealtimeSubscribeStates
from realtime.types import BroadcastPayload, RealtimeChannelOptions

from tests.realtime.probe import Member, Probe
from tests.realtime.server import Server

States = list[RealtimeSubscribeStates]


def options(*, private: bool, ack: bool = False) -> RealtimeChannelOptions:
    return {
        "config": {
            "broadcast": {"self": False, "ack": ack},
            "presence": {"key": "", "enabled": False},
            "private": private,
        }
    }


@asynccontextmanager
async def python_client(
    server: Server, probe: Probe, token: str | None = None
) -> AsyncIterator[AsyncRealtimeClient]:
    client = AsyncRealtimeClient(f"{server.url}/realtime/v1", probe.keys.publishable_key)
    await client.connect()
    if token:
        await client.set_auth(token)
    try:
        yield client
    finally:
        await client.close()


async def test_python_joins_a_private_topic_and_hears_the_database(
    server: Server, probe: Probe, member: Member
) -> None:
    heard: asyncio.Queue[BroadcastPayload] = asyncio.Queue()
    states: States = []
    async with python_client(server, probe, member.token()) as client:
        channel = client.channel(member.scope, options(private=True))
        channel.on_broadcast("change", heard.put_nowait)
        await channel.subscribe(lambda state, _: states.append(state))
        assert states == [RealtimeSubscribeStates.SUBSCRIBED]
        await member.say("oi")
        async with asyncio.timeout(5):
            message = await heard.get()
        assert message["payload"]["rows"][0]["body"] == "oi"
        assert message["meta"]["id"] == message["payload"]["id"]


async def test_python_is_told_why_it_may_not_join(
    server: Server, probe: Probe, member: Member
) -> None:
    stranger = await probe.member()
    errors: list[str] = []
    async with python_client(server, probe, stranger.token()) as client:
        channel = client.channel(member.scope, options(private=True))
        await channel.subscribe(lambda _, error: errors.append(str(error)))
    assert len(errors) == 1
    assert "Unauthorized: You do not have permissions to read" in errors[0]


async def test_python_clients_hear_each_other_on_a_public_topic(
    server: Server, probe: Probe
) -> None:
    heard: asyncio.Queue[BroadcastPayload] = asyncio.Queue()
    async with python_client(server, probe) as one, python_client(server, probe) as two:
        speaker = await one.channel("py", options(private=False)).subscribe()
        listener = two.channel("py", options(private=False)).on_broadcast("e", heard.put_nowait)
        await listener.subscribe()
        await speaker.send_broadcast("e", {"n": 1})
        async with asyncio.timeout(5):
            assert (await heard.get())["payload"] == {"n": 1}
        states: States = []
        listener.subscribe_callback = lambda state, _: states.append(state)
        await listener.unsubscribe()
        while not states:
            await asyncio.sleep(0.01)
        assert states == [RealtimeSubscribeStates.CLOSED]


# JavaScript


class Node:
    """A running client.cjs."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    async def tell(self, command: str, **rest: Any) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps({"command": command, **rest}).encode() + b"\n")
        await self._process.stdin.drain()

    async def next(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        async with asyncio.timeout(15):
            line = await self._process.stdout.readline()
        event: dict[str, Any] = json.loads(line)
        return event


@asynccontextmanager
async def node_client(
    modules: Path, server: Server, key: str, token: str = ""
) -> AsyncIterator[Node]:
    script = str(Path(__file__).with_name("client.cjs"))
    process = await asyncio.create_subprocess_exec(
        *("node", script, f"{server.url.replace('http', 'ws')}/realtime/v1", key, token),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        env=os.environ | {"NODE_PATH": str(modules)},
    )
    try:
        yield Node(process)
    finally:
        assert process.stdin is not None
        process.stdin.close()
        await process.wait()


async def test_javascript_joins_a_private_topic_and_hears_the_database(
    javascript: Path, server: Server, probe: Probe, member: Member
) -> None:
    key = probe.keys.publishable_key
    async with node_client(javascript, server, key, member.token()) as node:
        await node.tell("join", topic=member.scope, config={"private": True})
        assert await node.next() == {"status": "SUBSCRIBED", "error": None}
        await member.say("olá, João")
        heard = (await node.next())["heard"]
        assert (heard["type"], heard["event"]) == ("broadcast", "change")
        assert heard["payload"]["rows"][0]["body"] == "olá, João"
        assert heard["meta"]["id"] == heard["payload"]["id"]
        await node.tell("leave", topic=member.scope)
        assert await node.next() == {"status": "CLOSED", "error": None}
        assert await node.next() == {"left": "ok"}


async def test_javascript_is_told_why_it_may_not_join(
    javascript: Path, server: Server, probe: Probe, member: Member
) -> None:
    stranger = await probe.member()
    async with node_client(
        javascript, server, probe.keys.publishable_key, stranger.token()
    ) as node:
        await node.tell("join", topic=member.scope, config={"private": True})
        answer = await node.next()
        assert answer["status"] == "CHANNEL_ERROR"
        assert "Unauthorized" in answer["error"]


async def test_javascript_and_python_hear_each_other(
    javascript: Path, server: Server, probe: Probe
) -> None:
    heard: asyncio.Queue[BroadcastPayload] = asyncio.Queue()
    config = {"broadcast": {"ack": True}}
    async with (
        python_client(server, probe) as client,
        node_client(javascript, server, probe.keys.publishable_key) as node,
    ):
        channel = client.channel("both", options(private=False)).on_broadcast("e", heard.put_nowait)
        await channel.subscribe()
        await node.tell("join", topic="both", config=config)
        assert (await node.next())["status"] == "SUBSCRIBED"
        await node.tell("send", topic="both", event="e", payload={"from": "javascript"})
        assert await node.next() == {"sent": "ok"}
        async with asyncio.timeout(5):
            assert (await heard.get())["payload"] == {"from": "javascript"}
        await channel.send_broadcast("e", {"from": "python"})
        assert (await node.next())["heard"]["payload"] == {"from": "python"}
