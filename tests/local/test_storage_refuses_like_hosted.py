"""The error table of /storage/v1: HTTP status, statusCode, error, message and code."""

import base64
from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import pytest

from local.stack import Stack
from tests.local.storage_door import Door, door_of, refusal

MISSING_OBJECT = (400, "404", "not_found", "Object not found", "NoSuchKey")
MISSING_BUCKET = (400, "404", "Bucket not found", "Bucket not found", "NoSuchBucket")
DUPLICATE = (400, "409", "Duplicate", "The resource already exists")
TOO_LARGE = (
    400,
    "413",
    "Payload too large",
    "The object exceeded the maximum allowed size",
    "EntityTooLarge",
)
DENIED = (
    400,
    "403",
    "Unauthorized",
    "new row violates row-level security policy",
    "AccessDenied",
)


@pytest.fixture
async def door(league: Stack) -> AsyncIterator[Door]:
    async with door_of(league) as door:
        yield door


async def test_what_is_not_there_is_not_found(door: Door) -> None:
    bucket = await door.bucket()
    for path in (f"{bucket}/none", f"authenticated/{bucket}/none", f"info/{bucket}/none"):
        assert refusal(await door.download(path)) == MISSING_OBJECT
    sign = await door.post(f"/object/sign/{bucket}/none", {"expiresIn": 60})
    assert refusal(sign) == MISSING_OBJECT
    assert refusal(await door.delete(f"/object/{bucket}/none")) == MISSING_OBJECT
    for verb in ("copy", "move"):
        body = {"bucketId": bucket, "sourceKey": "none", "destinationKey": "other"}
        assert refusal(await door.post(f"/object/{verb}", body)) == MISSING_OBJECT
    for answer in (
        await door.http.get("/bucket/none", headers=door.service),
        await door.http.put("/bucket/none", json={"public": True}, headers=door.service),
        await door.delete("/bucket/none"),
        await door.post("/bucket/none/empty", {}),
        await door.upload("none/a.txt"),
        await door.download("none/a.txt"),
    ):
        assert refusal(answer) == MISSING_BUCKET


async def test_names_are_given_once(door: Door) -> None:
    bucket = await door.bucket()
    again = await door.post("/bucket", {"name": bucket})
    assert refusal(again) == (*DUPLICATE, "BucketAlreadyExists")
    assert (await door.upload(f"{bucket}/a")).status_code == 200
    assert (await door.upload(f"{bucket}/b")).status_code == 200
    assert refusal(await door.upload(f"{bucket}/a")) == (*DUPLICATE, "KeyAlreadyExists")
    body = {"bucketId": bucket, "sourceKey": "a", "destinationKey": "b"}
    assert refusal(await door.post("/object/copy", body)) == (*DUPLICATE, "KeyAlreadyExists")
    assert refusal(await door.post("/object/move", body)) == (*DUPLICATE, "ResourceAlreadyExists")
    assert (await door.upload(f"{bucket}/a", b"new", x_upsert="true")).status_code == 200
    assert (await door.download(f"{bucket}/a")).content == b"new"


async def test_limits_of_the_bucket_hold_for_every_kind_of_body(door: Door) -> None:
    bucket = await door.bucket(file_size_limit="1kb", allowed_mime_types=["text/*", "image/png"])
    assert refusal(await door.upload(f"{bucket}/a", b"x" * 1001)) == TOO_LARGE

    async def unannounced() -> AsyncIterator[bytes]:
        yield b"x" * 600
        yield b"x" * 600

    assert refusal(await door.upload(f"{bucket}/a", unannounced())) == TOO_LARGE
    form = {"file": ("a.txt", b"x" * 1001, "text/plain")}
    answer = await door.http.post(f"/object/{bucket}/a", files=form, headers=door.service)
    assert refusal(answer) == TOO_LARGE
    wrong = (415, "invalid_mime_type", "mime type image/jpeg is not supported", "InvalidMimeType")
    answer = await door.upload(f"{bucket}/a", content_type="image/jpeg")
    assert refusal(answer) == (400, str(wrong[0]), *wrong[1:])
    form = {"file": ("a.jpg", b"x", "image/jpeg")}
    answer = await door.http.post(f"/object/{bucket}/a", files=form, headers=door.service)
    assert refusal(answer) == (400, str(wrong[0]), *wrong[1:])
    assert await door.names(bucket) == []
    assert (await door.upload(f"{bucket}/a", b"x" * 1000)).status_code == 200
    assert (await door.upload(f"{bucket}/b", content_type="image/png")).status_code == 200


async def test_a_bucket_with_objects_is_not_deleted(door: Door) -> None:
    bucket = await door.bucket()
    await door.upload(f"{bucket}/a")
    message = "The bucket you tried to delete is not empty"
    expected = (400, "409", "ResourceNotEmpty", message, "ResourceNotEmpty")
    assert refusal(await door.delete(f"/bucket/{bucket}")) == expected
    answer = await door.http.post(f"/bucket/{bucket}/empty", headers=door.service)
    assert (answer.status_code, list(answer.json())) == (200, ["message"])
    deleted = await door.delete(f"/bucket/{bucket}")
    assert deleted.json() == {"message": "Successfully deleted"}


async def test_tokens_are_asked_for_and_looked_at(door: Door) -> None:
    bucket = await door.bucket()
    message = "headers must have required property 'authorization'"
    expected = (400, "400", "Error", message, "InvalidRequest")
    assert refusal(await door.http.get("/bucket")) == expected
    upload = await door.http.post(f"/object/{bucket}/a", content=b"x")
    assert refusal(upload) == expected
    damaged = {"authorization": "Bearer not-a-jwt"}
    expected = (400, "403", "Unauthorized", "Invalid Compact JWS", "AccessDenied")
    assert refusal(await door.http.get("/bucket", headers=damaged)) == expected
    old = door.keys.sign_user_token({"role": "authenticated", "exp": 1})
    message = '"exp" claim timestamp check failed'
    expected = (400, "403", "Unauthorized", message, "AccessDenied")
    stale = {"authorization": f"Bearer {old}"}
    assert refusal(await door.http.get("/bucket", headers=stale)) == expected
    role = door.keys.sign_user_token({"role": "nobody", "exp": 2**33})
    unknown = {"authorization": f"Bearer {role}"}
    assert refusal(await door.http.get("/bucket", headers=unknown))[1:3] == ("403", "Unauthorized")


async def test_opaque_keys_open_it_with_and_without_the_apikey_header(door: Door) -> None:
    for key, seen in ((door.keys.secret_key, True), (door.keys.publishable_key, False)):
        bucket = await door.bucket()
        for headers in ({"apikey": key}, {"authorization": f"Bearer {key}"}):
            answer = await door.http.get("/bucket", headers=headers)
            assert (bucket in [found["id"] for found in answer.json()]) is seen
    wrong = {"authorization": "Bearer sb_secret_x"}
    assert (await door.http.get("/bucket", headers=wrong)).status_code == 401


async def test_only_the_service_empties_a_bucket(door: Door) -> None:
    bucket = await door.bucket()
    answer = await door.http.post(f"/bucket/{bucket}/empty", headers=door.anonymous)
    message = "Access denied: Invalid role"
    assert refusal(answer) == (403, "403", "Unauthorized", message, "AccessDenied")


async def test_without_a_policy_nothing_is_written(door: Door) -> None:
    bucket = await door.bucket()
    assert refusal(await door.upload(f"{bucket}/a", who=door.anonymous)) == DENIED
    made = await door.http.post("/bucket", json={"name": "x"}, headers=door.anonymous)
    assert refusal(made) == DENIED
    sign = await door.post(f"/object/upload/sign/{bucket}/a", {}, door.anonymous)
    assert refusal(sign) == DENIED


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/bucket", {}),
        ("/bucket", {"name": 5}),
        ("/bucket", []),
        ("/bucket", {"name": "a", "file_size_limit": "much"}),
        ("/object/list/b", {}),
        ("/object/list/b", {"prefix": "", "limit": 0}),
        ("/object/list/b", {"prefix": "", "sortBy": {"column": "id"}}),
        ("/object/list-v2/b", {"limit": -1}),
        ("/object/list-v2/b", {"cursor": "not a cursor"}),
        ("/object/sign/b", {"expiresIn": 1, "paths": []}),
        ("/object/sign/b", {"expiresIn": 1, "paths": ["a"] * 1001}),
        ("/object/sign/b/k", {"expiresIn": 0}),
        ("/object/sign/b/k", {}),
        ("/object/copy", {"bucketId": "b"}),
        ("/object/move", {"bucketId": "b", "sourceKey": "a"}),
    ],
)
async def test_a_body_of_the_wrong_shape_is_400(door: Door, path: str, body: Any) -> None:
    answer = await door.post(path, body)
    assert refusal(answer)[:2] == (400, "400")


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/bucket", {"name": "b", "file_size_limit": "9" * 5000 + "gb"}),
        ("/bucket", {"name": "b", "file_size_limit": 10**30}),
        ("/object/list/b", {"prefix": "", "offset": 2**63}),
        ("/object/list/b", {"prefix": "\x00"}),
        ("/object/copy", {"bucketId": "b", "sourceKey": "\x00", "destinationKey": "a"}),
    ],
)
async def test_values_out_of_bounds_are_400(door: Door, path: str, body: Any) -> None:
    assert refusal(await door.post(path, body))[0] == 400


@pytest.mark.parametrize(
    ("name", "value", "status"),
    [
        ("x-metadata", "%%%", 200),
        ("x-metadata", base64.b64encode(b"[" * 900).decode(), 200),
        ("x-metadata", base64.b64encode(b'{"a":' * 400 + b"1" + b"}" * 400).decode(), 200),
        ("x-metadata", base64.b64encode(b'{"a":"\\u0000"}').decode(), 400),
        ("x-robots-tag", "a:" * 900 + "b", 400),
        ("content-type", "text", 400),
        ("content-type", "multipart/form-data; boundary=" + "b" * 5000, 400),
        ("content-type", "multipart/form-data; boundary=", 400),
    ],
)
async def test_headers_of_uploads_never_fail_it(
    door: Door, name: str, value: str, status: int
) -> None:
    bucket = await door.bucket()
    answer = await door.upload(f"{bucket}/a", b"hello", None, **{name: value})
    assert answer.status_code == status, answer.text


async def test_lists_of_keys_have_a_length(door: Door) -> None:
    answer = await door.delete("/object/b", {"prefixes": ["a"] * 1001})
    message = "Bulk object requests are limited to 1000 objects per request."
    assert refusal(answer) == (400, "400", "InvalidRequest", message, "InvalidRequest")
    assert (await door.delete("/object/b", {"prefixes": ["a"] * 1000})).json() == []


async def test_a_form_without_a_whole_file_is_no_upload(door: Door) -> None:
    bucket = await door.bucket()
    form = {"content-type": "multipart/form-data; boundary=b", **door.service}
    head = b'--b\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n'
    for body in (
        b"",
        b"--b--\r\n",
        head + b"half",
        head + b"x" * 2_000_000,
        b'--b\r\nContent-Disposition: form-data; name="a"\r\n\r\n1\r\n--b--\r\n',
        b"no form at all",
    ):
        answer = await door.http.post(f"/object/{bucket}/a", content=body, headers=form)
        assert refusal(answer)[:3] == (400, "400", "InvalidRequest")
    bare = {**form, "content-type": "multipart/form-data"}
    answer = await door.http.post(f"/object/{bucket}/a", content=head, headers=bare)
    assert refusal(answer)[:3] == (400, "400", "InvalidRequest")
    assert await door.names(bucket) == []


async def test_what_is_left_out_says_so(door: Door) -> None:
    for path in ("upload/resumable", "s3/bucket", "render/image/public/b/k", "vector/x", "iceberg"):
        answer = await door.http.post(f"/{path}", headers=door.service)
        assert refusal(answer)[:3] == (501, "501", "not_implemented")
        assert "not served by the local gateway" in answer.json()["message"]
    nowhere = await door.http.get("/nowhere", headers=door.service)
    assert refusal(nowhere)[:3] == (404, "404", "Not Found")


async def test_rows_leave_only_through_the_service(door: Door, database: asyncpg.Pool) -> None:
    bucket = await door.bucket()
    await door.upload(f"{bucket}/a")
    for table, column in (("objects", "bucket_id"), ("buckets", "id")):
        with pytest.raises(asyncpg.InsufficientPrivilegeError, match="Use the Storage API instead"):
            await database.execute(f"delete from storage.{table} where {column} = $1", bucket)
    assert (await door.download(f"{bucket}/a")).status_code == 200


async def test_a_row_without_bytes_is_not_found(door: Door, database: asyncpg.Pool) -> None:
    bucket = await door.bucket()
    for number, version in enumerate((None, "../keys.json", "/etc/passwd")):
        await database.execute(
            "insert into storage.objects (bucket_id, name, version) values ($1, $2, $3)",
            bucket,
            str(number),
            version,
        )
        answer = await door.download(f"{bucket}/{number}")
        message = "The resource was not found"
        assert refusal(answer) == (400, "404", "Not found", message, "NoSuchKey")
        body = {"bucketId": bucket, "sourceKey": str(number), "destinationKey": f"c{number}"}
        assert refusal(await door.post("/object/copy", body))[4] == "NoSuchKey"
        assert (await door.delete(f"/object/{bucket}/{number}")).status_code == 200
