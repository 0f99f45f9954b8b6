"""Every way /storage/v1 says no: {"statusCode","error","message","code"}, mostly with HTTP 400.

`statusCode`, a string, is what the status would be; HTTP says 400 for nearly all of them. `code`
is stable, `error` is what older clients look at, `message` is for people.
"""

import asyncpg
import orjson
from starlette.responses import Response


class StorageError(Exception):
    """An answer that is not the data; `http_status` where it is not 400 (or 500 for 500)."""

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        error: str | None = None,
        *,
        http_status: int | None = None,
        headers: dict[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.code = code
        self.http_status = http_status or (500 if status == 500 else 400)
        self.headers = headers or {}
        self.body = {
            "statusCode": str(status),
            "error": error or code,
            "message": message,
            "code": code,
        }

    def response(self) -> Response:
        """The HTTP answer."""
        content = orjson.dumps(self.body)
        return Response(content, self.http_status, self.headers, "application/json; charset=utf-8")


def no_such_bucket() -> StorageError:
    """It does not exist, or the caller may not see it."""
    return StorageError(404, "NoSuchBucket", "Bucket not found", "Bucket not found")


def no_such_key() -> StorageError:
    """It does not exist, or the caller may not see it."""
    return StorageError(404, "NoSuchKey", "Object not found", "not_found")


def bytes_missing() -> StorageError:
    """The row is there and its file is not: it was inserted by SQL."""
    message, headers = "The resource was not found", {"cache-control": "no-store"}
    return StorageError(404, "NoSuchKey", message, "Not found", headers=headers)


def already_exists(code: str) -> StorageError:
    """`code` is KeyAlreadyExists, BucketAlreadyExists or ResourceAlreadyExists."""
    return StorageError(409, code, "The resource already exists", "Duplicate")


def bucket_not_empty() -> StorageError:
    """Buckets are emptied before they are deleted."""
    return StorageError(409, "ResourceNotEmpty", "The bucket you tried to delete is not empty")


def access_denied(message: str, *, http_status: int = 400) -> StorageError:
    """The token is no good, or a policy says no."""
    return StorageError(403, "AccessDenied", message, "Unauthorized", http_status=http_status)


def too_large(what: str = "object") -> StorageError:
    """Above the limit of the bucket, or of the project."""
    message = f"The {what} exceeded the maximum allowed size"
    return StorageError(413, "EntityTooLarge", message, "Payload too large")


def invalid_mime_type(mime_type: str) -> StorageError:
    """The bucket does not take it."""
    message = f"mime type {mime_type} is not supported"
    return StorageError(415, "InvalidMimeType", message, "invalid_mime_type")


def invalid_key(key: str) -> StorageError:
    """The name of an object has characters that no object may have, or too many of them."""
    return StorageError(400, "InvalidKey", f"Invalid key: {key}")


def invalid_bucket_name() -> StorageError:
    """As for keys."""
    return StorageError(400, "InvalidBucketName", "Bucket name invalid", "Invalid Input")


def invalid_request(message: str, error: str | None = None) -> StorageError:
    """What was sent cannot be understood."""
    return StorageError(400, "InvalidRequest", message, error)


def invalid_shape(message: str) -> StorageError:
    """A header, a parameter or a field of the body is missing or of the wrong type."""
    return invalid_request(message, "Error")


def invalid_parameter(name: str) -> StorageError:
    """A value is of the right type and of no use."""
    return StorageError(400, "InvalidParameter", f"Invalid Parameter {name}")


def invalid_jwt(message: str) -> StorageError:
    """The token in a link is damaged or too old."""
    return StorageError(400, "InvalidJWT", message)


def invalid_signature(message: str = "Invalid signature") -> StorageError:
    """The token in a link is good, for something else."""
    return StorageError(400, "InvalidSignature", message)


def invalid_range(size: int) -> StorageError:
    """The Range header asks for bytes that the object does not have."""
    message, headers = "invalid range provided", {"content-range": f"bytes */{size}"}
    return StorageError(
        416, "InvalidRange", message, "invalid_range", http_status=416, headers=headers
    )


def database_away() -> StorageError:
    """No connection, or one that was lost."""
    message = "The connection to the database timed out"
    return StorageError(544, "DatabaseTimeout", message, http_status=544)


def not_served(what: str) -> StorageError:
    """Hosted projects can do it, this gateway cannot."""
    message = f"{what} not served by the local gateway"
    return StorageError(501, "NotSupported", message, "not_implemented", http_status=501)


def from_postgres(error: asyncpg.PostgresError) -> StorageError:
    """What Postgres refused, by SQLSTATE."""
    state = error.sqlstate or ""
    if state == "42501":
        policy = "new row violates row-level security policy"
        return access_denied(policy if "row-level security" in str(error) else str(error))
    if state == "23505":
        return already_exists("ResourceAlreadyExists")
    if state == "23503":
        return StorageError(404, "InvalidRequest", "The related resource does not exist")
    if state == "55P03":
        return StorageError(423, "ResourceLocked", "The resource is locked")
    if state == "57014":
        return database_away()
    if state == "22023" and "role" in str(error):
        return access_denied(str(error))  # the token names a role that does not exist
    if state.startswith("22"):
        return StorageError(400, "InvalidParameter", str(error))
    return StorageError(500, "DatabaseError", f"database error, code: {state}")
