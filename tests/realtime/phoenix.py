"""A bare Phoenix client for tests: frames go in and come out as they are on the wire."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Protocol

import orjson
from websockets.asyncio.client import ClientConnection, connect

PATIENCE_SECONDS = 5.0


class HasUrl(Protocol):
    @property
    def url(self) -> str: ...


@dataclass(frozen=True, slots=True)
class Received:
    """One frame. `raw` is what came: text or bytes; refs are None where the version has none."""

    topic: str
    event: str
    payload: Any
    raw: str | bytes
    ref: str | None = None
    join_ref: str | None = None


class Phoenix:
    """One websocket. Refs count up; `join` is the ref of the last join."""

    def __init__(self, socket: ClientConnection, version: str) -> None:
        self.socket = socket
        self.version = version
        self.join_ref: str | None = None
        self._ref = 0

    async def push(self, topic: str, event: str, payload: Any) -> str:
        """Send and answer the ref."""
        self._ref += 1
        ref = str(self._ref)
        if event == "phx_join":
            self.join_ref = ref
        if self.version == "1.0.0":
            body: Any = {"topic": topic, "event": event, "payload": payload, "ref": ref}
        else:
            body = [self.join_ref, ref, topic, event, payload]
        await self.socket.send(orjson.dumps(body).decode())
        return ref

    async def push_binary(self, topic: str, event: str, payload: bytes, *, raw: bool) -> str:
        self._ref += 1
        texts = [self.join_ref or "", str(self._ref), topic, event, ""]
        parts = [text.encode() for text in texts]
        header = bytes([3, *(len(part) for part in parts), 0 if raw else 1])
        await self.socket.send(b"".join((header, *parts, payload)))
        return str(self._ref)

    async def next(self) -> Received:
        async with asyncio.timeout(PATIENCE_SECONDS):
            raw = await self.socket.recv()
        if isinstance(raw, bytes):
            return _binary(raw)
        body = orjson.loads(raw)
        if self.version == "1.0.0":
            assert body.keys() == {"topic", "event", "payload", "ref"}
            return Received(body["topic"], body["event"], body["payload"], raw, body["ref"])
        join_ref, ref, topic, event, payload = body
        return Received(topic, event, payload, raw, ref, join_ref)

    async def reply(self, ref: str) -> Any:
        """The payload of the reply to `ref`, which must be the next frame."""
        frame = await self.next()
        assert (frame.event, frame.ref) == ("phx_reply", ref), frame
        return frame.payload

    async def ask_join(self, topic: str, token: str | None = None, **config: Any) -> Any:
        payload: dict[str, Any] = {"config": config}
        if token is not None:
            payload["access_token"] = token
        return await self.reply(await self.push(topic, "phx_join", payload))

    async def join(self, topic: str, token: str | None = None, **config: Any) -> None:
        answer = await self.ask_join(topic, token, **config)
        assert answer["status"] == "ok", answer

    async def heartbeat(self) -> None:
        """Proves that nothing else was on its way: the reply must be the next frame."""
        ref = await self.push("phoenix", "heartbeat", {})
        assert await self.reply(ref) == {"status": "ok", "response": {}}


@asynccontextmanager
async def dial(at: HasUrl, key: str, version: str = "2.0.0") -> AsyncIterator[Phoenix]:
    """A socket to the gateway or stack `at`."""
    url = f"{at.url.replace('http', 'ws', 1)}/realtime/v1/websocket?apikey={key}&vsn={version}"
    async with connect(url, max_size=None) as socket:
        yield Phoenix(socket, version)


def _binary(raw: bytes) -> Received:
    kind, topic_length, event_length, meta_length, encoding = raw[:5]
    assert kind == 4
    parts, position = [], 5
    for length in (topic_length, event_length, meta_length):
        parts.append(raw[position : position + length].decode())
        position += length
    topic, event, meta = parts
    data = raw[position:]
    payload: dict[str, Any] = {
        "type": "broadcast",
        "event": event,
        "payload": orjson.loads(data) if encoding else data,
    }
    if meta:
        payload["meta"] = orjson.loads(meta)
    return Received(topic, "broadcast", payload, raw)
