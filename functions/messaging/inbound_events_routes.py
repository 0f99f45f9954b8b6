"""Items that providers posted, over HTTP, for the admins of a company: what became of them, their
bodies, and reading them again. The rules stand in supabase/migrations/*_messaging_replay.sql."""

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Path, Query
from pydantic import BaseModel, ConfigDict, Field

from functions.core.callers import Admin
from functions.core.problems import answers
from functions.jobs.background import DRAIN_AFTERWARDS
from functions.messaging.inbound_events import ItemFilter, Items, ItemState

Cursor = Annotated[str | None, Query(max_length=20, description="next_cursor of the page before.")]


class InboundItem(BaseModel):
    """One unit of a webhook body, without what it says."""

    id: int
    provider: str
    company_id: UUID | None
    instance_id: UUID | None
    endpoint_id: UUID
    kind: str
    state: ItemState
    outcome: str | None = Field(description="What it turned out to be, e.g. message, unknown.")
    reason: str | None = Field(description="Why it failed, is ignored or is not understood.")
    received_at: datetime
    processed_at: datetime | None
    has_body: bool = Field(description="Bodies are dropped some weeks after they came.")


class InboundItemWithBody(InboundItem):
    dedupe_key: str
    route_kind: str | None
    route_value: str | None = Field(description="Whom an ignored one names.")
    raw: dict[str, Any] | None = Field(description="As it came; null once dropped.")
    body_dropped_at: datetime | None


class InboundItemPage(BaseModel):
    data: list[InboundItem]
    next_cursor: str | None = Field(
        description="Null: this was all. A page may be short, even empty."
    )


class Reprocess(BaseModel):
    """Which items to read again; without state and outcome those that failed, are unknown or hold
    an unsupported message."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"provider": "meta", "outcome": "unknown"}]}
    )

    company_id: UUID | None = Field(
        default=None, description="Needed by users of several companies."
    )
    provider: str | None = Field(default=None, max_length=100)
    endpoint_id: UUID | None = None
    kind: str | None = Field(default=None, max_length=200)
    state: ItemState | None = None
    outcome: str | None = Field(default=None, max_length=100)
    after: datetime | None = Field(default=None, description="Received then or later.")
    before: datetime | None = Field(default=None, description="Received before then.")
    limit: int = Field(default=1000, ge=1, le=5000)
    cursor: str | None = Field(default=None, max_length=20)


class Reprocessed(BaseModel):
    reprocessed: int = Field(description="How many are read again; their jobs are enqueued.")
    next_cursor: str | None = Field(description="Repeat the call with it; null: this was all.")


routes = APIRouter(prefix="/api/inbound", tags=["inbound"])


@routes.get(
    "",
    response_model=InboundItemPage,
    responses=answers(401, 403, 404, 422, 503),
    operation_id="list_inbound_events",
    summary="List what came in",
)
async def list_inbound_events(
    admin: Admin,
    company_id: UUID | None = None,
    provider: str | None = None,
    endpoint_id: UUID | None = None,
    kind: str | None = None,
    state: ItemState | None = None,
    outcome: str | None = None,
    after: datetime | None = None,
    before: datetime | None = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
    cursor: Cursor = None,
) -> Any:
    """Newest first, without bodies."""
    endpoint = str(endpoint_id) if endpoint_id else None
    which = ItemFilter(
        admin.company(company_id), provider, endpoint, kind, state, outcome, after, before
    )
    return await Items(admin.rpc).list(which, limit, cursor)


@routes.get(
    "/{id}",
    response_model=InboundItemWithBody,
    responses=answers(401, 403, 404, 422, 503),
    operation_id="find_inbound_event",
    summary="Look at an item with its body",
)
async def find_inbound_event(admin: Admin, id: Annotated[int, Path(ge=1, lt=2**63)]) -> Any:
    """All that is kept of an item, with what was posted."""
    return await Items(admin.rpc).find(id)


@routes.post(
    "/reprocess",
    response_model=Reprocessed,
    responses=answers(400, 401, 403, 404, 422, 503),
    operation_id="reprocess_inbound",
    summary="Read items again",
    dependencies=[DRAIN_AFTERWARDS],
)
async def reprocess_inbound(admin: Admin, asked: Reprocess) -> Any:
    """With the parser of the day. Reading an item again changes only what was not understood.

    Each call looks at a bounded number of items, oldest first: repeat it with next_cursor.
    """
    endpoint = str(asked.endpoint_id) if asked.endpoint_id else None
    which = ItemFilter(
        admin.company(asked.company_id), asked.provider, endpoint, asked.kind, asked.state,
        asked.outcome, asked.after, asked.before,
    )  # fmt: skip
    return await Items(admin.rpc).reprocess(which, asked.limit, asked.cursor)
