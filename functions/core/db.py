"""The database, over PostgREST: one function call is one transaction and one round trip.

Two faces: `as_user` acts with a user's token under row level security, `as_service` beyond it.
Every function called here is safe to repeat, so a call that broke on the wire is made once more.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import httpx
import orjson

from functions.core.errors import (
    AppError,
    Conflict,
    Forbidden,
    InvalidRequest,
    NotFound,
    Outdated,
    TooLarge,
    Unauthorized,
    Unavailable,
)
from functions.core.http import HttpClient
from functions.core.settings import Settings

Params = Mapping[str, Any]

BY_STATUS: dict[int, type[AppError]] = {
    401: Unauthorized,
    403: Forbidden,
    404: NotFound,
    409: Conflict,
    412: Outdated,
    413: TooLarge,
    422: InvalidRequest,
    503: Unavailable,
}
# SQLSTATE classes that pass by themselves: connection, serialization and deadlock, resources,
# lock and statement timeouts, shutdown. https://www.postgresql.org/docs/current/errcodes-appendix.html
PASSING = ("08", "40", "53", "55", "57", "58")
# Wrong values in the call: malformed text, broken check, missing or dangling reference.
INVALID = ("22", "23")


class DatabaseError(AppError):
    """The database refused in a way that callers cannot mend: a defect, counted and logged."""

    status, default_code = 500, "database_error"


@dataclass(frozen=True, slots=True)
class Answer:
    """A function's answer as it came: JSON bytes, and the ETag when the function gave one."""

    body: bytes
    etag: str | None


class Rpc:
    """Calls SQL functions in one role. Made by Database."""

    def __init__(self, url: str, headers: Mapping[str, str], http: HttpClient) -> None:
        self._url = url
        self._headers = headers
        self._http = http

    async def call(self, function: str, params: Params) -> Any:
        """The parsed answer of public.`function`; None for null and void.

        Raises: AppError by the code that the function raised; Unavailable when a retry is safe;
        InvalidRequest for params that are no JSON.
        """
        body = (await self.raw(function, params)).body
        return orjson.loads(body) if body else None

    async def raw(self, function: str, params: Params) -> Answer:
        """Like `call`, with the bytes untouched for passing through."""
        try:
            content = orjson.dumps(params)
        except orjson.JSONEncodeError:
            # Half an emoji, a number beyond 64 bits: JSON for Python, but not for a database.
            raise InvalidRequest("A value cannot be stored.", code="invalid_value") from None
        try:
            response = await self._post(function, content)
        except (httpx.RemoteProtocolError, httpx.ReadError, httpx.WriteError, httpx.ConnectError):
            # A connection kept over a pause (a frozen function) is dead when used again.
            response = await self._post_again(function, content)
        except httpx.HTTPError as error:
            raise _unreachable(error) from error
        if response.status_code >= 400:
            raise _error_of(response)
        return Answer(response.content, response.headers.get("etag"))

    async def _post(self, function: str, content: bytes) -> httpx.Response:
        async with self._http.connection() as client:
            return await client.post(
                f"{self._url}/rest/v1/rpc/{function}", content=content, headers=self._headers
            )

    async def _post_again(self, function: str, content: bytes) -> httpx.Response:
        try:
            return await self._post(function, content)
        except httpx.HTTPError as error:
            raise _unreachable(error) from error


class Database:
    """The project's database as its functions see it."""

    def __init__(self, settings: Settings, http: HttpClient) -> None:
        self._settings = settings
        self._http = http

    def as_service(self) -> Rpc:
        """Beyond row level security; for jobs and inbound events. Raises NotConfigured."""
        return self._face(self._settings.secret_key, self._settings.secret_key)

    def as_user(self, token: str) -> Rpc:
        """As the user whose access token this is. Raises NotConfigured."""
        return self._face(self._settings.publishable_key, token)

    def _face(self, key: str, bearer: str) -> Rpc:
        self._settings.require_database()
        headers = {
            "apikey": key,
            "authorization": f"Bearer {bearer}",
            "content-type": "application/json",
        }
        return Rpc(self._settings.supabase_url, headers, self._http)


def _unreachable(error: httpx.HTTPError) -> Unavailable:
    return Unavailable(
        "The database does not answer.",
        code="database_unavailable",
        hint=f"Try again in a moment ({type(error).__name__}).",
    )


def _error_of(response: httpx.Response) -> AppError:
    """PostgREST's error as ours. Codes decide, never texts: the texts differ between versions."""
    try:
        body = orjson.loads(response.content)
        code, message = str(body["code"]), str(body["message"])
    except (orjson.JSONDecodeError, KeyError, TypeError):
        code, message, body = "", "", {}
    if code.startswith("PT"):
        known = BY_STATUS.get(response.status_code, DatabaseError)
        return known(str(body.get("details") or message), code=message, hint=body.get("hint"))
    if code in {"PGRST301", "PGRST302", "PGRST303"} or (response.status_code == 401 and not code):
        return Unauthorized("The access token is not valid.", hint="Sign in again.")
    if code == "42501":
        return Forbidden("You may not do this.")
    if (
        code.startswith(PASSING)
        or code.startswith("PGRST0")
        or response.status_code in {502, 503, 504}
        # Without a code nothing of the database speaks, but a proxy before it.
        or (response.status_code >= 500 and not code)
    ):
        return Unavailable("The database is busy.", code="database_unavailable", hint="Try again.")
    if code.startswith(INVALID):
        return InvalidRequest(message, code="invalid_value")
    return DatabaseError(f"The database answered {response.status_code} {code}.")
