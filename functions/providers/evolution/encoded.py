"""A file in the JSON of an answer: its base64 decoded as it comes, so that it is nowhere whole."""

import binascii
import re
from base64 import b64decode

from functions.providers.commands import Writable

# Within a string of JSON each of these quotes has a backslash before it.
_START = re.compile(rb'"base64"\s*:\s*"')
# What may be the beginning of that, cut by the end of a chunk.
_LONGEST_START = 64


class Base64Field:
    """The sink of {..., "base64": "...", ...}: the value goes into `file`, the rest stays JSON."""

    def __init__(self, file: Writable) -> None:
        self._file = file
        self._held = b""
        self._place = "before"
        self._is_empty = True
        self._is_valid = True

    @property
    def is_whole(self) -> bool:
        """Whether a file was there, and decoded to its end."""
        return self._place == "behind" and self._is_valid and not self._is_empty

    def __call__(self, chunk: bytes) -> bytes:
        if self._place == "behind":
            return chunk
        if self._place == "inside":
            return self._decoded(chunk)
        chunk = self._held + chunk
        if found := _START.search(chunk):
            self._place, self._held = "inside", b""
            return chunk[: found.end()] + self._decoded(chunk[found.end() :])
        # An empty chunk is the end: nothing more can begin.
        kept = min(len(chunk), _LONGEST_START) if chunk != self._held else 0
        self._held = chunk[len(chunk) - kept :]
        return chunk[: len(chunk) - kept]

    def _decoded(self, chunk: bytes) -> bytes:
        """Writes what is whole of the value; what comes behind its closing quote."""
        value, quote, behind = chunk.partition(b'"')
        value = self._held + value.replace(b"\\", b"")
        whole = len(value) // 4 * 4
        self._held = value[whole:]
        try:
            content = b64decode(value[:whole], validate=True)
        except binascii.Error:
            self._is_valid, content = False, b""
        if content and self._is_valid:
            self._is_empty = False
            self._file.write(content)
        if quote:
            self._place = "behind"
            self._is_valid = self._is_valid and not self._held
        return quote + behind
