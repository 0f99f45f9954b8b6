"""Messages over HTTP, for users and API keys: reading, sending, and deciding about those of which
nobody knows whether they were sent."""

from uuid import UUID

from fastapi import APIRouter
from starlette.responses import Response

from functions.core.callers import AnyCaller
from functions.core.problems import answers
from functions.jobs.background import DRAIN_AFTERWARDS
from functions.messaging import rpc
from functions.messaging.models import Message, MessagePage, Resolution
from functions.messaging.outgoing import NewMessage
from functions.messaging.requests import (
    NOT_MODIFIED,
    Cursor,
    Fields,
    IfNoneMatch,
    Limit,
    page,
    split_fields,
    strong,
)

routes = APIRouter(prefix="/api", tags=["messaging"])


@routes.get(
    "/conversations/{conversation_id}/messages",
    response_model=MessagePage,
    responses=NOT_MODIFIED | answers(401, 404, 422, 503),
    operation_id="list_messages",
)
async def list_messages(
    caller: AnyCaller,
    conversation_id: UUID,
    limit: Limit = 50,
    cursor: Cursor = None,
    fields: Fields = None,
    if_none_match: IfNoneMatch = None,
) -> Response:
    """The messages of a conversation, newest first; 304 as for conversations."""
    params = {
        "p_conversation_id": conversation_id,
        "p_company_id": caller.company(None),
        "p_limit": limit,
        "p_cursor": cursor,
        "p_fields": split_fields(fields),
        "p_if_none_match": strong(if_none_match),
    }
    return page(await rpc.list_messages(caller.rpc, params))


@routes.post(
    "/messages",
    status_code=202,
    response_model=Message,
    responses=answers(400, 401, 403, 404, 409, 422, 503),
    operation_id="send_message",
    dependencies=[DRAIN_AFTERWARDS],
)
async def send_message(caller: AnyCaller, message: NewMessage) -> Response:
    """Queues a message and answers it as it stands. Repeating the call sends it once.

    The same `id` with another content is 409 `message_id_reused`. What becomes of the message
    is its `status`: here when asked again, in the lists, and on its Realtime topic.
    """
    company_id = caller.company(message.company_id)
    answer = await rpc.send_message(caller.rpc, message, company_id)
    return Response(answer.body, 202, media_type="application/json")


@routes.get(
    "/messages/undecided",
    response_model=MessagePage,
    responses=answers(401, 403, 404, 422, 503),
    operation_id="list_undecided",
    summary="Messages of which nobody knows whether they were sent",
)
async def list_undecided(
    caller: AnyCaller, company_id: UUID | None = None, limit: Limit = 50, cursor: Cursor = None
) -> Response:
    """Those with `needs_decision`, newest first: a look at the phone tells."""
    return page(await rpc.list_undecided(caller.rpc, caller.company(company_id), limit, cursor))


@routes.post(
    "/messages/{message_id}/resolution",
    response_model=Message,
    responses=answers(400, 401, 403, 404, 409, 422, 503),
    operation_id="resolve_message",
    summary="Say whether a message was sent",
)
async def resolve_message(caller: AnyCaller, message_id: UUID, resolution: Resolution) -> Response:
    """For a message with `needs_decision`: `sent` makes it accepted, `not_sent` failed.

    Nothing is sent by this. To send it again, send a message with another `id`.
    """
    company_id = caller.company(resolution.company_id)
    answer = await rpc.resolve_message(caller.rpc, message_id, resolution.decision, company_id)
    return Response(answer.body, media_type="application/json")
