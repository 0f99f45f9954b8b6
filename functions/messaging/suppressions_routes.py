"""Suppressions over HTTP: who is not written to, adding and lifting."""

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Query

from functions.core.callers import AnyCaller
from functions.core.problems import answers
from functions.messaging.consent import Suppressions
from functions.messaging.contacts_models import (
    LiftSuppression,
    NewSuppression,
    Suppression,
    SuppressionPage,
)
from functions.messaging.requests import Cursor, Limit

routes = APIRouter(prefix="/api/suppressions", tags=["contacts"])


@routes.get(
    "",
    response_model=SuppressionPage,
    responses=answers(401, 403, 404, 422, 503),
    operation_id="list_suppressions",
    summary="List suppressions",
)
async def list_suppressions(
    caller: AnyCaller,
    company_id: UUID | None = None,
    contact_id: UUID | None = None,
    active: Annotated[bool, Query(description="false: lifted ones too.")] = True,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Any:
    """Newest first, each with its evidence."""
    contact = str(contact_id) if contact_id else None
    return await Suppressions(caller.rpc).list_suppressions(
        caller.company(company_id), contact, active, limit, cursor
    )


@routes.post(
    "",
    status_code=201,
    response_model=Suppression,
    responses=answers(400, 401, 403, 404, 422, 503),
    operation_id="add_suppression",
    summary="Suppress a contact or a phone",
)
async def add_suppression(caller: AnyCaller, new: NewSuppression) -> Any:
    """From its answer on nothing more of that scope is sent; twice is once."""
    given = new.model_dump(mode="json")
    return await Suppressions(caller.rpc).add(
        **given | {"company_id": caller.company(new.company_id)}
    )


@routes.post(
    "/{suppression_id}/lift",
    response_model=Suppression,
    responses=answers(400, 401, 403, 404, 422, 503),
    operation_id="lift_suppression",
    summary="Lift a suppression",
)
async def lift_suppression(
    caller: AnyCaller, suppression_id: UUID, why: LiftSuppression | None = None
) -> Any:
    """It stays, with who lifted it and why; twice is once."""
    note = why.note if why else None
    return await Suppressions(caller.rpc).lift(str(suppression_id), caller.company(None), note)
