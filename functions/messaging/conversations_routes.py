"""Conversations over HTTP, but for their messages. The rules stand in
supabase/migrations/*_messaging_inbox.sql and *_messaging_handling.sql."""

from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Header, Query
from fastapi.responses import Response

from functions.core.auth import Caller
from functions.core.callers import AnyCaller
from functions.core.db import Answer
from functions.core.problems import answers
from functions.messaging.conversations import Conversations
from functions.messaging.models import (
    BotPause,
    Conversation,
    ConversationChanges,
    ConversationDetail,
    ConversationPage,
    ConversationStatus,
)
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

IfMatch = Annotated[
    str | None, Header(description="The `rev` that was read: 412 when it is another by now.")
]
Assignee = Annotated[str | None, Query(description="me, none, or the id of a member.")]
PageNumber = Annotated[
    int | None,
    Query(alias="page", ge=1, le=10_000, description="Pages by number, within the first 10000."),
]

routes = APIRouter(prefix="/api/conversations", tags=["conversations"])


@routes.get(
    "",
    response_model=ConversationPage,
    responses=NOT_MODIFIED | answers(401, 403, 404, 422, 503),
    operation_id="list_conversations",
)
async def list_conversations(
    caller: AnyCaller,
    company_id: UUID | None = None,
    limit: Limit = 50,
    cursor: Cursor = None,
    number: PageNumber = None,
    fields: Fields = None,
    status: ConversationStatus | None = None,
    assignee: Assignee = None,
    unread: bool | None = None,
    instance_id: UUID | None = None,
    kind: Literal["direct", "group", "broadcast", "newsletter"] | None = None,
    sort: Literal["newest", "waiting"] = "newest",
    if_none_match: IfNoneMatch = None,
) -> Response:
    """The inbox, newest first, or by whose person waits longest. With If-None-Match, 304 while
    nothing has changed."""
    answer = await Conversations(caller.rpc).list_conversations(
        caller.company(company_id),
        limit=limit,
        cursor=cursor,
        page=number,
        fields=split_fields(fields),
        status=status,
        assignee=assignee,
        unread=unread,
        instance_id=instance_id,
        kind=kind,
        sort=sort,
        if_none_match=strong(if_none_match),
    )
    return page(answer)


@routes.get(
    "/{conversation_id}",
    response_model=ConversationDetail,
    responses=answers(401, 404, 422, 503),
    operation_id="get_conversation",
)
async def get_conversation(caller: AnyCaller, conversation_id: UUID) -> Response:
    """One conversation, whom it is with, and what was done with it by whom."""
    conversations = Conversations(caller.rpc)
    return _shown(await conversations.get_conversation(str(conversation_id), caller.company(None)))


async def _change(
    caller: Caller, id: UUID, changes: dict[str, Any], if_match: str | None = None
) -> Response:
    conversations = Conversations(caller.rpc)
    return _shown(
        await conversations.update_conversation(
            str(id), changes, caller.company(None), strong(if_match)
        )
    )


@routes.patch(
    "/{conversation_id}",
    response_model=Conversation,
    responses=answers(401, 403, 404, 409, 412, 422, 503),
    operation_id="update_conversation",
)
async def update_conversation(
    caller: AnyCaller,
    conversation_id: UUID,
    changes: ConversationChanges,
    if_match: IfMatch = None,
) -> Response:
    """Assigns, closes, reopens, marks as read; the conversation as it is then. Repeating the
    call changes nothing more."""
    asked = changes.model_dump(mode="json", exclude_unset=True)
    return await _change(caller, conversation_id, asked, if_match)


@routes.post(
    "/{conversation_id}/bot/pause",
    response_model=Conversation,
    responses=answers(401, 403, 404, 409, 422, 503),
    operation_id="pause_bot",
)
async def pause_bot(
    caller: AnyCaller, conversation_id: UUID, pause: BotPause | None = None
) -> Response:
    """The bot of the conversation keeps silent from now on for so long."""
    minutes = {"bot_pause_minutes": pause.minutes if pause else None}
    return await _change(caller, conversation_id, minutes)


@routes.post(
    "/{conversation_id}/bot/resume",
    response_model=Conversation,
    responses=answers(401, 403, 404, 409, 422, 503),
    operation_id="resume_bot",
)
async def resume_bot(caller: AnyCaller, conversation_id: UUID) -> Response:
    """The bot of the conversation may write again."""
    return await _change(caller, conversation_id, {"bot_paused_until": None})


def _shown(answer: Answer) -> Response:
    headers = {"cache-control": "private, no-cache"}
    if answer.etag:
        headers["etag"] = answer.etag
    return Response(answer.body, media_type="application/json", headers=headers)
