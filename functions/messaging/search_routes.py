"""Search over HTTP. The rules stand in supabase/migrations/*_messaging_search.sql."""

from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Query
from fastapi.responses import Response

from functions.core.callers import AnyCaller
from functions.core.problems import answers
from functions.messaging.models import FoundContactPage, FoundMessagePage
from functions.messaging.requests import Cursor, page
from functions.messaging.search import Search, Sort

Asked = Annotated[str, Query(min_length=1, max_length=200)]
Limit = Annotated[int, Query(ge=1, le=100)]

routes = APIRouter(prefix="/api/search", tags=["conversations"])


@routes.get(
    "",
    response_model=FoundMessagePage | FoundContactPage,
    responses=answers(401, 403, 404, 422, 503),
    operation_id="search",
)
async def search(
    caller: AnyCaller,
    q: Annotated[Asked, Query(description='Words, "in this order", or, -not this.')],
    kind: Literal["messages", "contacts"] = "messages",
    company_id: UUID | None = None,
    sort: Annotated[Sort, Query(description="Of messages; contacts are by name.")] = "relevance",
    limit: Limit = 20,
    cursor: Cursor = None,
) -> Response:
    """Messages by their words, in Portuguese and English, with or without accents; contacts by
    how the words of their name begin, or four and more digits of their phone in a row."""
    company, found = caller.company(company_id), Search(caller.rpc)
    if kind == "contacts":
        return page(await found.contacts(q, company, limit, cursor))
    return page(await found.messages(q, company, sort, limit, cursor))
