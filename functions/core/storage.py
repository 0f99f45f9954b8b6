"""Supabase Storage: private files, put by the backend and lent out by links that end soon."""

from collections.abc import AsyncIterator
from typing import BinaryIO
from urllib.parse import quote

import httpx
import orjson

from functions.core.errors import AppError, InvalidRequest, NotFound, TooLarge, Unavailable
from functions.core.http import HttpClient
from functions.core.settings import Settings

# A file of 50 MB within this needs 7 Mbit/s.
TIMEOUT = httpx.Timeout(60.0, connect=5.0)
# What is in memory of a file on its way.
CHUNK_BYTES = 256 * 1024


class StorageError(AppError):
    """Storage refused in a way that callers cannot mend."""

    status, default_code = 500, "storage_error"


class Storage:
    """The project's files, beyond row level security. Nothing is asked until it is used."""

    def __init__(self, settings: Settings, http: HttpClient) -> None:
        self._settings = settings
        self._http = http

    async def put(self, bucket: str, name: str, file: BinaryIO, size: int, mime_type: str) -> None:
        """Keeps a file under a name that says what is in it: one that is there already is the same.
        `size` in bytes; the file is read from its beginning, piece by piece.

        Raises: TooLarge file_too_large; InvalidRequest type_refused, by the bucket; Unavailable;
        NotConfigured; StorageError.
        """
        headers = {"content-type": mime_type, "cache-control": "max-age=31536000, immutable"}
        headers["content-length"] = str(size)
        file.seek(0)
        response = await self._post(f"object/{_path(bucket, name)}", _pieces(file), headers)
        if response.is_success:
            return
        status, error = _failure(response)
        if status == 409:
            return
        if status == 413:
            raise TooLarge("Storage does not take a file of this size.", code="file_too_large")
        if status == 415:
            raise InvalidRequest("The bucket does not take this type.", code="type_refused")
        raise _other(status, error)

    async def sign(self, bucket: str, name: str, seconds: int, file_name: str | None = None) -> str:
        """An address that opens this file for so long. `file_name`: what it is saved as.

        Raises: NotFound no_object; Unavailable; NotConfigured; StorageError.
        """
        body = orjson.dumps({"expiresIn": seconds})
        headers = {"content-type": "application/json"}
        response = await self._post(f"object/sign/{_path(bucket, name)}", body, headers)
        if not response.is_success:
            status, error = _failure(response)
            if status == 404:
                raise NotFound("There is no such file.", code="no_object")
            raise _other(status, error)
        signed = str(orjson.loads(response.content)["signedURL"])
        saved = f"&download={quote(file_name, safe='')}" if file_name else ""
        return f"{self._settings.supabase_url}/storage/v1{signed}{saved}"

    async def remove(self, bucket: str, names: list[str]) -> None:
        """Deletes files, up to 1000; one that is not there is no error. Safe to repeat.

        Raises: Unavailable; NotConfigured; StorageError.
        """
        headers = {"content-type": "application/json"}
        body = orjson.dumps({"prefixes": names})
        response = await self._request("DELETE", f"object/{bucket}", body, headers)
        if not response.is_success:
            raise _other(*_failure(response))

    async def _post(
        self, path: str, content: bytes | AsyncIterator[bytes], headers: dict[str, str]
    ) -> httpx.Response:
        return await self._request("POST", path, content, headers)

    async def _request(
        self,
        method: str,
        path: str,
        content: bytes | AsyncIterator[bytes],
        headers: dict[str, str],
    ) -> httpx.Response:
        try:
            return await self._http.get().request(
                method,
                self._url(path),
                content=content,
                headers=headers | self._key(),
                timeout=TIMEOUT,
            )
        except httpx.HTTPError as error:
            raise _unreachable() from error

    def _url(self, path: str) -> str:
        self._settings.require_database()
        return f"{self._settings.supabase_url}/storage/v1/{path}"

    def _key(self) -> dict[str, str]:
        key = self._settings.secret_key
        return {"apikey": key, "authorization": f"Bearer {key}"}


async def _pieces(file: BinaryIO) -> AsyncIterator[bytes]:
    while piece := file.read(CHUNK_BYTES):
        yield piece


def _path(bucket: str, name: str) -> str:
    return f"{bucket}/{quote(name, safe='/')}"


def _failure(response: httpx.Response) -> tuple[int, str]:
    """Status and code: nearly all failures come as 400 with the real status inside."""
    try:
        body = orjson.loads(response.content)
        return int(body.get("statusCode") or response.status_code), str(body.get("error") or "")
    except (orjson.JSONDecodeError, AttributeError, ValueError):
        return response.status_code, ""


def _other(status: int, error: str) -> AppError:
    if status in (429, 500, 502, 503, 504, 544):
        return _unreachable()
    return StorageError(f"Storage answered {status} {error}.")


def _unreachable() -> Unavailable:
    return Unavailable("Storage does not answer.", code="storage_unavailable", hint="Try again.")
