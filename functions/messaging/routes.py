"""Conversations and messages over HTTP, for users and API keys.

Lists pass the database's JSON through untouched. Their ETag is the version of what they show, so
an unchanged list costs one small query and no body.
"""

import re
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, BackgroundTasks, Depends, Header, Query, Security
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from starlette.responses import Response

from functions.core.auth import Authenticator, Caller
from functions.core.db import Answer
from functions.core.errors import InvalidRequest
from functions.core.problems import answers
from functions.jobs.background import BackgroundDrain
from functions.messaging import rpc
from functions.messaging.models import ConversationPage, Message, MessagePage, NewMessage
from functions.providers.identity import phone_of

Cursor = Annotated[str | None, Query(description="next_cursor of the page before.")]
Limit = Annotated[int, Query(ge=1, le=200)]
Fields = Annotated[str | None, Query(description="Only these fields, comma-separated.")]
IfNoneMatch = Annotated[str | None, Header()]
Bearer = Annotated[
    HTTPAuthorizationCredentials | None,
    Security(
        HTTPBearer(
            auto_error=False,
            scheme_name="caller",
            description="Access token of a user, or API key of a company (rk_...).",
        )
    ),
]
NOT_MODIFIED: dict[int | str, dict[str, Any]] = {304: {"description": "Nothing has changed."}}


def page(answer: Answer) -> Response:
    """A list as the database wrote it, or 304 where the caller has it already."""
    headers = {"cache-control": "private, no-cache"}
    if answer.etag:
        headers["etag"] = answer.etag
    if answer.body == b"null":
        return Response(status_code=304, headers=headers)
    return Response(answer.body, media_type="application/json", headers=headers)


def split_fields(fields: str | None) -> list[str] | None:
    return [name.strip() for name in (fields or "").split(",") if name.strip()] or None


def strong(etag: str | None) -> str | None:
    """The ETag as we gave it: a proxy that compresses marks it as weak."""
    return etag.removeprefix("W/") if etag else None


def router(auth: Authenticator, drain: BackgroundDrain) -> APIRouter:
    """The routes of messaging under /api."""
    routes = APIRouter(prefix="/api", tags=["messaging"])

    async def caller(bearer: Bearer = None) -> Caller:
        return await auth.caller(bearer.credentials.strip() if bearer else None)

    CallerOf = Annotated[Caller, Depends(caller)]

    @routes.get(
        "/conversations",
        response_model=ConversationPage,
        responses=NOT_MODIFIED | answers(401, 403, 404, 422, 503),
        operation_id="list_conversations",
    )
    async def list_conversations(
        caller: CallerOf,
        company_id: UUID | None = None,
        limit: Limit = 50,
        cursor: Cursor = None,
        fields: Fields = None,
        status: Annotated[str | None, Query(pattern="^(open|closed)$")] = None,
        if_none_match: IfNoneMatch = None,
    ) -> Response:
        """The inbox, newest first. With If-None-Match, 304 while nothing has changed."""
        params = {
            "p_company_id": caller.company(company_id),
            "p_limit": limit,
            "p_cursor": cursor,
            "p_fields": split_fields(fields),
            "p_status": status,
            "p_if_none_match": strong(if_none_match),
        }
        return page(await rpc.list_conversations(caller.rpc, params))

    @routes.get(
        "/conversations/{conversation_id}/messages",
        response_model=MessagePage,
        responses=NOT_MODIFIED | answers(401, 404, 422, 503),
        operation_id="list_messages",
    )
    async def list_messages(
        caller: CallerOf,
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
    )
    async def send_message(
        caller: CallerOf, message: NewMessage, background: BackgroundTasks
    ) -> Response:
        """Queues a message and answers it as it stands. Repeating the call sends it once.

        The same `id` with another content is 409 `message_id_reused`. What becomes of the message
        is its `status`: here when asked again, in the lists, and on its Realtime topic.
        """
        company_id = caller.company(message.company_id)
        answer = await rpc.send_message(caller.rpc, message, company_id, _phone(message.to))
        background.add_task(drain)
        return Response(answer.body, 202, media_type="application/json")

    return routes


def _phone(to: str | None) -> str | None:
    if to is None:
        return None
    phone = phone_of(re.sub(r"[\s().+-]", "", to))
    if phone is None:
        raise InvalidRequest(
            "to is not a phone number with country code.",
            code="invalid_phone",
            hint="For example +5511987654321.",
        )
    return phone
