"""Reading objects: ranges, conditions, headers, forms, and the copies that share bytes."""

import asyncio
import base64
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from uuid import uuid4

import asyncpg
import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.routing import Route

from local.gateway.storage.download import content
from local.stack import Stack
from tests.local.storage_door import Door, door_of, refusal

TEXT = b"0123456789"


@pytest.fixture
async def door(league: Stack) -> AsyncIterator[Door]:
    async with door_of(league) as door:
        yield door


@pytest.fixture
async def path(door: Door) -> str:
    """Ten bytes."""
    bucket = await door.bucket()
    answer = await door.upload(f"{bucket}/ten.txt", TEXT, cache_control="max-age=60")
    assert set(answer.json()) == {"Key", "Id"}
    return f"{bucket}/ten.txt"


@pytest.mark.parametrize(
    ("asked", "expected", "place"),
    [
        ("bytes=0-0", b"0", "0-0"),
        ("bytes=2-4", b"234", "2-4"),
        ("bytes=7-", b"789", "7-9"),
        ("bytes=-3", b"789", "7-9"),
        ("bytes=-99", TEXT, "0-9"),
        ("bytes=5-99", b"56789", "5-9"),
    ],
)
async def test_a_range_is_206(
    door: Door, path: str, asked: str, expected: bytes, place: str
) -> None:
    answer = await door.download(path, range=asked)
    assert (answer.status_code, answer.content) == (206, expected)
    assert answer.headers["content-range"] == f"bytes {place}/10"
    assert answer.headers["content-length"] == str(len(expected))


@pytest.mark.parametrize(
    "asked", ["bytes=10-", "bytes=5-2", "bytes=-", "bytes=-0", "bytes=0-1,3-4", "lines=1-2", "x"]
)
async def test_a_range_it_does_not_have_is_416(door: Door, path: str, asked: str) -> None:
    answer = await door.download(path, range=asked)
    expected = (416, "416", "invalid_range", "invalid range provided", "InvalidRange")
    assert refusal(answer) == expected
    assert answer.headers["content-range"] == "bytes */10"


async def test_an_empty_object_has_no_range(door: Door) -> None:
    bucket = await door.bucket()
    await door.upload(f"{bucket}/empty", b"")
    assert (await door.download(f"{bucket}/empty")).content == b""
    assert (await door.download(f"{bucket}/empty", range="bytes=0-")).status_code == 416


async def test_headers_tell_what_is_stored(door: Door, path: str) -> None:
    got = await door.download(path)
    head = await door.http.head(f"/object/{path}", headers=door.service)
    for answer in (got, head):
        assert answer.status_code == 200
        headers = answer.headers
        assert headers["etag"] == '"781e5e245d69b566979b86e28d23f2c7"'
        assert headers["cache-control"] == "max-age=60"
        assert headers["content-type"] == "text/plain"
        assert headers["content-length"] == "10"
        assert headers["accept-ranges"] == "bytes"
        assert headers["x-robots-tag"] == "none"
        assert headers["last-modified"].endswith("GMT")
    assert (got.content, head.content) == (TEXT, b"")


async def test_what_a_client_has_is_304(door: Door, path: str) -> None:
    known = (await door.download(path)).headers
    for condition in (
        {"if_none_match": known["etag"]},
        {"if_none_match": f'"other", W/{known["etag"]}'},
        {"if_none_match": "*"},
        {"if_modified_since": known["last-modified"]},
    ):
        answer = await door.download(path, **condition)
        assert (answer.status_code, answer.content) == (304, b"")
        assert answer.headers["etag"] == known["etag"]
    for condition in (
        {"if_none_match": '"other"', "if_modified_since": known["last-modified"]},
        {"if_modified_since": "Mon, 01 Jan 2024 00:00:00 GMT"},
        {"if_modified_since": "yesterday"},
    ):
        assert (await door.download(path, **condition)).status_code == 200


async def test_download_names_the_file(door: Door, path: str) -> None:
    for query, expected in (
        ("", None),
        ("?download", "attachment;"),
        ("?download=", "attachment;"),
        ("?download=a.txt", "attachment; filename=a.txt; filename*=UTF-8''a.txt"),
        (
            "?download=ol%C3%A1%20%22%0A.txt",
            "attachment; filename=ol%C3%A1%20%22%0A.txt; filename*=UTF-8''ol%C3%A1%20%22%0A.txt",
        ),
    ):
        answer = await door.download(path + query)
        assert answer.headers.get("content-disposition") == expected


async def test_pages_are_shown_as_text(door: Door) -> None:
    bucket = await door.bucket()
    await door.upload(f"{bucket}/page", b"<script>", content_type="text/html")
    assert (await door.download(f"{bucket}/page")).headers["content-type"] == "text/plain"


async def test_public_buckets_need_no_token_and_private_ones_do(door: Door) -> None:
    public, private = await door.bucket(public=True), await door.bucket()
    for bucket in (public, private):
        await door.upload(f"{bucket}/a", TEXT)
    for route in ("object/public", "object", "object/info", "object/info/public"):
        assert (await door.http.get(f"/{route}/{public}/a")).status_code == 200
        assert refusal(await door.http.get(f"/{route}/{private}/a"))[4] == "NoSuchBucket"
        assert (await door.http.head(f"/{route}/{public}/a")).status_code == 200
        assert (await door.http.head(f"/{route}/{private}/a")).status_code == 400
    known = await door.http.get(f"/object/public/{private}/a", headers=door.service)
    assert refusal(known)[4] == "NoSuchBucket"


async def test_a_form_says_more_than_its_file(door: Door) -> None:
    bucket = await door.bucket()
    first = {"cacheControl": "3600", "metadata": '{"note":"olá"}'}
    form: dict[str, Any] = {"file": ("a.bin", TEXT, "application/x-ten")}
    answer = await door.http.post(
        f"/object/{bucket}/form", data=first, files=form, headers=door.service
    )
    assert answer.status_code == 200, answer.text
    info = (await door.download(f"info/{bucket}/form")).json()
    assert info["content_type"] == "application/x-ten"
    assert (info["cache_control"], info["metadata"]) == ("max-age=3600", {"note": "olá"})
    assert set(info) == {
        "id", "name", "version", "bucket_id", "size", "content_type", "cache_control", "etag",
        "metadata", "last_modified", "created_at",
    }  # fmt: skip
    after = '\r\n--b\r\nContent-Disposition: form-data; name="contentType"\r\n\r\nimage/gif\r\n'
    body = f'--b\r\nContent-Disposition: form-data; name=""; filename="f"\r\n\r\nGIF{after}--b--'
    headers = {**door.service, "content-type": "multipart/form-data; boundary=b"}
    await door.http.post(f"/object/{bucket}/late", content=body.encode(), headers=headers)
    late = await door.download(f"{bucket}/late")
    assert (late.headers["content-type"], late.content) == ("image/gif", b"GIF")


async def test_copies_have_their_own_life(door: Door, path: str) -> None:
    bucket, other = path.split("/")[0], await door.bucket()
    metadata = {"x-metadata": base64.b64encode(b'{"copied":true}').decode()}
    body = {
        "bucketId": bucket,
        "sourceKey": "ten.txt",
        "destinationBucket": other,
        "destinationKey": "copy",
        "copyMetadata": False,
        "metadata": {"mimetype": "image/gif"},
    }
    copied = await door.post("/object/copy", body, {**door.service, **metadata})
    assert (copied.status_code, copied.json()["Key"]) == (200, f"{other}/copy")
    assert copied.json()["user_metadata"] == {"copied": True}
    assert (await door.delete(f"/object/{path}")).status_code == 200
    kept = await door.download(f"{other}/copy")
    assert (kept.content, kept.headers["content-type"]) == (TEXT, "image/gif")
    assert kept.headers["cache-control"] == "max-age=60"


async def test_replaced_bytes_are_never_mixed_and_never_left(
    door: Door, league: Stack, path: str, database: asyncpg.Pool
) -> None:
    """Writers and readers of one object at once: each read is one of the written bodies."""
    bodies = [bytes([65 + number]) * 300_000 for number in range(6)]
    await door.upload(path, bodies[0], x_upsert="true")

    async def write(body: bytes) -> httpx.Response:
        return await door.upload(path, body, x_upsert="true")

    answers = await asyncio.gather(
        *(write(body) for body in bodies), *(door.download(path) for _ in range(24))
    )
    assert {answer.status_code for answer in answers} == {200}
    assert {answer.content for answer in answers[6:]} <= set(bodies)
    rows = await database.fetch("select version from storage.objects")
    assert {file.name for file in (league.data / "storage").iterdir()} == {
        row["version"] for row in rows if row["version"]
    }


async def test_a_reader_whom_a_writer_overtakes_gets_what_is_there(tmp_path: Path) -> None:
    """The file goes between reading the row and opening it: the row is read again."""
    gone, there = str(uuid4()), str(uuid4())
    (tmp_path / there).write_bytes(TEXT)
    seen = [gone, there]

    async def access(request: Request) -> Any:
        return {"version": seen.pop(0), "metadata": None, "updated_at": datetime.now(UTC)}

    app = Starlette(routes=[Route("/", content(access))])
    app.state.gateway = SimpleNamespace(storage_folder=tmp_path)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://a") as http:
        assert (await http.get("/")).content == TEXT


async def test_of_two_uploads_without_upsert_one_wins(door: Door) -> None:
    bucket = await door.bucket()
    answers = await asyncio.gather(*(door.upload(f"{bucket}/a", b"x" * 99_999) for _ in range(6)))
    assert sorted(answer.status_code for answer in answers) == [200, *[400] * 5]
    assert {refusal(a)[4] for a in answers if a.status_code != 200} == {"KeyAlreadyExists"}


async def test_what_no_header_may_have_is_refused(door: Door, path: str) -> None:
    bucket = path.split("/")[0]
    body = {"bucketId": bucket, "sourceKey": "ten.txt", "destinationKey": "bad"}
    evil = {"copyMetadata": False, "metadata": {"mimetype": "a/b\r\nset-cookie: x=y"}}
    assert (await door.post("/object/copy", {**body, **evil})).status_code == 200
    answer = await door.download(f"{bucket}/bad")
    assert refusal(answer)[:3] == (400, "400", "invalid_header_char")
    assert "set-cookie" not in answer.headers


async def test_robots_are_told_what_the_uploader_says(door: Door) -> None:
    bucket = await door.bucket()
    rules = "noindex, max-snippet: 5, googlebot: none, unavailable_after: 25 Jun 2030 15:00:00 GMT"
    assert (await door.upload(f"{bucket}/a", x_robots_tag=rules)).status_code == 200
    assert (await door.download(f"{bucket}/a")).headers["x-robots-tag"] == rules
    for wrong in ("invalidrule", "noindex,,none", "max-snippet: x", "unavailable_after: soon"):
        answer = await door.upload(f"{bucket}/b", x_robots_tag=wrong)
        assert refusal(answer)[:3] == (400, "400", "invalid_x_robots_tag")
