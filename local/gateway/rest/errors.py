"""Every way the REST service says no: {"code","message","details","hint"} and an HTTP status.

Codes that start with PGRST are PostgREST's own; all others are the SQLSTATE of Postgres.
"""

from dataclasses import dataclass
from typing import Any

import orjson

from local.gateway.rest.wire import ServerError


@dataclass(slots=True)
class Answer:
    """What goes back over HTTP; header names in lower case."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes


# SQLSTATE, or its class of two characters, to HTTP status. The longer entry wins; else 400.
STATUS_OF_SQLSTATE = {
    "08": 503, "09": 500, "0L": 403, "0P": 403, "21000": 500, "23503": 409, "23505": 409,
    "25006": 405, "25": 500, "28": 403, "2D": 500, "38": 500, "39": 500, "3B": 500, "40": 500,
    "53400": 500, "53": 503, "54": 500, "55": 500, "57P01": 503, "57": 500, "58": 500, "F0": 500,
    "HV": 500, "P0001": 400, "P0": 500, "XX": 500, "42883": 404, "42P01": 404, "42P17": 500,
}  # fmt: skip


class RestError(Exception):
    """An answer that is not the data. `details` may be any JSON value."""

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        details: Any = None,
        hint: str | None = None,
        headers: dict[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.body = {"code": code, "message": message, "details": details, "hint": hint}
        self.headers = headers or {}

    def answer(self) -> Answer:
        """The HTTP answer."""
        headers = {
            "content-type": "application/json; charset=utf-8",
            "proxy-status": f"PostgREST; error={self.code}",
            **self.headers,
        }
        return Answer(self.status, list(headers.items()), orjson.dumps(self.body))


def not_implemented(what: str) -> RestError:
    """For what PostgREST can do and this gateway cannot."""
    return RestError(400, "PGRST127", "Feature not implemented", what)


def not_embedded(name: str) -> RestError:
    """A condition or an order is about rows that the select list does not embed."""
    message = f"'{name}' is not an embedded resource in this request"
    hint = f"Verify that '{name}' is included in the 'select' query parameter."
    return RestError(400, "PGRST108", message, None, hint)


def bad_query(message: str, details: str | None = None) -> RestError:
    """The query string cannot be parsed."""
    return RestError(400, "PGRST100", message, details)


def bad_token(code: str, message: str, details: str | None = None) -> RestError:
    """The JWT cannot be used: 401 with the header that says so."""
    header = f'Bearer error="invalid_token", error_description="{message}"'
    return RestError(401, code, message, details, headers={"www-authenticate": header})


def from_postgres(error: ServerError, *, authenticated: bool) -> RestError:
    """The answer for an error of Postgres. `authenticated`: the role is another than anon."""
    if error.sqlstate == "PGRST":
        return _raised_as_response(error.message, error.detail)
    status = _status(error.sqlstate, error.message, authenticated)
    headers = {"www-authenticate": "Bearer"} if status == 401 else None
    return RestError(status, error.sqlstate, error.message, error.detail, error.hint, headers)


def from_connection(error: BaseException) -> RestError:
    """The database is away, or does not get round to this request."""
    if isinstance(error, TimeoutError):
        message = "Timed out acquiring connection from connection pool."
        return RestError(504, "PGRST003", message)
    return RestError(503, "PGRST000", "Database connection error.", str(error))


def lost_connection(error: BaseException) -> RestError:
    """The database went away during the request: what it did may have been committed."""
    message = "Database client error. Retrying the connection."
    return RestError(503, "PGRST001", message, str(error))


def _status(code: str, message: str, authenticated: bool) -> int:
    if code == "42501":
        return 403 if authenticated else 401
    if code == "21000" and message.endswith("requires a WHERE clause"):
        return 400
    if code == "22023" and message.startswith("role") and message.endswith("does not exist"):
        return 401
    if code.startswith("PT"):
        return int(code[2:]) if code[2:].isdigit() else 500
    return STATUS_OF_SQLSTATE.get(code) or STATUS_OF_SQLSTATE.get(code[:2], 400)


def _raised_as_response(message: str, detail: str | None) -> RestError:
    """`raise sqlstate 'PGRST'`: the function dictates the whole answer, in two JSON objects."""
    unparsed = "Could not parse JSON in the \"RAISE SQLSTATE 'PGRST'\" error"
    keys = "'code', 'message' and optional keys: 'details', 'hint'."
    try:
        body = orjson.loads(message)
        code, text = str(body["code"]), str(body["message"])
    except (ValueError, KeyError, TypeError):
        hint = f"MESSAGE must be a JSON object with obligatory keys: {keys}"
        why = f"Invalid JSON value for MESSAGE: '{message}'"
        return RestError(500, "PGRST121", unparsed, why, hint)
    try:
        answer = orjson.loads(detail or "")
        status, headers = int(answer["status"]), dict(answer["headers"])
    except (ValueError, KeyError, TypeError):
        why = (
            f"Invalid JSON value for DETAIL: '{detail}'"
            if detail
            else ("DETAIL is missing in the RAISE statement")
        )
        hint = (
            "DETAIL must be a JSON object with obligatory keys: 'status', 'headers'"
            " and optional key: 'status_text'."
        )
        return RestError(500, "PGRST121", unparsed, why, hint)
    return RestError(status, code, text, body.get("details"), body.get("hint"), headers)
