"""The JSON that clients send, field by field."""

from typing import Annotated, Any, Literal, TypeVar

import orjson
from pydantic import BaseModel, Field, ValidationError
from starlette.requests import Request

from local.gateway.storage.errors import StorageError, invalid_request, invalid_shape

# The limit of hosted projects for everything that is not an upload.
BODY_BYTES = 1024 * 1024
# Objects that one request may name.
MAXIMUM_OBJECTS = 1000

Seconds = Annotated[int, Field(ge=1)]
Limit = Annotated[int, Field(ge=1, le=2**31 - 1)]
Offset = Annotated[int, Field(ge=0, le=2**31 - 1)]
Order = Literal["asc", "desc"]
Model = TypeVar("Model", bound=BaseModel)


class NewBucket(BaseModel):
    """POST /bucket. The limit is bytes or text like '20MB'; null means the project's."""

    name: str
    id: str | None = None
    public: bool = False
    type: Literal["STANDARD", "ANALYTICS"] = "STANDARD"
    file_size_limit: Annotated[int, Field(ge=0)] | str | None = None
    allowed_mime_types: list[str] | None = None


class BucketChange(BaseModel):
    """PUT /bucket/{id}: what is absent stays, null takes a limit away."""

    public: bool | None = None
    file_size_limit: Annotated[int, Field(ge=0)] | str | None = None
    allowed_mime_types: list[str] | None = None


class BucketQuery(BaseModel):
    """GET /bucket, in the query string."""

    limit: Limit | None = None
    offset: Offset = 0
    sortColumn: Literal["id", "name", "created_at", "updated_at"] | None = None
    sortOrder: Order = "asc"
    search: str = ""


class ListSort(BaseModel):
    """How POST /object/list/{bucket} sorts."""

    column: Literal["name", "updated_at", "created_at", "last_accessed_at"] = "name"
    order: Order = "asc"


class List(BaseModel):
    """POST /object/list/{bucket}: one folder, `prefix`, and names in it that start as `search`."""

    prefix: str
    limit: Limit = 100
    offset: Offset = 0
    search: str = ""
    sortBy: ListSort = ListSort()


class ListV2Sort(BaseModel):
    """How POST /object/list-v2/{bucket} sorts."""

    column: Literal["name", "updated_at", "created_at"] = "name"
    order: Order = "asc"


class ListV2(BaseModel):
    """POST /object/list-v2/{bucket}: everything that starts as `prefix`, page by page."""

    prefix: str = ""
    limit: Limit = 1000
    cursor: str = ""
    with_delimiter: bool = False
    sortBy: ListV2Sort = ListV2Sort()


class Sign(BaseModel):
    """POST /object/sign/{bucket}/{key}. `transform` is for images, which are not transformed."""

    expiresIn: Seconds


class SignMany(BaseModel):
    """POST /object/sign/{bucket}."""

    expiresIn: Seconds
    paths: Annotated[list[str], Field(min_length=1, max_length=MAXIMUM_OBJECTS)]


class Move(BaseModel):
    """POST /object/move; within the bucket unless another is named."""

    bucketId: str
    sourceKey: str
    destinationKey: str
    destinationBucket: str | None = None


class CopiedMetadata(BaseModel):
    """What a copy may have of its own."""

    cacheControl: str | None = None
    mimetype: str | None = None


class Copy(Move):
    """POST /object/copy. Without `copyMetadata`, `metadata` and the header x-metadata count."""

    metadata: CopiedMetadata = CopiedMetadata()
    copyMetadata: bool = True


class Prefixes(BaseModel):
    """DELETE /object/{bucket}: whole keys, whatever the name says."""

    prefixes: Annotated[list[str], Field(min_length=1)]


async def body_of(request: Request, model: type[Model]) -> Model:
    """The body as `model`. Raises: 400 when it is not one, 413 when it is too long."""
    raw = bytearray()
    async for chunk in request.stream():
        raw += chunk
        if len(raw) > BODY_BYTES:
            message = "Request body is too large"
            raise StorageError(413, "EntityTooLarge", message, "Error", http_status=413)
    try:
        content = orjson.loads(raw or b"null")
    except orjson.JSONDecodeError:
        raise invalid_request("Body is not valid JSON", "Error") from None
    return _validated(model, content, "body")


def query_of(request: Request, model: type[Model]) -> Model:
    """The query string as `model`. Raises: 400."""
    return _validated(model, dict(request.query_params), "querystring")


def _validated(model: type[Model], content: Any, place: str) -> Model:
    if not isinstance(content, dict):
        raise invalid_shape(f"{place} must be object")
    try:
        return model.model_validate(content)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        path = [str(part) for part in first["loc"]]
        if first["type"] == "missing":
            parent = "/".join([place, *path[:-1]])
            raise invalid_shape(f"{parent} must have required property '{path[-1]}'") from None
        raise invalid_shape(f"{'/'.join([place, *path])}: {first['msg']}") from None
