"""Webhooks of the providers: verify the bytes, store the items, answer, then work.

A provider drops an event for ever on most 4xx answers, so only a body that is not the provider's
is refused; what nobody here understands is stored all the same.
"""

from typing import Annotated, Any

from fastapi import APIRouter, BackgroundTasks, Request
from starlette.responses import PlainTextResponse

from functions.core import log
from functions.core.db import Database
from functions.core.errors import Forbidden, TooLarge
from functions.core.parts import part
from functions.core.problems import answers
from functions.jobs.background import BackgroundDrain
from functions.messaging import rpc
from functions.messaging.endpoints import Endpoints
from functions.messaging.models import Received

# Meta sends at most 3 MB; Vercel and Lambda end bodies at 4.5 and 6 MB.
MAX_BODY_BYTES = 4_500_000
POSTED = {
    "requestBody": {
        "required": True,
        "description": "What the provider posts, signed as the provider signs.",
        "content": {"application/json": {"schema": {"type": "object"}}},
    }
}


async def read_body(request: Request) -> bytes:
    """The raw bytes. Raises TooLarge before they are all in memory."""
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_BODY_BYTES:
            raise TooLarge(f"The body is over {MAX_BODY_BYTES} bytes.")
    return bytes(body)


routes = APIRouter(prefix="/in", tags=["inbound"])
Addresses = Annotated[Endpoints, part(Endpoints)]


@routes.get(
    "/{provider}/{token}",
    response_class=PlainTextResponse,
    responses=answers(403, 404, 422, 503),
    operation_id="answer_challenge",
    summary="Answer a provider's challenge",
)
async def challenge(
    provider: str, token: str, request: Request, addresses: Addresses
) -> PlainTextResponse:
    """Answers the subscription request of a provider that sends one (Meta)."""
    translator = addresses.provider(provider)
    endpoint = await addresses.find(provider, token)
    text = translator.challenge(request.query_params, endpoint.secrets)
    if text is None:
        raise Forbidden("The verify token does not match.", code="invalid_verify_token")
    return PlainTextResponse(text)


@routes.post(
    "/{provider}/{token}",
    response_model=Received,
    responses=answers(400, 401, 404, 413, 422, 503),
    operation_id="receive",
    summary="Take a webhook",
    openapi_extra=POSTED,
)
@routes.post("/{provider}/{token}/{event}", include_in_schema=False)
async def receive(
    provider: str,
    token: str,
    request: Request,
    background: BackgroundTasks,
    addresses: Addresses,
    db: Annotated[Database, part(Database)],
    drain: Annotated[BackgroundDrain, part(BackgroundDrain)],
) -> Any:
    """Takes what a provider posts: 200 after it is stored, each item once.

    Evolution's `byEvents` appends the event's name to the address; it is accepted and ignored.
    """
    translator = addresses.provider(provider)
    raw = await read_body(request)
    endpoint = await addresses.verified(translator, token, request.headers, raw)
    items = translator.split(raw, endpoint.route)
    received = await rpc.receive_inbound(db.as_service(), endpoint.id, items)
    log.event("inbound.received", provider=provider, endpoint=endpoint.id, **received)
    if received["stored"]:
        background.add_task(drain)
    return received
