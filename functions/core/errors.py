"""The errors Recado raises, as a tree; each has a stable code and, over HTTP, a problem answer.

AppError                     anything a caller can understand; `code` is part of the API
├── InvalidBody        400   the request body is not what this address takes
├── InvalidRequest     422   a parameter or field is missing, malformed or out of range
├── Unauthorized       401   no credentials, or ones that do not verify
├── Forbidden          403   known, but not allowed
├── NotFound           404   no such thing, or none that the caller may see
├── Conflict           409   the thing is in another state; read it again before repeating
├── Outdated           412   the thing has changed since the caller read it
├── TooLarge           413   the body is over the limit
├── NotConfigured      503   this deployment lacks settings; a retry does not help
└── Unavailable        503   the database or an upstream does not answer; a retry is safe

`RetryLater`, `Snooze` and `GiveUp` are answers of a job handler, no failures: see
functions/jobs/models.py.
"""

from typing import ClassVar


class AppError(Exception):
    """What happened (`detail`) and what to do (`hint`), under a stable machine-readable `code`."""

    status: ClassVar[int] = 500
    default_code: ClassVar[str] = "internal_error"

    def __init__(self, detail: str, *, code: str | None = None, hint: str | None = None) -> None:
        super().__init__(detail)
        self.detail = detail
        self.code = code or self.default_code
        self.hint = hint


class InvalidBody(AppError):
    status, default_code = 400, "invalid_body"


class InvalidRequest(AppError):
    status, default_code = 422, "invalid_request"


class Unauthorized(AppError):
    status, default_code = 401, "unauthorized"


class Forbidden(AppError):
    status, default_code = 403, "forbidden"


class NotFound(AppError):
    status, default_code = 404, "not_found"


class Conflict(AppError):
    status, default_code = 409, "conflict"


class Outdated(AppError):
    status, default_code = 412, "version_changed"


class TooLarge(AppError):
    status, default_code = 413, "body_too_large"


class NotConfigured(AppError):
    status, default_code = 503, "not_configured"


class Unavailable(AppError):
    status, default_code = 503, "unavailable"
