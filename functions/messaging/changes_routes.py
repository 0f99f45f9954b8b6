"""Changes that wait for their message, over HTTP."""

from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from fastapi import APIRouter
from pydantic import BaseModel, Field

from functions.core.callers import AnyCaller
from functions.core.problems import answers
from functions.messaging import changes
from functions.messaging.requests import Cursor, Limit

routes = APIRouter(prefix="/api/changes", tags=["messaging"])


class WaitingChange(BaseModel):
    """A change of a message that never came, or has not come yet."""

    instance_id: UUID
    target: str = Field(description="The provider's id of the message.")
    change_id: str
    company_id: UUID
    type: Literal["reaction", "edit", "revoke", "vote"]
    actor: str = Field(description="us, contact, or a member of the group; empty: not told.")
    body: str | None
    media: dict[str, Any] | None
    payload: dict[str, Any]
    sent_at: datetime | None
    received_at: datetime


class WaitingChanges(BaseModel):
    data: list[WaitingChange]
    next_cursor: str | None = Field(description="A page may be short, even empty, before the last.")


@routes.get(
    "/waiting",
    response_model=WaitingChanges,
    responses=answers(401, 403, 404, 422, 503),
    operation_id="list_waiting_changes",
    summary="List changes whose message is not known",
)
async def list_waiting_changes(
    caller: AnyCaller, instance_id: UUID, limit: Limit = 50, cursor: Cursor = None
) -> Any:
    """Of a number. Each is applied when its message comes."""
    return await changes.list_waiting(
        caller.rpc, str(instance_id), caller.company(None), limit, cursor
    )
