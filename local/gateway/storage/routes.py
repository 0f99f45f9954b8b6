"""The endpoints of /storage/v1, and the operation that policies see for each.

The order counts where paths overlap: /object/public/a/b is an object `b` of the public bucket
`a`, and not the object `a/b` of a bucket called `public`.
"""

import re
from collections.abc import Awaitable, Callable
from typing import Any

import asyncpg
from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Mount, Route

from local.gateway.storage import buckets, listing, objects, signing, upload
from local.gateway.storage.access import (
    by_policy,
    by_policy_or_public,
    by_public_bucket,
    by_token,
)
from local.gateway.storage.caller import gateway_of
from local.gateway.storage.download import content, head, info
from local.gateway.storage.errors import StorageError, database_away, from_postgres, not_served
from local.gateway.storage.rows import json_response

Endpoint = Callable[[Request], Awaitable[Response]]

BUCKET, OBJECT = "{bucket}", "{bucket}/{key:path}"
LOST_CONNECTION = (asyncpg.PostgresConnectionError, asyncpg.InterfaceError)
METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"]
# Services of hosted projects under /storage/v1 that answer 501 here.
LEFT_OUT = {
    "upload/resumable": "Resumable uploads (TUS) are",
    "s3": "The S3 protocol is",
    "render": "Transformed images are",
    "iceberg": "Analytics buckets are",
    "vector": "Vector buckets are",
    "cdn": "The CDN is",
}


def mount() -> Mount:
    """The service at /storage/v1. Keys with line breaks reach it too, to be refused by name."""
    service = Mount("/storage/v1", routes=_routes())
    route: Any
    for route in (service, *service.routes):
        route.path_regex = re.compile(route.path_regex.pattern, re.DOTALL)
    return service


def _routes() -> list[Route]:
    return [
        Route("/status", PlainTextResponse("")),
        Route("/version", PlainTextResponse("local")),
        Route("/health", answering("", health)),
        *_left_out_routes(),
        *_bucket_routes(),
        *_reading_routes(),
        *_writing_routes(),
        Route("/{path:path}", answering("", unknown), methods=METHODS),
    ]


def _bucket_routes() -> list[Route]:
    return [
        _route("GET", "/bucket", "storage.bucket.list", buckets.list_all),
        _route("POST", "/bucket", "storage.bucket.create", buckets.create),
        _route("GET", f"/bucket/{BUCKET}", "storage.bucket.get", buckets.get),
        _route("PUT", f"/bucket/{BUCKET}", "storage.bucket.update", buckets.update),
        _route("DELETE", f"/bucket/{BUCKET}", "storage.bucket.delete", buckets.delete),
        _route("POST", f"/bucket/{BUCKET}/empty", "storage.bucket.empty", buckets.empty),
    ]


def _reading_routes() -> list[Route]:
    """Three ways to look at an object, each by several ways to it."""
    public, own = "storage.object.get_public", "storage.object.get_authenticated"
    public_info, own_info = "storage.object.info_public", "object.get_authenticated_info"
    own_head = "object.head_authenticated_info"
    either = by_policy_or_public
    return [
        _route("HEAD", f"/object/info/public/{OBJECT}", public_info, head(by_public_bucket)),
        _route("GET", f"/object/info/public/{OBJECT}", public_info, info(by_public_bucket)),
        _route("HEAD", f"/object/info/authenticated/{OBJECT}", own_info, head(by_policy)),
        _route("GET", f"/object/info/authenticated/{OBJECT}", own_info, info(by_policy)),
        _route("HEAD", f"/object/info/{OBJECT}", own_info, head(either)),
        _route("GET", f"/object/info/{OBJECT}", own_info, info(either)),
        _route("HEAD", f"/object/public/{OBJECT}", public_info, head(by_public_bucket)),
        _route("GET", f"/object/public/{OBJECT}", public, content(by_public_bucket)),
        _route("HEAD", f"/object/authenticated/{OBJECT}", own_head, head(by_policy)),
        _route("GET", f"/object/authenticated/{OBJECT}", own, content(by_policy)),
        _route("HEAD", f"/object/sign/{OBJECT}", "storage.object.get_signed", head(by_token)),
        _route("GET", f"/object/sign/{OBJECT}", "storage.object.get_signed", content(by_token)),
        _route("HEAD", f"/object/{OBJECT}", own_head, head(either)),
        _route("GET", f"/object/{OBJECT}", own, content(either)),
    ]


def _writing_routes() -> list[Route]:
    signed_upload = f"/object/upload/sign/{OBJECT}"
    return [
        _route("POST", f"/object/list/{BUCKET}", "storage.object.list", listing.list_v1),
        _route("POST", f"/object/list-v2/{BUCKET}", "storage.object.list_v2", listing.list_v2),
        _route("POST", f"/object/sign/{BUCKET}", "storage.object.sign_many", signing.sign_many),
        _route("POST", f"/object/sign/{OBJECT}", "storage.object.sign", signing.sign),
        _route("POST", signed_upload, "storage.object.sign_upload_url", objects.sign_upload),
        _route("PUT", signed_upload, "storage.object.upload_signed", upload.create_signed),
        _route("POST", "/object/copy", "storage.object.copy", objects.copy),
        _route("POST", "/object/move", "storage.object.move", objects.move),
        _route("DELETE", f"/object/{BUCKET}", "storage.object.delete_many", objects.delete_many),
        _route("POST", f"/object/{OBJECT}", "storage.object.upload", upload.create),
        _route("PUT", f"/object/{OBJECT}", "storage.object.upload_update", upload.update),
        _route("DELETE", f"/object/{OBJECT}", "storage.object.delete", objects.delete),
    ]


def _left_out_routes() -> list[Route]:
    def refusal(what: str) -> Endpoint:
        async def refuse(request: Request) -> Response:
            raise not_served(what)

        return answering("", refuse)

    return [
        Route(path, refusal(what), methods=METHODS)
        for name, what in LEFT_OUT.items()
        for path in (f"/{name}", f"/{name}/{{path:path}}")
    ]


def _route(method: str, path: str, operation: str, endpoint: Endpoint) -> Route:
    route = Route(path, answering(operation, endpoint), methods=[method])
    route.methods = {method}  # Starlette lets GET answer HEAD too; here HEAD has its own
    return route


def answering(operation: str, endpoint: Endpoint) -> Endpoint:
    """The endpoint as `operation`, with every refusal turned into its answer."""

    async def answer(request: Request) -> Response:
        request.state.operation = operation
        try:
            return await endpoint(request)
        except StorageError as error:
            return error.response()
        except ClientDisconnect:
            return StorageError(499, "Aborted", "Request aborted", http_status=499).response()
        except (ConnectionError, TimeoutError, *LOST_CONNECTION):
            return database_away().response()
        except asyncpg.PostgresError as error:
            return from_postgres(error).response()
        except OSError as error:  # the disk is full, or not ours
            return StorageError(500, "InternalError", error.strerror or "").response()

    return answer


async def health(request: Request) -> Response:
    """GET /health."""
    async with gateway_of(request).admin.acquire(timeout=5) as connection:
        await connection.fetchval("select 1")
    return json_response({"healthy": True})


async def unknown(request: Request) -> Response:
    """No such endpoint anywhere."""
    path = request.url.path.removeprefix("/storage/v1")
    message = f"Route {request.method}:{path} not found"
    raise StorageError(404, "InvalidRequest", message, "Not Found", http_status=404)
