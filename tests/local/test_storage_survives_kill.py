"""The gateway killed, or cut off, in the middle of an upload: nothing half is ever read or kept."""

import asyncio
import os
import shutil
import signal
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from pathlib import Path

import asyncpg
import httpx
import pytest

from local.gateway.storage.rows import LOCK
from local.stack import Stack
from tests.conftest import POSTGRES_VERSION
from tests.fixtures import until
from tests.local.storage_door import Door, door_of, refusal

MEGABYTE = b"x" * 1_000_000

linux = pytest.mark.skipif(not Path("/proc/self").exists(), reason="looks at processes in /proc")


@pytest.fixture
def folder() -> Iterator[Path]:
    """For a stack of its own."""
    made = Path(tempfile.mkdtemp(prefix="recado-storage-"))
    yield made
    shutil.rmtree(made, ignore_errors=True)


def stack_in(folder: Path) -> Stack:
    return Stack(folder, postgres_version=POSTGRES_VERSION, project=None)


def gateway_pid(data: Path) -> int:
    """The process that serves, which is the guard's child."""
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                command = (entry / "cmdline").read_bytes().split(b"\0")
            except OSError:
                continue
            if b"local.gateway" in command and str(data).encode() in command:
                if not any(part.endswith(b"guard.py") for part in command):
                    return int(entry.name)
    raise LookupError("no gateway")


def peak_memory(pid: int) -> int:
    """Bytes the process has had at most."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM"):
            return int(line.split()[1]) * 1024
    raise LookupError("VmHWM")


def stored(data: Path) -> dict[str, int]:
    """Files and their sizes."""
    sizes = {}
    for file in (data / "storage").iterdir():
        with suppress(FileNotFoundError):  # removed while we look
            sizes[file.name] = file.stat().st_size
    return sizes


async def megabytes(count: int) -> AsyncIterator[bytes]:
    for _ in range(count):
        yield MEGABYTE


@linux
async def test_a_kill_between_file_and_row_leaves_no_object(folder: Path) -> None:
    async with stack_in(folder) as stack, door_of(stack) as door:
        bucket = await door.bucket()
        await door.upload(f"{bucket}/kept", b"kept")
        connection = await asyncpg.connect(stack.database_url)
        try:
            # Who holds the object's lock holds back its row, while the file is complete already.
            await connection.execute("begin")
            await connection.execute("set local statement_timeout = 0")
            await connection.fetchval(LOCK, bucket, "half")
            upload = asyncio.create_task(door.upload(f"{bucket}/half", MEGABYTE))

            async def complete() -> bool:
                return len(MEGABYTE) in stored(folder).values()

            await until(complete, what="the file is written")
            os.kill(gateway_pid(folder), signal.SIGKILL)
            with pytest.raises(httpx.TransportError):
                await upload
        finally:
            connection.terminate()
        assert len(stored(folder)) == 2
    async with stack_in(folder) as stack, door_of(stack) as door:
        assert await door.names(bucket) == ["kept"]
        assert (await door.download(f"{bucket}/half")).status_code == 400
        assert (await door.download(f"{bucket}/kept")).content == b"kept"
        assert list(stored(folder).values()) == [4]


@linux
async def test_a_kill_in_the_middle_of_a_body_leaves_no_object(folder: Path) -> None:
    async with stack_in(folder) as stack, door_of(stack) as door:
        bucket = await door.bucket()
        await door.upload(f"{bucket}/a", b"before")
        killed = asyncio.Event()

        async def body() -> AsyncIterator[bytes]:
            yield MEGABYTE
            await killed.wait()
            yield MEGABYTE

        upload = asyncio.create_task(door.upload(f"{bucket}/a", body(), x_upsert="true"))

        async def begun() -> bool:
            return len(MEGABYTE) in stored(folder).values()

        await until(begun, what="a part of the file is written")
        os.kill(gateway_pid(folder), signal.SIGKILL)
        killed.set()
        with pytest.raises(httpx.TransportError):
            await upload
    async with stack_in(folder) as stack, door_of(stack) as door:
        assert (await door.download(f"{bucket}/a")).content == b"before"
        assert list(stored(folder).values()) == [6]


async def test_an_outage_of_the_database_is_said_and_passes(folder: Path) -> None:
    async with stack_in(folder) as stack, door_of(stack) as door:
        bucket = await door.bucket()
        await stack.postgres.stop()
        for answer in (await door.upload(f"{bucket}/a"), await door.download(f"{bucket}/a")):
            message = "The connection to the database timed out"
            expected = (544, "544", "DatabaseTimeout", message, "DatabaseTimeout")
            assert refusal(answer) == expected
        await stack.postgres.__aenter__()
        assert (await door.upload(f"{bucket}/a", b"back")).status_code == 200
        assert (await door.download(f"{bucket}/a")).content == b"back"


async def test_an_upload_that_breaks_off_leaves_nothing(league: Stack) -> None:
    async with door_of(league) as door:
        bucket = await door.bucket()
        before = stored(league.data)
        reader, writer = await asyncio.open_connection(door.http.base_url.host, int(port(door)))
        writer.write(
            f"POST /storage/v1/object/{bucket}/a HTTP/1.1\r\nhost: x\r\ncontent-length: 9\r\n"
            f"authorization: {door.service['authorization']}\r\n\r\n1234".encode()
        )
        await writer.drain()

        async def begun() -> bool:
            return len(stored(league.data)) == len(before) + 1

        await until(begun, what="a part is on disk")
        writer.close()
        await writer.wait_closed()

        async def gone() -> bool:
            return stored(league.data) == before

        await until(gone, what="the part is removed")
        assert await door.names(bucket) == []
        assert reader.at_eof()


@linux
async def test_large_bodies_pass_in_little_memory(league: Stack) -> None:
    async with door_of(league) as door:
        bucket = await door.bucket()
        pid = gateway_pid(league.data)
        await door.upload(f"{bucket}/warm", megabytes(1))
        before = peak_memory(pid)
        assert (await door.upload(f"{bucket}/large", megabytes(50))).status_code == 200
        files = {"file": ("a", b"".join([MEGABYTE] * 50), "text/plain")}
        form = await door.http.post(f"/object/{bucket}/form", files=files, headers=door.service)
        assert form.status_code == 200
        refused = await door.upload(f"{bucket}/larger", megabytes(60))
        assert (refused.status_code, refused.json()["statusCode"]) == (400, "413")
        received = 0
        url = f"/object/{bucket}/large"
        async with door.http.stream("GET", url, headers=door.service) as answer:
            async for chunk in answer.aiter_bytes():
                received += len(chunk)
        assert received == 50_000_000
        assert peak_memory(pid) - before < 16_000_000
        assert await door.names(bucket) == ["form", "large", "warm"]
        await door.post(f"/bucket/{bucket}/empty", {})
        assert not [size for size in stored(league.data).values() if size >= 1_000_000]


def port(door: Door) -> int:
    found = door.http.base_url.port
    assert found is not None
    return found
