"""Names of buckets and objects: what is refused, and that none of them touches the disk."""

from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import quote
from uuid import UUID

import pytest

from local.stack import Stack
from tests.local.storage_door import Door, door_of, refusal


@pytest.fixture
async def door(league: Stack) -> AsyncIterator[Door]:
    async with door_of(league) as door:
        yield door


REFUSED = [
    "ação.txt",
    "日本",
    "a[1]",
    "a#b",
    "a%b",
    "a\\b",
    "a\nb",
    "a\x00b",
    "a|b",
    "x" * 1025,
    "é",
]
TAKEN = [
    "a b",
    "A-Z_0.9!*'()&$@=;:+,?",
    "a//b",
    "/a",
    "a/",
    "..",
    "../../etc/passwd",
    "a/../../b",
    "./a",
    ".",
    "CON",
    "x" * 1024,
    "/".join("abcdefgh" * 60),
]


@pytest.mark.parametrize("key", REFUSED)
async def test_other_characters_are_refused_everywhere(door: Door, key: str) -> None:
    bucket = await door.bucket()
    path = f"{bucket}/{quote(key, safe='')}"
    for answer in (
        await door.upload(path),
        await door.download(path),
        await door.post(f"/object/sign/{path}", {"expiresIn": 60}),
        await door.http.post(f"/object/upload/sign/{path}", headers=door.service),
    ):
        assert refusal(answer)[:2] + refusal(answer)[4:] == (400, "400", "InvalidKey")
    await door.upload(f"{bucket}/source")
    for verb in ("copy", "move"):
        body = {"bucketId": bucket, "sourceKey": "source", "destinationKey": key}
        assert refusal(await door.post(f"/object/{verb}", body))[4] == "InvalidKey"
    assert (await door.delete(f"/object/{path}")).status_code == 400
    assert (await door.delete(f"/object/{bucket}", {"prefixes": [key]})).status_code < 500
    for route in ("list", "list-v2"):
        assert (await door.post(f"/object/{route}/{bucket}", {"prefix": key})).status_code < 500
    assert await door.names(bucket) == ["source"]


@pytest.mark.parametrize("key", TAKEN)
async def test_a_taken_key_means_itself_only(door: Door, league: Stack, key: str) -> None:
    bucket = await door.bucket()
    # Clients resolve dots that are not encoded.
    path = f"{bucket}/{quote(key, safe='').replace('.', '%2E')}"
    before = outside(league.data)
    answer = await door.upload(path, key.encode())
    assert (answer.status_code, answer.json()["Key"]) == (200, f"{bucket}/{key}")
    assert (await door.download(path)).content == key.encode()
    assert await door.names(bucket) == [key]
    body = {"bucketId": bucket, "sourceKey": key, "destinationKey": "moved"}
    assert (await door.post("/object/move", body)).status_code == 200
    assert (await door.download(f"{bucket}/moved")).content == key.encode()
    assert outside(league.data) == before
    assert all(UUID(file.name) for file in (league.data / "storage").iterdir())


@pytest.mark.parametrize("encoded", ["%2e%2e%2f%2e%2e%2fkeys.json", "..%2fkeys.json", "%2e"])
async def test_encoded_dots_are_a_name_like_any_other(door: Door, encoded: str) -> None:
    bucket = await door.bucket()
    assert refusal(await door.download(f"{bucket}/{encoded}"))[4] == "NoSuchKey"
    assert refusal(await door.download(f"{bucket}/%c0%ae%c0%ae"))[4] == "InvalidKey"


@pytest.mark.parametrize("name", ["", " a", "a ", "a/b", "ação", "a\x00b", "x" * 101, "a--iceberg"])
async def test_buckets_have_names_too(door: Door, name: str) -> None:
    expected = (400, "400", "Invalid Input", "Bucket name invalid", "InvalidBucketName")
    assert refusal(await door.post("/bucket", {"name": name})) == expected
    assert refusal(await door.post("/bucket", {"name": "fine", "id": f"{name}/"})) == expected
    path = quote(name, safe="")
    for answer in (
        await door.http.get(f"/bucket/{path}", headers=door.service),
        await door.upload(f"{path}/a"),
        await door.download(f"{path}/a"),
        await door.post(f"/object/list/{path}", {"prefix": ""}),
    ):
        assert 200 <= answer.status_code < 500


def outside(data: Path) -> set[str]:
    """Everything in the stack's folder but the database, the logs and the stored bytes."""
    return {path.name for path in data.iterdir()} | {path.name for path in data.parent.iterdir()}
