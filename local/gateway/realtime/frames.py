"""The wire format: Phoenix serializer versions 1.0.0 (JSON objects) and 2.0.0 (JSON arrays, and
binary frames for broadcasts), to and from one shape.

Binary, all lengths one byte, encoding 1 = JSON and 0 = raw bytes:
  client -> server   3, join_ref, ref, topic, event, metadata lengths, encoding, then the parts
  server -> client   4, topic, event, metadata lengths, encoding, then the parts
"""

from dataclasses import dataclass
from typing import Any

import orjson

VERSIONS = ("1.0.0", "2.0.0")
PUSH, DELIVERY = 3, 4


class InvalidFrame(Exception):
    """The bytes are no frame of the socket's version; the socket is closed, as Phoenix does."""


@dataclass(frozen=True, slots=True)
class Broadcast:
    """One user message. `payload` is JSON text, or raw bytes when `raw`; `id` lets a receiver
    drop a second copy, `replayed` marks one read from storage."""

    event: str
    payload: bytes
    raw: bool = False
    id: str | None = None
    replayed: bool = False

    @property
    def meta(self) -> dict[str, Any]:
        meta: dict[str, Any] = {} if self.id is None else {"id": self.id}
        return {**meta, "replayed": True} if self.replayed else meta


@dataclass(frozen=True, slots=True)
class Frame:
    """What a client sent. `payload` is a Broadcast only for a binary frame."""

    topic: str
    event: str
    payload: dict[str, Any] | Broadcast
    ref: str | None = None
    join_ref: str | None = None


def decode(version: str, data: str | bytes) -> Frame:
    """One incoming websocket message. Raises InvalidFrame."""
    try:
        if isinstance(data, bytes):
            if version == "1.0.0":
                raise InvalidFrame("version 1.0.0 has no binary frames")
            return _decode_binary(data)
        return _decode_text(version, orjson.loads(data))
    except (ValueError, IndexError, KeyError, TypeError, AttributeError) as error:
        raise InvalidFrame(str(error)) from error


def _decode_text(version: str, body: Any) -> Frame:
    if version == "1.0.0":
        join_ref, ref = body.get("join_ref"), body.get("ref")
        topic, event, payload = body["topic"], body["event"], body["payload"]
    else:
        join_ref, ref, topic, event, payload = body[:5]
    if not isinstance(topic, str) or not isinstance(event, str):
        raise InvalidFrame("topic and event must be text")
    return Frame(topic, event, payload if isinstance(payload, dict) else {}, ref, join_ref)


def _decode_binary(data: bytes) -> Frame:
    kind, *lengths = data[:6]
    if kind != PUSH:
        raise InvalidFrame(f"unknown binary frame {kind}")
    raw, position, parts = data[6] == 0, 7, []
    for length in lengths:
        parts.append(data[position : position + length].decode())
        position += length
    join_ref, ref, topic, event, _metadata = parts
    broadcast = Broadcast(event, data[position:], raw)
    if not raw:
        orjson.loads(broadcast.payload)
    return Frame(topic, "broadcast", broadcast, ref or None, join_ref or None)


def encode(
    version: str,
    topic: str,
    event: str,
    payload: Any,
    *,
    ref: str | None = None,
    join_ref: str | None = None,
) -> str:
    """One outgoing text frame. Version 1.0.0 never carries join_ref and always carries ref."""
    if version == "1.0.0":
        body: Any = {"topic": topic, "event": event, "payload": payload, "ref": ref}
    else:
        body = [join_ref, ref, topic, event, payload]
    return orjson.dumps(body).decode()


def encode_broadcast(version: str, topic: str, broadcast: Broadcast) -> str | bytes | None:
    """The frame that delivers a broadcast; None when this version cannot express it."""
    if version == "2.0.0":
        binary = _encode_binary(topic, broadcast)
        if binary is not None:
            return binary
    if broadcast.raw:
        return None
    payload: dict[str, Any] = {
        "type": "broadcast",
        "event": broadcast.event,
        "payload": orjson.Fragment(broadcast.payload),
    }
    if broadcast.meta:
        payload["meta"] = broadcast.meta
    return encode(version, topic, "broadcast", payload)


def _encode_binary(topic: str, broadcast: Broadcast) -> bytes | None:
    """None when a part is longer than its one-byte length can say."""
    meta = orjson.dumps(broadcast.meta) if broadcast.meta else b""
    parts = (topic.encode(), broadcast.event.encode(), meta)
    if any(len(part) > 255 for part in parts):
        return None
    header = bytes((DELIVERY, *(len(part) for part in parts), 0 if broadcast.raw else 1))
    return b"".join((header, *parts, broadcast.payload))
