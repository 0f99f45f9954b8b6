"""What people decide about a message of which nobody knows whether it was sent, over HTTP."""

from typing import Literal
from uuid import UUID

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response

from functions.core.callers import AnyCaller
from functions.core.problems import answers
from functions.messaging import rpc
from functions.messaging.models import Message, MessagePage
from functions.messaging.requests import Cursor, Limit, page


class Resolution(BaseModel):
    """A person's word about a message whose answer was lost."""

    model_config = ConfigDict(extra="forbid")

    decision: Literal["sent", "not_sent"] = Field(description="What a look at the phone showed.")
    company_id: UUID | None = Field(
        default=None, description="Needed by users of several companies."
    )


routes = APIRouter(prefix="/api", tags=["messaging"])


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
