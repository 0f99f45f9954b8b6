"""supabase-py, storage3 without async, and storage-js do their round against /storage/v1."""

import asyncio
import json
from pathlib import Path
from uuid import uuid4

import httpx
import pytest
from storage3 import SyncStorageClient
from storage3.exceptions import StorageApiError
from supabase import AsyncClient

from local import npm
from local.stack import Stack
from tests.local.conftest import SignUp

SCRIPT = Path(__file__).with_name("storage_client.cjs")


async def test_supabase_py_does_its_round(supabase: AsyncClient, tmp_path: Path) -> None:
    name = f"py-{uuid4()}"
    limits = {"public": False, "file_size_limit": 1000, "allowed_mime_types": ["text/plain"]}
    await supabase.storage.create_bucket(name, options=limits)  # type: ignore[arg-type]
    found = await supabase.storage.get_bucket(name)
    assert (found.file_size_limit, found.allowed_mime_types) == (1000, ["text/plain"])
    assert name in [bucket.id for bucket in await supabase.storage.list_buckets()]
    bucket = supabase.storage.from_(name)
    source = tmp_path / "a.txt"
    source.write_text("olá")
    plain = {"content-type": "text/plain", "cache-control": "60"}
    uploaded = await bucket.upload("in/a.txt", source, plain)  # type: ignore[arg-type]
    assert uploaded.full_path == f"{name}/in/a.txt"
    assert await bucket.download("in/a.txt") == "olá".encode()
    assert (await bucket.info("in/a.txt"))["cache_control"] == "max-age=60"
    assert await bucket.exists("in/a.txt")
    assert not await bucket.exists("in/none")
    with pytest.raises(StorageApiError, match="The resource already exists"):
        await bucket.upload("in/a.txt", b"x", plain)  # type: ignore[arg-type]
    with pytest.raises(StorageApiError, match="exceeded the maximum"):
        await bucket.upload("in/b.txt", b"x" * 1001, plain)  # type: ignore[arg-type]
    await bucket.copy("in/a.txt", "in/b.txt")
    await bucket.move("in/b.txt", "in/c.txt")
    assert [entry["name"] for entry in await bucket.list("in")] == ["a.txt", "c.txt"]
    link = await bucket.create_signed_url("in/a.txt", 60, {"download": "olá.txt"})
    async with httpx.AsyncClient() as http:
        assert (await http.get(str(link["signedURL"]))).content == "olá".encode()
    upload = await bucket.create_signed_upload_url("in/d.txt")
    await bucket.upload_to_signed_url("in/d.txt", upload["token"], b"d", plain)  # type: ignore[arg-type]
    removed = await bucket.remove(["in/a.txt", "in/c.txt", "in/d.txt", "none"])
    assert len(removed) == 3
    await supabase.storage.empty_bucket(name)
    await supabase.storage.delete_bucket(name)


async def test_a_signed_in_user_meets_the_policies(
    supabase: AsyncClient, signed_in: SignUp
) -> None:
    name = f"py-{uuid4()}"
    await supabase.storage.create_bucket(name)
    await supabase.storage.from_(name).upload("a", b"x")
    user = await signed_in()
    with pytest.raises(StorageApiError, match="row-level security"):
        await user.storage.from_(name).upload("b", b"x")
    with pytest.raises(StorageApiError, match="Object not found"):
        await user.storage.from_(name).download("a")
    assert await user.storage.from_(name).list() == []


async def test_the_client_without_async_does_its_round(league: Stack) -> None:
    def round_trip() -> bytes:
        key = league.keys.service_role_key
        headers = {"apiKey": key, "Authorization": f"Bearer {key}"}
        with SyncStorageClient(f"{league.url}/storage/v1/", headers) as storage:
            name = f"sync-{uuid4()}"
            storage.create_bucket(name, options={"public": True})
            bucket = storage.from_(name)
            bucket.upload("a/b.txt", b"first", {"metadata": {"n": 1}})
            bucket.update("a/b.txt", b"second")
            assert bucket.info("a/b.txt")["metadata"] == {}
            public = httpx.get(bucket.get_public_url("a/b.txt"))
            signed = bucket.create_signed_urls(["a/b.txt", "none"], 60)
            assert [bool(entry["error"]) for entry in signed] == [False, True]
            return public.content

    assert await asyncio.to_thread(round_trip) == b"second"


async def test_storage_js_does_its_round(javascript: Path, league: Stack) -> None:
    request = {"modules": str(javascript), "url": league.url, "key": league.keys.secret_key}
    printed = await npm.run(["node", str(SCRIPT), json.dumps(request)], SCRIPT.parent)
    assert json.loads(printed) == {
        "uploads": ["buffer", "blob", "form", "stream"],
        "downloaded": "olá",
        "info": {"custom": "metadata"},
        "duplicate": {"message": "The resource already exists", "statusCode": "409"},
        "listed": ["blob.txt", "buffer.txt", "form.txt", "stream.txt"],
        "folders": ["in/"],
        "pages": 2,
        "signed": "olá",
        "signedUpload": "signed",
        "public": True,
        "removed": 4,
    }
