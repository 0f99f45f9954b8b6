"""Broadcast over HTTP: the batch and the single endpoint. Both answer 202 with no body, also when a
private message is skipped because its sender may not write to the topic."""

from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from local.gateway.realtime.frames import Broadcast
from local.gateway.realtime.policies import Caller, may_broadcast
from local.gateway.realtime.runtime import MAX_PAYLOAD_BYTES, Runtime
from local.gateway.realtime.tokens import Refused, claims_of

TOO_LARGE = "Payload size exceeds tenant limit"


async def broadcast_batch(runtime: Runtime, request: Request) -> Response:
    """`{"messages": [{"topic", "event", "payload", "private"}]}`; topics without prefix."""
    try:
        caller = _caller(runtime, request)
        body = orjson.loads(await request.body())
    except Refused:
        return _unauthorized()
    except ValueError:
        return _unprocessable({"messages": ["can't be blank"]})
    messages = body.get("messages") if isinstance(body, dict) else None
    if not isinstance(messages, list) or not messages:
        return _unprocessable({"messages": ["can't be blank"]})
    faults = [_message_errors(message) for message in messages]
    if any(faults):
        return _unprocessable({"messages": faults})
    allowed: dict[str, bool] = {}
    for message in messages:
        topic, private = message["topic"], bool(message.get("private", False))
        if private and topic not in allowed:
            allowed[topic] = await may_broadcast(runtime.gateway.admin, caller, topic)
        if not private or allowed[topic]:
            broadcast = Broadcast(message["event"], orjson.dumps(message["payload"]))
            runtime.hub.publish((topic, private), broadcast)
    return Response(status_code=202)


async def broadcast_single(runtime: Runtime, request: Request) -> Response:
    """The body, JSON or octets, is the payload; `?private=true` addresses the private topic."""
    topic, event = request.path_params["topic"], request.path_params["event"]
    private = request.query_params.get("private") == "true"
    kind = request.headers.get("content-type", "").split(";")[0].strip().lower()
    if kind not in ("application/json", "application/octet-stream"):
        return JSONResponse({"message": "Unsupported Media Type"}, 415)
    payload = await request.body()
    try:
        caller = _caller(runtime, request)
        if kind == "application/json" and not isinstance(orjson.loads(payload), dict):
            raise ValueError
    except Refused:
        return _unauthorized()
    except ValueError:
        return _unprocessable({"payload": ["is invalid"]})
    if len(payload) > MAX_PAYLOAD_BYTES:
        return _unprocessable({"payload": [TOO_LARGE]})
    if not private or await may_broadcast(runtime.gateway.admin, caller, topic):
        raw = kind == "application/octet-stream"
        runtime.hub.publish((topic, private), Broadcast(event, payload, raw))
    return Response(status_code=202)


def _caller(runtime: Runtime, request: Request) -> Caller:
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not token:
        token = request.headers.get("apikey") or request.query_params.get("apikey") or ""
    return Caller(claims_of(runtime.gateway.keys, token), dict(request.headers))


def _message_errors(message: Any) -> dict[str, list[str]]:
    if not isinstance(message, dict):
        return {"message": ["is invalid"]}
    errors: dict[str, list[str]] = {}
    for name, kind in (("topic", str), ("event", str), ("payload", dict)):
        if message.get(name) in (None, ""):
            errors[name] = ["can't be blank"]
        elif not isinstance(message[name], kind):
            errors[name] = ["is invalid"]
    if not errors and len(orjson.dumps(message["payload"])) > MAX_PAYLOAD_BYTES:
        errors["payload"] = [TOO_LARGE]
    return errors


def _unauthorized() -> Response:
    return JSONResponse({"message": "Unauthorized"}, 401)


def _unprocessable(errors: dict[str, Any]) -> Response:
    return JSONResponse({"errors": errors}, 422)
