"""Contacts over HTTP: who they are, merging two of them, taking out and erasing their data."""

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Query
from starlette.responses import RedirectResponse

from functions.core.callers import Admin, AnyCaller
from functions.core.problems import answers
from functions.jobs.background import DRAIN_AFTERWARDS
from functions.messaging.contacts import Contacts
from functions.messaging.contacts_models import (
    ConflictPage,
    ContactExplanation,
    ContactPage,
    Erased,
    ExportPage,
    MergeContacts,
)
from functions.messaging.requests import Cursor, Limit

MERGED: dict[int | str, dict[str, Any]] = {
    308: {"description": "Merged into another contact: see location."}
}

routes = APIRouter(prefix="/api/contacts", tags=["contacts"])


@routes.get(
    "",
    response_model=ContactPage,
    responses=answers(401, 403, 404, 422, 503),
    operation_id="list_contacts",
    summary="List contacts",
)
async def list_contacts(
    caller: AnyCaller,
    company_id: UUID | None = None,
    phone: Annotated[str | None, Query(max_length=32, description="In any form.")] = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Any:
    """Newest first; merged and erased ones are not in it."""
    return await Contacts(caller.rpc).list_contacts(
        caller.company(company_id), phone, limit, cursor
    )


@routes.get(
    "/conflicts",
    response_model=ConflictPage,
    responses=answers(401, 403, 404, 422, 503),
    operation_id="list_contact_conflicts",
    summary="List contacts that may be one person",
)
async def list_conflicts(
    caller: AnyCaller,
    company_id: UUID | None = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Any:
    """Pairs whose ids came together, newest first. Merging them is up to you."""
    return await Contacts(caller.rpc).list_conflicts(caller.company(company_id), limit, cursor)


@routes.get(
    "/{contact_id}",
    response_model=ContactExplanation,
    responses=MERGED | answers(401, 404, 422, 503),
    operation_id="explain_contact",
    summary="Explain a contact",
)
async def explain_contact(caller: AnyCaller, contact_id: UUID) -> Any:
    """All ids with what told of them, conflicts, conversations and suppressions."""
    found = await Contacts(caller.rpc).explain(str(contact_id), caller.company(None))
    if found["merged_into"] is not None and found["erased_at"] is None:
        return RedirectResponse(f"/api/contacts/{found['merged_into']}", 308)
    return found


@routes.post(
    "/merge",
    response_model=ContactExplanation,
    responses=answers(400, 401, 403, 404, 409, 422, 503),
    operation_id="merge_contacts",
    summary="Make two contacts one",
)
async def merge_contacts(caller: AnyCaller, which: MergeContacts) -> Any:
    """The kept contact gets ids, conversations and suppressions. Not undone; twice is once."""
    return await Contacts(caller.rpc).merge(
        str(which.kept_id), str(which.other_id), caller.company(which.company_id)
    )


@routes.get(
    "/{contact_id}/export",
    response_model=ExportPage,
    response_model_exclude_unset=True,
    responses=answers(401, 403, 404, 422, 503),
    operation_id="export_contact",
    summary="Take out all that is kept about a contact",
)
async def export_contact(
    admin: Admin,
    contact_id: UUID,
    limit: Annotated[int, Query(ge=1, le=500)] = 200,
    cursor: Cursor = None,
) -> Any:
    """For admins. Page by page, newest messages first; that it was taken is written down."""
    return await Contacts(admin.rpc).export(str(contact_id), None, limit, cursor)


@routes.delete(
    "/{contact_id}",
    status_code=202,
    response_model=Erased,
    responses=answers(401, 403, 404, 409, 422, 503),
    operation_id="erase_contact",
    summary="Erase a contact",
    dependencies=[DRAIN_AFTERWARDS],
)
async def erase_contact(admin: Admin, contact_id: UUID) -> Any:
    """For admins. Anonymous at once, messages and bodies follow; it cannot be undone."""
    return await Contacts(admin.rpc).erase(str(contact_id))
