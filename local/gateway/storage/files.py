"""The bytes of objects: one file for each version, written once and never changed.

A file gets its row only after it is complete and on disk, and loses it before it is removed. So a
process that dies leaves files without a row at worst; the next start sweeps them.
"""

import asyncio
import hashlib
import os
from collections.abc import AsyncIterable, AsyncIterator, Collection, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO
from uuid import UUID

from local.gateway.storage.errors import bytes_missing, too_large

# Read and sent at once: few system calls, little memory for each download.
CHUNK_BYTES = 256 * 1024


@dataclass(frozen=True, slots=True)
class Written:
    """What is known of a file once it is complete; `etag` is quoted, as in HTTP."""

    size: int
    etag: str


class Files:
    """The files in one folder, which is made when it is missing."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    async def write(self, version: str, chunks: AsyncIterable[bytes], limit: int) -> Written:
        """Streams to disk. Raises: 413 above `limit` bytes; whatever fails, no file stays."""
        path = self._path(version)
        try:
            with path.open("xb") as file:
                size, digest = 0, hashlib.md5(usedforsecurity=False)
                async for chunk in chunks:
                    size += len(chunk)
                    if size > limit:
                        raise too_large()
                    digest.update(chunk)
                    await asyncio.to_thread(file.write, chunk)
                file.flush()
                await asyncio.to_thread(os.fsync, file.fileno())
        except BaseException:
            path.unlink(missing_ok=True)
            raise
        return Written(size, f'"{digest.hexdigest()}"')

    def copy(self, source: str | None, target: str) -> None:
        """The same bytes under another version. Raises: 404 when there are none."""
        try:
            os.link(self._path(source), self._path(target))
        except (FileNotFoundError, ValueError):
            raise bytes_missing() from None

    def open(self, version: str | None) -> BinaryIO:
        """The file, which can be read to its end even when it is removed meanwhile."""
        try:
            return self._path(version).open("rb")
        except (FileNotFoundError, ValueError):
            raise bytes_missing() from None

    def remove(self, versions: Iterable[str | None]) -> None:
        """Removes what is there of these."""
        for version in versions:
            if version is not None and _is_version(version):
                self._path(version).unlink(missing_ok=True)

    def sweep(self, kept: Collection[str]) -> int:
        """Makes the folder; removes every file whose version is not in `kept`; how many."""
        self._folder.mkdir(parents=True, exist_ok=True)
        leftovers = [path for path in self._folder.iterdir() if path.name not in kept]
        for path in leftovers:
            path.unlink()
        return len(leftovers)

    def _path(self, version: str | None) -> Path:
        """Raises ValueError for what this service did not generate: SQL can write any version."""
        if version is None or not _is_version(version):
            raise ValueError("not a version")
        return self._folder / version


async def chunks_of(file: BinaryIO, start: int, length: int) -> AsyncIterator[bytes]:
    """`length` bytes from `start` on; closes the file."""
    with file:
        file.seek(start)
        while length > 0:
            chunk = await asyncio.to_thread(file.read, min(length, CHUNK_BYTES))
            if not chunk:
                return
            length -= len(chunk)
            yield chunk


def _is_version(text: str) -> bool:
    try:
        return str(UUID(text)) == text
    except ValueError:
        return False
