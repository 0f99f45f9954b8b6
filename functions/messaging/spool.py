"""A file on its way from a provider to Storage: hashed as it comes, and nowhere whole in memory."""

from hashlib import sha256
from tempfile import SpooledTemporaryFile
from types import TracebackType
from typing import BinaryIO, cast

from functions.providers.commands import FileTooLarge

# Most pictures and voice notes never touch the disk; what is larger lies in the temporary folder.
IN_MEMORY_BYTES = 1_000_000


class Spool:
    """Takes at most `largest_bytes`; gone when left."""

    def __init__(self, largest_bytes: int) -> None:
        self._largest_bytes = largest_bytes
        self._hash = sha256()
        self.file = cast(BinaryIO, SpooledTemporaryFile(max_size=IN_MEMORY_BYTES))
        self.size = 0

    def write(self, chunk: bytes, /) -> None:
        """Raises FileTooLarge; what was written before is of no use then."""
        self.size += len(chunk)
        if self.size > self._largest_bytes:
            raise FileTooLarge(f"The file is over {self._largest_bytes} bytes")
        self._hash.update(chunk)
        self.file.write(chunk)

    @property
    def digest(self) -> str:
        """SHA-256 of what was written, in hex."""
        return self._hash.hexdigest()

    def __enter__(self) -> "Spool":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.file.close()
