"""Numbers over HTTP: every member sees them, admins connect, link and remove them."""

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Request

from functions.core.callers import Admin, AnyCaller
from functions.core.parts import part
from functions.core.problems import answers
from functions.core.settings import Settings
from functions.messaging.numbers import Numbers
from functions.messaging.numbers_models import (
    ConnectedNumber,
    Link,
    NewNumber,
    Number,
    NumberList,
    Qr,
    Removed,
)
from functions.messaging.numbers_rpc import company_to_connect, find_number, list_numbers

ASKED = answers(401, 403, 404, 409, 422, 503)

routes = APIRouter(prefix="/api/numbers", tags=["numbers"])


async def _administered(admin: Admin, number_id: UUID) -> str:
    """The id of a number that the caller is admin of. Raises number_not_found."""
    await find_number(admin.rpc, str(number_id), None, "admin")
    return str(number_id)


Administered = Annotated[str, Depends(_administered)]
Connected = Annotated[Numbers, part(Numbers)]


@routes.get(
    "",
    response_model=NumberList,
    responses=answers(401, 404, 422, 503),
    operation_id="list_numbers",
    summary="List the numbers",
)
async def list_(caller: AnyCaller, company_id: UUID | None = None) -> Any:
    """State, reason, quality and limits of each, without asking the providers."""
    return await list_numbers(caller.rpc, caller.company(company_id))


@routes.get(
    "/{number_id}",
    response_model=Number,
    responses=answers(401, 404, 422, 503),
    operation_id="show_number",
    summary="Show a number",
)
async def show(caller: AnyCaller, number_id: UUID) -> Any:
    """As the database has it: the provider's reports keep it current."""
    return await find_number(caller.rpc, str(number_id), caller.company(None))


@routes.post(
    "",
    status_code=201,
    response_model=ConnectedNumber,
    responses=ASKED | answers(400),
    operation_id="connect_number",
    summary="Connect a number",
)
async def connect(
    admin: Admin,
    wanted: NewNumber,
    request: Request,
    numbers: Connected,
    settings: Annotated[Settings, part(Settings)],
) -> Any:
    """Asks the provider with these credentials, keeps them sealed, and tells it where to post.

    Connecting the same number again gives it these credentials. Where the provider cannot be
    told, `webhook` has what a person enters by hand.
    """
    company_id = await company_to_connect(admin.rpc, admin.company(wanted.company_id))
    public_url = settings.public_url or str(request.base_url).rstrip("/")
    return await numbers.connect(company_id, wanted, public_url)


@routes.post(
    "/{number_id}/connect",
    response_model=Qr,
    responses=ASKED | answers(400),
    operation_id="link_number",
    summary="Link the phone",
)
async def link(number_id: Administered, numbers: Connected, how: Link | None = None) -> Any:
    """Evolution: a QR or a code for the phone, which changes until somebody has used it.
    Meta: registers the number with its PIN."""
    given = how or Link()
    return await numbers.link(number_id, given.phone, given.pin)


@routes.get(
    "/{number_id}/qr",
    response_model=Qr,
    responses=ASKED,
    operation_id="show_qr",
    summary="Show the QR",
)
async def qr(number_id: Administered, numbers: Connected) -> Any:
    """The latest one, for asking again while a person scans. Nobody else's business: whoever
    scans it answers for the company."""
    return await numbers.qr(number_id)


@routes.post(
    "/{number_id}/refresh",
    response_model=Number,
    responses=ASKED,
    operation_id="refresh_number",
    summary="Ask the provider how a number stands",
)
async def refresh(number_id: Administered, numbers: Connected) -> Any:
    """State, quality and limits, as the provider has them at this moment."""
    return await numbers.refresh(number_id)


@routes.post(
    "/{number_id}/restart",
    response_model=Number,
    responses=ASKED,
    operation_id="restart_number",
    summary="Connect a number anew",
)
async def restart(number_id: Administered, numbers: Connected) -> Any:
    """Under the same login; Meta has nothing to restart, and is asked how it stands."""
    return await numbers.restart(number_id)


@routes.post(
    "/{number_id}/logout",
    response_model=Number,
    responses=ASKED,
    operation_id="log_out_number",
    summary="End the login of a number",
)
async def log_out(number_id: Administered, numbers: Connected) -> Any:
    """To come back, a person links it again. Meta: the number is deregistered."""
    return await numbers.log_out(number_id)


@routes.delete(
    "/{number_id}",
    response_model=Removed,
    responses=ASKED,
    operation_id="remove_number",
    summary="Remove a number",
)
async def remove(number_id: Administered, numbers: Connected) -> Any:
    """Its credentials are deleted and its instance too; its conversations stay."""
    return await numbers.remove(number_id)
