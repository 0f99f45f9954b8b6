"""Row level security on storage.objects: each user has a drawer, and nobody opens another's."""

import asyncio
from collections.abc import AsyncIterator
from uuid import uuid4

import asyncpg
import httpx
import pytest

from local.stack import Stack
from tests.fixtures import until
from tests.local.storage_door import Door, Headers, door_of, refusal

BUCKET = "drawers"
OWN = f"bucket_id = '{BUCKET}' and (storage.foldername(name))[1] = (select auth.uid()::text)"
POLICIES = f"""
insert into storage.buckets (id, name) values ('{BUCKET}', '{BUCKET}') on conflict do nothing;
create policy drawer_read on storage.objects for select to authenticated using ({OWN});
create policy drawer_insert on storage.objects for insert to authenticated with check ({OWN});
create policy drawer_update on storage.objects for update to authenticated using ({OWN});
create policy drawer_delete on storage.objects for delete to authenticated using ({OWN});
create policy showcase_list on storage.objects for select to anon
  using (bucket_id = '{BUCKET}' and storage.allow_only_operation('object.list'));
"""
NAMES = ("drawer_read", "drawer_insert", "drawer_update", "drawer_delete", "showcase_list")


@pytest.fixture
async def door(league: Stack, migrator: asyncpg.Pool) -> AsyncIterator[Door]:
    """The policies are made by the role that runs migrations."""
    await migrator.execute(POLICIES)
    async with door_of(league) as door:
        yield door
    for name in NAMES:
        await migrator.execute(f"drop policy {name} on storage.objects")


@pytest.fixture
async def ana(door: Door) -> tuple[str, Headers]:
    """A user with one object: its key, and her token."""
    user_id = str(uuid4())
    key = f"{user_id}/diary.txt"
    answer = await door.upload(f"{BUCKET}/{key}", b"dear diary", door.user(user_id))
    assert answer.status_code == 200, answer.text
    return key, door.user(user_id)


async def attempts(door: Door, key: str, who: Headers) -> dict[str, httpx.Response]:
    """Everything that one can try with an object that is there."""
    path = f"{BUCKET}/{key}"
    own = {"bucketId": BUCKET, "sourceKey": key, "destinationKey": f"{uuid4()}/stolen"}
    onto = {"bucketId": BUCKET, "sourceKey": "mine", "destinationKey": key}
    return {
        "read": await door.http.get(f"/object/{path}", headers=who),
        "read authenticated": await door.http.get(f"/object/authenticated/{path}", headers=who),
        "read public": await door.http.get(f"/object/public/{path}", headers=who),
        "info": await door.http.get(f"/object/info/{path}", headers=who),
        "head": await door.http.head(f"/object/{path}", headers=who),
        "sign": await door.post(f"/object/sign/{path}", {"expiresIn": 60}, who),
        "sign upload": await door.http.post(
            f"/object/upload/sign/{path}", headers={**who, "x-upsert": "true"}
        ),
        "upload": await door.upload(path, b"mine", who),
        "overwrite": await door.upload(path, b"mine", who, x_upsert="true"),
        "put": await door.http.put(f"/object/{path}", content=b"mine", headers=who),
        "copy": await door.post("/object/copy", own, who),
        "move": await door.post("/object/move", own, who),
        "copy onto": await door.post("/object/copy", onto, {**who, "x-upsert": "true"}),
        "delete": await door.delete(f"/object/{path}", who=who),
    }


async def test_a_stranger_gets_nowhere(door: Door, ana: tuple[str, Headers]) -> None:
    key, token = ana
    before = await door.http.get(f"/object/info/{BUCKET}/{key}", headers=token)
    for who in (door.user(str(uuid4())), door.anonymous):
        for what, answer in (await attempts(door, key, who)).items():
            assert answer.status_code == 400, what
            assert b"dear diary" not in answer.content
        batch = {"expiresIn": 60, "paths": [key]}
        signed = (await door.post(f"/object/sign/{BUCKET}", batch, who)).json()
        assert (signed[0]["signedURL"], bool(signed[0]["error"])) == (None, True)
        removed = await door.delete(f"/object/{BUCKET}", {"prefixes": [key]}, who)
        assert (removed.status_code, removed.json()) == (200, [])
    after = await door.http.get(f"/object/info/{BUCKET}/{key}", headers=token)
    assert (after.status_code, after.json()) == (200, before.json())


async def test_lists_show_ones_own(door: Door, ana: tuple[str, Headers]) -> None:
    key, token = ana
    folder = key.split("/")[0]
    for who, expected in ((token, ["diary.txt"]), (door.user(str(uuid4())), [])):
        v1 = await door.post(f"/object/list/{BUCKET}", {"prefix": folder}, who)
        assert [found["name"] for found in v1.json()] == expected
        v2 = await door.post(f"/object/list-v2/{BUCKET}", {"prefix": folder}, who)
        assert len(v2.json()["objects"]) == len(expected)


async def test_an_owner_may_do_it_all(door: Door, ana: tuple[str, Headers]) -> None:
    key, token = ana
    folder, path = key.split("/")[0], f"{BUCKET}/{key}"
    assert (await door.http.get(f"/object/{path}", headers=token)).content == b"dear diary"
    again = await door.upload(path, b"page two", token, x_upsert="true")
    assert again.status_code == 200
    for verb, source, target in (("copy", key, "copy"), ("move", f"{folder}/copy", "moved")):
        body = {"bucketId": BUCKET, "sourceKey": source, "destinationKey": f"{folder}/{target}"}
        assert (await door.post(f"/object/{verb}", body, token)).status_code == 200
    moved = await door.http.get(f"/object/{BUCKET}/{folder}/moved", headers=token)
    assert moved.content == b"page two"
    link = await door.post(f"/object/sign/{path}", {"expiresIn": 60}, token)
    assert (await door.http.get(link.json()["signedURL"])).content == b"page two"
    keys = [f"{folder}/moved", key]
    removed = (await door.delete(f"/object/{BUCKET}", {"prefixes": keys}, token)).json()
    assert sorted(row["name"] for row in removed) == sorted(keys)
    assert {row["owner_id"] for row in removed} == {folder}


async def test_an_object_does_not_leave_ones_drawer(door: Door, ana: tuple[str, Headers]) -> None:
    key, token = ana
    for verb in ("copy", "move"):
        body = {"bucketId": BUCKET, "sourceKey": key, "destinationKey": f"{uuid4()}/there"}
        denied = await door.post(f"/object/{verb}", body, token)
        message = "new row violates row-level security policy"
        assert refusal(denied) == (400, "403", "Unauthorized", message, "AccessDenied")


async def test_a_policy_may_allow_one_operation(door: Door, ana: tuple[str, Headers]) -> None:
    key, _ = ana
    folder, name = key.split("/")
    listed = await door.post(f"/object/list/{BUCKET}", {"prefix": folder}, door.anonymous)
    assert [found["name"] for found in listed.json()] == [name]
    read = await door.http.get(f"/object/{BUCKET}/{key}", headers=door.anonymous)
    assert refusal(read)[4] == "NoSuchKey"


async def test_rights_that_end_during_an_upload_end_it(
    door: Door, ana: tuple[str, Headers], migrator: asyncpg.Pool, league: Stack
) -> None:
    key, token = ana
    folder, before = league.data / "storage", len(list((league.data / "storage").iterdir()))
    ended = asyncio.Event()

    async def body() -> AsyncIterator[bytes]:
        yield b"half"
        await ended.wait()
        yield b"done"

    path = f"{BUCKET}/{key.split('/')[0]}/late"
    upload = asyncio.create_task(door.upload(path, body(), token))

    async def begun() -> bool:
        return len(list(folder.iterdir())) > before

    await until(begun, what="the upload was allowed")
    await migrator.execute("alter policy drawer_insert on storage.objects with check (false)")
    ended.set()
    message = "new row violates row-level security policy"
    assert refusal(await upload) == (400, "403", "Unauthorized", message, "AccessDenied")
    assert len(list(folder.iterdir())) == before


async def test_policies_see_type_size_and_metadata(door: Door, migrator: asyncpg.Pool) -> None:
    bucket, who = await door.bucket(), door.user(str(uuid4()))
    await migrator.execute(
        f"create policy small_notes on storage.objects for insert to authenticated with check ("
        f" bucket_id = '{bucket}' and metadata ->> 'mimetype' = 'text/plain'"
        f" and (metadata ->> 'contentLength')::int < 1000 and user_metadata ->> 'kind' = 'note')"
    )
    try:
        note = {"metadata": '{"kind":"note"}'}

        async def send(name: str, size: int, mime_type: str, fields: dict[str, str]) -> int:
            files = {"file": ("a", b"x" * size, mime_type)}
            path = f"/object/{bucket}/{name}"
            answer = await door.http.post(path, files=files, data=fields, headers=who)
            return answer.status_code

        assert await send("a", 10, "text/plain", note) == 200
        assert await send("b", 2000, "text/plain", note) == 400
        assert await send("c", 10, "image/png", note) == 400
        assert await send("d", 10, "text/plain", {}) == 400
        assert await door.names(bucket) == ["a"]
    finally:
        await migrator.execute("drop policy small_notes on storage.objects")
