"""The file of a message over HTTP: a redirect to a link that ends soon."""

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter
from starlette.responses import RedirectResponse

from functions.core.callers import AnyCaller
from functions.core.errors import Conflict, NotFound
from functions.core.parts import part
from functions.core.problems import answers
from functions.core.storage import Storage
from functions.messaging.media import BUCKET, is_object_of

# Long enough to follow a redirect on a slow phone; links cannot be taken back.
LINK_SECONDS = 60

routes = APIRouter(prefix="/api/messages", tags=["messaging"])


@routes.get(
    "/{message_id}/media",
    status_code=307,
    response_class=RedirectResponse,
    responses=answers(401, 404, 409, 422, 503),
    operation_id="get_media",
    summary="Get the file of a message",
)
async def get_media(
    caller: AnyCaller, message_id: UUID, storage: Annotated[Storage, part(Storage)]
) -> RedirectResponse:
    """Redirects to the file, for a minute. 409 `media_pending` while it is being fetched; 404
    `media_gone`, `media_too_large` or `media_failed` where it will not come."""
    found = await caller.rpc.call(
        "find_media", {"p_message_id": message_id, "p_company_id": caller.company(None)}
    )
    media = found["media"]
    name = media.get("object")
    if not is_object_of(name, found["company_id"]):
        raise _missing(media)
    url = await storage.sign(BUCKET, name, LINK_SECONDS, media.get("file_name"))
    return RedirectResponse(url, headers={"cache-control": "private, no-store"})


def _missing(media: dict[str, Any]) -> Exception:
    state = media.get("state", "elsewhere")
    if state == "pending":
        return Conflict(
            "The file is being fetched.", code="media_pending", hint="Try again in a moment."
        )
    return NotFound(f"The file is not here: {state}.", code=f"media_{state}")
