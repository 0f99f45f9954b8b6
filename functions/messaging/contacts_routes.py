"""Contacts over HTTP: who they are, merging two of them, taking out and erasing their data."""

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, BackgroundTasks, Depends, Query
from starlette.responses import RedirectResponse

from functions.core.auth import Authenticator, Caller
from functions.core.errors import Forbidden
from functions.core.problems import answers
from functions.jobs.background import BackgroundDrain
from functions.messaging.contacts import Contacts
from functions.messaging.contacts_models import (
    ConflictPage,
    ContactExplanation,
    ContactPage,
    Erased,
    ExportPage,
    MergeContacts,
)
from functions.messaging.requests import Bearer, Cursor, Limit

MERGED: dict[int | str, dict[str, Any]] = {
    308: {"description": "Merged into another contact: see location."}
}


def router(auth: Authenticator, drain: BackgroundDrain) -> APIRouter:
    """The routes under /api/contacts."""
    routes = APIRouter(prefix="/api/contacts", tags=["contacts"])

    async def caller(bearer: Bearer = None) -> Caller:
        return await auth.caller(bearer.credentials.strip() if bearer else None)

    CallerOf = Annotated[Caller, Depends(caller)]

    async def admin(caller: CallerOf) -> Caller:
        if caller.company_id is not None:
            raise Forbidden(
                "An API key may not take out or erase a person's data.",
                code="role_required",
                hint="Use the access token of an admin.",
            )
        return caller

    _add_reads(routes, CallerOf)
    _add_merge(routes, CallerOf)
    _add_rights_of_the_person(routes, Annotated[Caller, Depends(admin)], drain)
    return routes


def _add_reads(routes: APIRouter, CallerOf: Any) -> None:
    @routes.get(
        "",
        response_model=ContactPage,
        responses=answers(401, 403, 404, 422, 503),
        operation_id="list_contacts",
        summary="List contacts",
    )
    async def list_contacts(
        caller: CallerOf,
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
        caller: CallerOf,
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
    async def explain_contact(caller: CallerOf, contact_id: UUID) -> Any:
        """All ids with what told of them, conflicts, conversations and suppressions."""
        found = await Contacts(caller.rpc).explain(str(contact_id), caller.company(None))
        if found["merged_into"] is not None and found["erased_at"] is None:
            return RedirectResponse(f"/api/contacts/{found['merged_into']}", 308)
        return found


def _add_merge(routes: APIRouter, CallerOf: Any) -> None:
    @routes.post(
        "/merge",
        response_model=ContactExplanation,
        responses=answers(400, 401, 403, 404, 409, 422, 503),
        operation_id="merge_contacts",
        summary="Make two contacts one",
    )
    async def merge_contacts(caller: CallerOf, which: MergeContacts) -> Any:
        """The kept contact gets ids, conversations and suppressions. Not undone; twice is once."""
        return await Contacts(caller.rpc).merge(
            str(which.kept_id), str(which.other_id), caller.company(which.company_id)
        )


def _add_rights_of_the_person(routes: APIRouter, Admin: Any, drain: BackgroundDrain) -> None:
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
    )
    async def erase_contact(admin: Admin, contact_id: UUID, background: BackgroundTasks) -> Any:
        """For admins. Anonymous at once, messages and bodies follow; it cannot be undone."""
        erased = await Contacts(admin.rpc).erase(str(contact_id))
        background.add_task(drain)
        return erased
