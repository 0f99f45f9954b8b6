"""What people decide about a message of which nobody knows whether it was sent, over HTTP."""

from typing import Literal
from uuid import UUID

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response

from functions.core.callers import AnyCaller
from functions.core.problems import answers
from functions.messaging import rpc
from functions.messaging.models import Message


class Resolution(BaseModel):
    """A person's word about a message whose answer was lost."""

    model_config = ConfigDict(extra="forbid")

    decision: Literal["sent", "not_sent"] = Field(description="What a look at the phone showed.")
    company_id: UUID | None = Field(
        default=None, description="Needed by users of several companies."
    )


routes = APIRouter(prefix="/api", tags=["messaging"])


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
