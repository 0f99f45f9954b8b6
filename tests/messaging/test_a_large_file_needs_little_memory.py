"""A file goes from its provider to Storage in pieces: it is nowhere whole in memory."""

import asyncio
import base64
import json
import sys
from collections.abc import AsyncIterator
from hashlib import sha256
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import JSONResponse, StreamingResponse

from functions.messaging.spool import Spool
from functions.providers.commands import FileTooLarge
from functions.providers.evolution.encoded import Base64Field
from tests.fixtures import serving

LARGE = 100_000_000
# A tenth of the file, where it used to take two or three times its size.
ALLOWED_KB = 10_000
PIECE = bytes(range(256)) * 300  # 76,800 bytes, whole groups of three


async def pieces(size: int) -> AsyncIterator[bytes]:
    for _ in range(size // len(PIECE)):
        yield PIECE
    yield PIECE[: size % len(PIECE)]


async def as_json(size: int) -> AsyncIterator[bytes]:
    yield b'{"mediaType": "document", "caption": "\\"base64\\":\\"no\\"", "base64": "'
    async for piece in pieces(size):
        yield base64.b64encode(piece)
    yield b'", "mimetype": "application/pdf"}'


def server(stored: dict[str, int]) -> FastAPI:
    """Meta, Evolution and Storage, as far as one file goes."""
    app = FastAPI()

    @app.get("/v24.0/{size}")
    async def located(size: int, request: Request) -> JSONResponse:
        return JSONResponse({"url": f"{request.base_url}file/{size}", "mime_type": "x/y"})

    @app.get("/file/{size}")
    async def file(size: int) -> StreamingResponse:
        return StreamingResponse(pieces(size))

    @app.post("/chat/getBase64FromMediaMessage/{size}")
    async def decrypted(size: int) -> StreamingResponse:
        return StreamingResponse(as_json(size), status_code=201)

    @app.post("/storage/v1/object/media/{name}")
    async def put(name: str, request: Request) -> JSONResponse:
        hashed, size = sha256(), 0
        async for chunk in request.stream():
            hashed.update(chunk)
            size += len(chunk)
        assert str(size) == request.headers["content-length"]
        assert name == hashed.hexdigest()
        stored[name] = size
        return JSONResponse({"Key": name})

    return app


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="only Linux tells the peak")
@pytest.mark.parametrize("provider", ["meta", "evolution"])
async def test_a_hundred_megabytes_take_a_fraction_of_that(provider: str) -> None:
    stored: dict[str, int] = {}
    async with serving(server(stored)) as url:
        command = [sys.executable, "-m", "tests.messaging.large_file", provider, url, str(LARGE)]
        child = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
        told, _ = await child.communicate()
    assert child.returncode == 0
    result = json.loads(told)
    assert stored[result["digest"]] == LARGE
    assert result["grown_kb"] < ALLOWED_KB, result


def test_what_is_too_large_is_not_read_to_its_end() -> None:
    with Spool(1000) as spool:
        spool.write(b"x" * 1000)
        with pytest.raises(FileTooLarge):
            spool.write(b"x")


@pytest.mark.parametrize("size", [1, 2, 3, 7, 60, 61, 1000])
@pytest.mark.parametrize("length", [1, 2, 3, 100])
def test_the_pieces_of_an_answer_may_be_cut_anywhere(size: int, length: int) -> None:
    content = bytes(range(length))
    told: dict[str, Any] = {"caption": '"base64": "no"', "base64": "", "after": {"base64": "x"}}
    whole = json.dumps(told | {"base64": base64.b64encode(content).decode()}).encode()
    file = BytesIO()
    field = Base64Field(file)
    rest = b"".join(field(whole[at : at + size]) for at in range(0, len(whole), size)) + field(b"")
    assert (file.getvalue(), json.loads(rest), field.is_whole) == (content, told, True)


@pytest.mark.parametrize(
    "answer",
    [b"{}", b'{"base64": ""}', b'{"base64": "eA="}', b'{"base64": "*!!*"}', b'{"base64": "eA=='],
)
def test_an_answer_without_a_whole_file_has_none(answer: bytes) -> None:
    field = Base64Field(BytesIO())
    rest = field(answer) + field(b"")
    assert not field.is_whole
    if answer == b"{}":
        assert rest == answer
