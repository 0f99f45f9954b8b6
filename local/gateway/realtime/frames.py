"""The wire format: Phoenix serializer versions 1.0.0 (JSON objects) and 2.0.0 (JSON arrays, and
binary frames for broadcasts), to and from one shape.

Binary, all lengths one byte, encoding 1 = JSON and 0 = raw bytes:
  client -> server   3, join_ref, ref, topic, event, metadata lengths, encoding, then the parts
  server -> client   4, topic, event, metadata lengths, encoding, then the parts
"""

import re
from dataclasses import dataclass, field
from typing import Any

import orjson

# What a client may ask for as `vsn`, and the version it then gets.
VERSIONS = {r"1\.0\.\d+": "1.0.0", r"2\.0\.\d+": "2.0.0"}
PUSH, DELIVERY = 3, 4


class InvalidFrame(Exception):
    """The bytes are no frame of the socket's version."""


@dataclass(frozen=True, slots=True)
class Broadcast:
    """A message whose event and payload are known apart: from a binary frame, the database or the
    single endpoint. `payload` is JSON text, or raw bytes when `raw`. Version 2 gets it as binary.
    """

    event: str
    payload: bytes
    raw: bool = False
    meta: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Verbatim:
    """A message that came as JSON text. It leaves as text, with the payload untouched."""

    payload: Any


Message = Broadcast | Verbatim


@dataclass(frozen=True, slots=True)
class Frame:
    """What a client sent. `payload` is JSON, or a Broadcast for a binary frame. Without a
    `join_ref` the frame is meant for whichever join of the topic there is."""

    topic: str
    event: str
    payload: Any
    ref: str | None = None
    join_ref: str | None = None


def negotiate(asked: str) -> str | None:
    """The version for a client's `vsn`; None when there is none."""
    for pattern, version in VERSIONS.items():
        if re.fullmatch(pattern, asked):
            return version
    return None


def decode(version: str, data: str | bytes) -> Frame:
    """One incoming websocket message. Raises InvalidFrame."""
    try:
        if isinstance(data, bytes):
            if version == "1.0.0":
                raise InvalidFrame("version 1.0.0 has no binary frames")
            return _decode_binary(data)
        return _decode_text(version, orjson.loads(data))
    except (ValueError, IndexError, KeyError, TypeError) as error:
        raise InvalidFrame(str(error)) from error


def _decode_text(version: str, body: Any) -> Frame:
    if version == "1.0.0":
        names = ("topic", "event", "payload", "ref")
        topic, event, payload, ref = (body[name] for name in names)
        join_ref = body.get("join_ref")
    elif isinstance(body, list):
        join_ref, ref, topic, event, payload = body[:5]
    else:
        raise InvalidFrame("a frame of version 2.0.0 is an array")
    if not isinstance(topic, str) or not isinstance(event, str):
        raise InvalidFrame("topic and event must be text")
    return Frame(topic, event, payload, ref, join_ref)


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
    return Frame(topic, "broadcast", broadcast, ref, join_ref)


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


def encode_message(version: str, topic: str, message: Message) -> str | bytes | None:
    """The frame that delivers a message; None when this version cannot express it."""
    if isinstance(message, Verbatim):
        return encode(version, topic, "broadcast", message.payload)
    if version == "2.0.0":
        return _encode_binary(topic, message)
    return None if message.raw else encode(version, topic, "broadcast", envelope(message))


def encode_replayed(
    version: str, topic: str, message: Broadcast, join_ref: str | None
) -> str | bytes | None:
    """Stored messages are pushed by the channel itself: JSON always as text, with its join_ref."""
    if message.raw:
        return encode_message(version, topic, message)
    return encode(version, topic, "broadcast", envelope(message), join_ref=join_ref)


def envelope(message: Broadcast) -> dict[str, Any]:
    """A JSON message as the payload of a text frame."""
    body = {
        "type": "broadcast",
        "event": message.event,
        "payload": orjson.Fragment(message.payload),
    }
    return body | ({"meta": message.meta} if message.meta else {})


def _encode_binary(topic: str, message: Broadcast) -> bytes | None:
    """None when a part is longer than its one-byte length can say; hosted loses it too."""
    meta = orjson.dumps(message.meta) if message.meta else b""
    parts = (topic.encode(), message.event.encode(), meta)
    if any(len(part) > 255 for part in parts):
        return None
    header = bytes((DELIVERY, *(len(part) for part in parts), 0 if message.raw else 1))
    return b"".join((header, *parts, message.payload))
