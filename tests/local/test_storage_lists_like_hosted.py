"""Both ways to list a bucket: folders, orders, pages, and what is a wildcard (nothing)."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from local.stack import Stack
from tests.local.storage_door import Door, door_of

KEYS = ["B.txt", "a.txt", "a/2", "a/1", "a/deep/x", "a_b/z", "ab/z", "c%/y", "Z/y", "c.txt"]


@pytest.fixture
async def door(league: Stack) -> AsyncIterator[Door]:
    async with door_of(league) as door:
        yield door


@pytest.fixture
async def bucket(door: Door) -> str:
    name = await door.bucket()
    for key in [key for key in KEYS if "%" not in key]:
        assert (await door.upload(f"{name}/{key}")).status_code == 200
    return name


async def v1(door: Door, bucket: str, prefix: str = "", **more: Any) -> list[str]:
    answer = await door.post(f"/object/list/{bucket}", {"prefix": prefix, **more})
    assert answer.status_code == 200, answer.text
    return [found["name"] for found in answer.json()]


async def pages(door: Door, bucket: str, limit: int, **query: Any) -> list[str]:
    """All entries of list-v2, folders and objects of each page as they come."""
    entries: list[str] = []
    cursor: dict[str, str] = {}
    while True:
        body = {"limit": limit, **query, **cursor}
        page = (await door.post(f"/object/list-v2/{bucket}", body)).json()
        found = [entry["name"] for entry in (*page["folders"], *page["objects"])]
        assert len(found) <= limit
        entries += found
        if not page["hasNext"]:
            assert "nextCursor" not in page
            return entries
        cursor = {"cursor": page["nextCursor"]}


async def test_v1_lists_one_folder_without_regard_to_case(door: Door, bucket: str) -> None:
    everything = ["a.txt", "a", "a_b", "ab", "B.txt", "c.txt", "Z"]
    listed = await v1(door, bucket)
    assert sorted(listed) == sorted(everything)
    assert [name for name in listed if name.endswith(".txt")] == ["a.txt", "B.txt", "c.txt"]
    assert await v1(door, bucket, sortBy={"column": "name", "order": "desc"}) == listed[::-1]
    assert await v1(door, bucket, "a") == ["1", "2", "deep"]
    assert await v1(door, bucket, "A/") == ["1", "2", "deep"]
    assert await v1(door, bucket, "a/deep") == ["x"]
    assert await v1(door, bucket, "none") == []
    assert await v1(door, bucket, limit=2, offset=1) == listed[1:3]


async def test_v1_searches_the_start_of_names(door: Door, bucket: str) -> None:
    assert await v1(door, bucket, search="b") == ["B.txt"]
    assert await v1(door, bucket, search="a_") == ["a_b"]
    assert await v1(door, bucket, search="%") == []
    assert await v1(door, bucket, "a", search="de") == ["deep"]
    assert await v1(door, bucket, "a", search="deep/") == ["deep/x"]
    by_time = {"column": "created_at", "order": "desc"}
    assert await v1(door, bucket, search="a_", sortBy=by_time) == ["a_b"]


async def test_v1_sorts_by_time_with_folders_first(door: Door, bucket: str) -> None:
    listed = await v1(door, bucket, sortBy={"column": "created_at", "order": "asc"})
    assert listed == ["a", "a_b", "ab", "Z", "B.txt", "a.txt", "c.txt"]
    await door.upload(f"{bucket}/B.txt", b"new", x_upsert="true")
    listed = await v1(door, bucket, sortBy={"column": "updated_at", "order": "desc"})
    assert listed[4:] == ["B.txt", "c.txt", "a.txt"]


async def test_v1_shows_objects_in_full_and_folders_with_nulls(door: Door, bucket: str) -> None:
    answer = await door.post(f"/object/list/{bucket}", {"prefix": ""})
    entries = {found["name"]: found for found in answer.json()}
    assert set(entries["a"].values()) == {"a", None}
    shown = entries["a.txt"]
    assert set(shown) == {
        "name", "id", "updated_at", "created_at", "last_accessed_at", "metadata"
    }  # fmt: skip
    assert set(shown["metadata"]) == {
        "eTag", "size", "mimetype", "cacheControl", "lastModified", "contentLength",
        "httpStatusCode",
    }  # fmt: skip
    assert shown["created_at"].endswith("Z")


@pytest.mark.parametrize("column", ["name", "created_at", "updated_at"])
@pytest.mark.parametrize("order", ["asc", "desc"])
@pytest.mark.parametrize("folded", [False, True])
async def test_v2_pages_hold_each_entry_once(
    door: Door, bucket: str, column: str, order: str, folded: bool
) -> None:
    query = {"sortBy": {"column": column, "order": order}, "with_delimiter": folded}
    whole = await pages(door, bucket, 1000, **query)
    assert len(whole) == len(set(whole)) == (7 if folded else 9)
    for limit in (1, 2, 5):
        assert sorted(await pages(door, bucket, limit, **query)) == sorted(whole)
    if not folded:
        assert await pages(door, bucket, 2, **query) == whole


async def test_v2_folds_at_the_level_of_the_prefix(door: Door, bucket: str) -> None:
    body = {"prefix": "a/", "with_delimiter": True}
    page = (await door.post(f"/object/list-v2/{bucket}", body)).json()
    assert set(page) == {"hasNext", "folders", "objects"}
    assert [(found["key"], found["name"]) for found in page["folders"]] == [("deep", "a/deep/")]
    assert [(found["key"], found["name"]) for found in page["objects"]] == [
        ("1", "a/1"),
        ("2", "a/2"),
    ]
    assert await door.names(bucket, prefix="a_") == ["a_b/z"]
    assert await door.names(bucket, prefix="A") == []
    whole = await door.names(bucket)
    assert whole == sorted(whole)
