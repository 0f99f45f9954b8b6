"""Frames that wait for one reader."""

import asyncio
from collections import deque

from local.gateway.realtime.limits import MAX_QUEUED_BYTES, MAX_QUEUED_FRAMES


class Outbox:
    """A queue bounded in frames and in bytes, so that a reader that stopped costs little."""

    def __init__(self) -> None:
        self._frames: deque[str | bytes] = deque()
        self._bytes = 0
        self._filled = asyncio.Event()

    def put(self, wire: str | bytes) -> bool:
        """False when the reader is too far behind; the frame is not taken then."""
        if len(self._frames) >= MAX_QUEUED_FRAMES or self._bytes >= MAX_QUEUED_BYTES:
            return False
        self._frames.append(wire)
        self._bytes += len(wire)
        self._filled.set()
        return True

    async def get(self) -> str | bytes:
        while not self._frames:
            self._filled.clear()
            await self._filled.wait()
        wire = self._frames.popleft()
        self._bytes -= len(wire)
        return wire
