"""Broadcast over HTTP: the batch and the single endpoint. Both answer 202 with no body."""

from typing import Any
from urllib.parse import unquote

import orjson
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from local.gateway.realtime.frames import Broadcast, Verbatim
from local.gateway.realtime.limits import MAX_PAYLOAD_BYTES
from local.gateway.realtime.policies import Caller, Undecided, may_broadcast
from local.gateway.realtime.runtime import Runtime
from local.gateway.realtime.tokens import Refused, claims_of

TOO_LARGE = "Payload size exceeds tenant limit"
MEDIA_TYPES = "Use application/json or application/octet-stream"


async def broadcast_batch(runtime: Runtime, request: Request) -> Response:
    """`{"messages": [{"topic", "event", "payload", "private", "id"}]}`; topics without prefix.

    A private message whose sender may not write to its topic is skipped in silence.
    """
    try:
        caller = _caller(runtime, request)
        body = orjson.loads(await request.body() or b"{}")
    except Refused:
        return _error(401, "Unauthorized")
    except orjson.JSONDecodeError:
        return _error(400, "Bad Request")
    messages = body.get("messages") if isinstance(body, dict) else None
    if messages in (None, []):
        return _unprocessable({"messages": ["can't be blank"]})
    if not isinstance(messages, list) or not all(isinstance(each, dict) for each in messages):
        return _unprocessable({"messages": ["is invalid"]})
    errors = [_message_errors(message) for message in messages]
    if any(errors):
        return _unprocessable({"messages": errors})
    allowed: dict[str, bool] = {}
    for message in messages:
        topic, private = message["topic"], bool(message.get("private"))
        if private and topic not in allowed:
            allowed[topic] = await _is_allowed(runtime, caller, topic)
        if not private or allowed[topic]:
            runtime.hub.publish((topic, private), _verbatim(message))
    return Response(status_code=202)


async def broadcast_single(runtime: Runtime, request: Request) -> Response:
    """`{topic}/events/{event}`: the body, JSON or octets, is the payload; `?private=true` addresses
    the private topic."""
    # The raw path, because an encoded slash belongs to a name.
    parts = request.scope["raw_path"].decode().split("/api/broadcast/", 1)[-1].split("/")
    if len(parts) != 3 or parts[1] != "events":
        return _error(404, "Not Found")
    topic, event = unquote(parts[0]), unquote(parts[2])
    private = request.query_params.get("private") == "true"
    kind = request.headers.get("content-type", "application/json").split(";")[0].strip().lower()
    if kind not in ("application/json", "application/octet-stream"):
        return JSONResponse({"error": f"Unsupported Media Type. {MEDIA_TYPES}"}, 415)
    raw, payload = kind == "application/octet-stream", await request.body()
    try:
        caller = _caller(runtime, request)
        if not raw:
            payload = _as_object(payload)
        if len(payload) > MAX_PAYLOAD_BYTES:
            return _unprocessable({"payload": [TOO_LARGE]})
        if private and not await may_broadcast(runtime.gateway.admin, caller, topic):
            return _error(403, "Unauthorized")
    except Refused:
        return _error(401, "Unauthorized")
    except orjson.JSONDecodeError:
        return _error(400, "Bad Request")
    except Undecided as error:
        return _error(422, str(error))
    runtime.hub.publish((topic, private), Broadcast(event, payload, raw))
    return Response(status_code=202)


def _as_object(payload: bytes) -> bytes:
    """JSON that is no object travels inside one, as hosted's parser makes it."""
    payload = payload.strip() or b"{}"
    is_object = isinstance(orjson.loads(payload), dict)
    return payload if is_object else b'{"_json":' + payload + b"}"


def _verbatim(message: dict[str, Any]) -> Verbatim:
    payload = {"type": "broadcast", "event": message["event"], "payload": message["payload"]}
    return Verbatim(payload | ({"meta": {"id": message["id"]}} if message.get("id") else {}))


async def _is_allowed(runtime: Runtime, caller: Caller, topic: str) -> bool:
    try:
        return await may_broadcast(runtime.gateway.admin, caller, topic)
    except Undecided:
        return False


def _caller(runtime: Runtime, request: Request) -> Caller:
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not token:
        token = request.headers.get("apikey") or request.query_params.get("apikey") or ""
    return Caller(claims_of(runtime.gateway.keys, token), dict(request.headers))


def _message_errors(message: dict[str, Any]) -> dict[str, list[str]]:
    errors: dict[str, list[str]] = {}
    for name, kind in (("topic", str), ("event", str), ("payload", dict)):
        value = message.get(name)
        if value is None or (isinstance(value, str) and not value.strip()):
            errors[name] = ["can't be blank"]
        elif not isinstance(value, kind):
            errors[name] = ["is invalid"]
    if not isinstance(message.get("private"), bool | None):
        errors["private"] = ["is invalid"]
    if "payload" not in errors and len(orjson.dumps(message["payload"])) > MAX_PAYLOAD_BYTES:
        errors["payload"] = [TOO_LARGE]
    return errors


def _error(status: int, message: str) -> Response:
    return JSONResponse({"message": message}, status)


def _unprocessable(errors: dict[str, Any]) -> Response:
    return JSONResponse({"errors": errors}, 422)
