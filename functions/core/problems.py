"""Errors as HTTP answers: application/problem+json (RFC 9457) with a stable `code`."""

import logging
from http import HTTPStatus
from typing import Any

import orjson
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException
from starlette.responses import Response

from functions.core import log
from functions.core.errors import AppError

MEDIA_TYPE = "application/problem+json"


class Problem(BaseModel):
    """What every error answer looks like."""

    code: str = Field(description="Stable; programs decide on this.")
    title: str
    status: int
    detail: str = Field(description="What happened, for people.")
    hint: str | None = Field(default=None, description="What to do.")


def problem(
    status: int,
    code: str,
    detail: str,
    hint: str | None = None,
    headers: dict[str, str] | None = None,
) -> Response:
    """The answer for an error that is not raised."""
    body = Problem(code=code, title=code.replace("_", " "), status=status, detail=detail, hint=hint)
    return Response(
        orjson.dumps(body.model_dump(exclude_none=True)),
        status,
        headers=headers,
        media_type=MEDIA_TYPE,
    )


async def _app_error(_: Request, error: Exception) -> Response:
    assert isinstance(error, AppError)
    headers = {"www-authenticate": "Bearer"} if error.status == 401 else None
    if error.status == 503:
        headers = {"retry-after": "5"}
    if error.status >= 500:
        log.event("request.failed", logging.WARNING, code=error.code, detail=error.detail)
    return problem(error.status, error.code, error.detail, error.hint, headers)


# Of the framework's own refusals; 400 is a body that is no JSON, or too deep.
CODES = {400: "invalid_body", 404: "not_found", 405: "method_not_allowed", 413: "body_too_large"}


async def _http_error(_: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    code = CODES.get(error.status_code, "http_error")
    return problem(error.status_code, code, str(error.detail), headers=dict(error.headers or {}))


async def _validation_error(_: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    first = error.errors()[0]
    if first["type"] == "json_invalid":
        return problem(400, "invalid_body", "The body is not valid JSON.")
    if first["type"] == "model_attributes_type":
        return problem(
            422,
            "invalid_request",
            "The body is no JSON object.",
            "Send an object, with the header 'content-type: application/json'.",
        )
    # What a model as a whole demands has no place inside the body.
    where = ".".join(map(str, first["loc"][1:]))
    reason = first["msg"].removeprefix("Value error, ")
    return problem(422, "invalid_request", f"{where}: {reason}." if where else f"{reason}.")


async def _defect(_: Request, error: Exception) -> Response:
    # The server logs the traceback: Starlette raises it again after this answer.
    return problem(
        500, "internal_error", "Something broke on our side.", "Try again, then tell us."
    )


def install(app: FastAPI) -> None:
    """Gives every error of `app` the problem form."""
    app.add_exception_handler(AppError, _app_error)
    app.add_exception_handler(HTTPException, _http_error)
    app.add_exception_handler(RequestValidationError, _validation_error)
    app.add_exception_handler(Exception, _defect)


def answers(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """OpenAPI: the error answers of an operation."""
    content = {MEDIA_TYPE: {"schema": Problem.model_json_schema()}}
    return {
        status: {"description": HTTPStatus(status).phrase, "content": content}
        for status in statuses
    }
