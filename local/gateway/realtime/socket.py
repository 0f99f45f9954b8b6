"""One websocket: reads frames, routes them to its channels, writes through a bounded queue."""

import asyncio
import contextlib
from collections.abc import Mapping
from typing import Any

from starlette.websockets import WebSocket, WebSocketDisconnect

from local.gateway.realtime.channel import PREFIX, Channel
from local.gateway.realtime.frames import Frame, InvalidFrame, decode, encode
from local.gateway.realtime.runtime import (
    MAX_CHANNELS,
    MAX_FRAME_BYTES,
    MAX_QUEUED_FRAMES,
    Runtime,
)
from local.gateway.realtime.tokens import Refused

IDLE_SECONDS = 60.0  # clients send a heartbeat every 25
INVALID, TOO_BIG, RESTARTING = 1007, 1009, 1012


class Socket:
    """`serve` returns when either side is done; nothing of the socket is left then."""

    def __init__(
        self,
        runtime: Runtime,
        websocket: WebSocket,
        version: str,
        token: str,
        headers: Mapping[str, str],
    ) -> None:
        self.version = version
        self.token = token
        self.headers = headers
        self._runtime = runtime
        self._websocket = websocket
        self._channels: dict[str, Channel] = {}
        self._outbox: asyncio.Queue[str | bytes] = asyncio.Queue(MAX_QUEUED_FRAMES)
        self._done = asyncio.Event()
        self._code: int | None = None

    async def serve(self) -> None:
        await self._websocket.accept()
        loops = [
            asyncio.create_task(loop)
            for loop in (self._read_forever(), self._write_forever(), self._done.wait())
        ]
        try:
            done, _ = await asyncio.wait(loops, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for loop in loops:
                loop.cancel()
            await asyncio.gather(*loops, return_exceptions=True)
            for channel in self._channels.values():
                channel.leave()
        if self._code is not None:
            with contextlib.suppress(WebSocketDisconnect, RuntimeError):
                await self._websocket.close(self._code)
        for loop in done:
            loop.result()  # a bug must be seen

    def cut(self, code: int | None = None) -> None:
        """End the socket: with a close code, or like a cable that is pulled."""
        self._code = code
        self._done.set()

    # Reading

    async def _read_forever(self) -> None:
        while True:
            try:
                async with asyncio.timeout(IDLE_SECONDS):
                    data = await self._receive()
            except (TimeoutError, WebSocketDisconnect):
                return
            if len(data) > MAX_FRAME_BYTES:
                self.cut(TOO_BIG)
                return
            try:
                await self._route(decode(self.version, data))
            except InvalidFrame:
                self.cut(INVALID)
                return

    async def _receive(self) -> str | bytes:
        message = await self._websocket.receive()
        if message["type"] == "websocket.disconnect":
            raise WebSocketDisconnect(message.get("code") or 1005)
        text: str | None = message.get("text")
        data: bytes | None = message.get("bytes")
        return text if text is not None else data or b""

    async def _route(self, frame: Frame) -> None:
        channel = self._channels.get(frame.topic)
        if frame.topic == "phoenix" and frame.event == "heartbeat":
            self._reply(frame, "ok", {})
        elif frame.event == "phx_join":
            await self._join(frame)
        elif channel is None:
            self._reply_unmatched(frame)
        elif frame.join_ref is not None and frame.join_ref != channel.join_ref:
            return  # meant for an earlier join of the same topic
        elif frame.event == "phx_leave":
            del self._channels[frame.topic]
            self._reply(frame, "ok", {})
            channel.close()
        else:
            await channel.handle(frame)

    async def _join(self, frame: Frame) -> None:
        earlier = self._channels.pop(frame.topic, None)
        if earlier is not None:
            earlier.leave()
        channel = Channel(self._runtime, self, frame)
        try:
            if not frame.topic.startswith(PREFIX):
                raise Refused("UnmatchedTopic", "topics start with realtime:")
            if len(self._channels) >= MAX_CHANNELS:
                raise Refused("ChannelRateLimitReached", "Too many channels")
            await channel.join(frame)
        except Refused as refusal:
            self._reply(
                frame, "error", {"reason": str(refusal)}, seconds=self._runtime.faults.backoff
            )
        else:
            self._channels[frame.topic] = channel
        if earlier is not None:
            # After the reply, as Phoenix does. A client of version 1.0.0 takes it for its new join.
            earlier.close()

    def _reply_unmatched(self, frame: Frame) -> None:
        if frame.event == "phx_leave":
            self._reply(frame, "ok", {})
        else:
            self._reply(frame, "error", {"reason": "unmatched topic"})

    # Writing

    def send(self, channel: Channel, event: str, payload: Any, ref: str | None) -> None:
        self.send_wire(
            encode(
                self.version,
                channel.full_topic,
                event,
                payload,
                ref=ref,
                join_ref=channel.join_ref,
            )
        )

    def send_wire(self, wire: str | bytes, seconds: float = 0.0) -> None:
        """Queue a frame, now or later. A reader that is a whole queue behind is cut."""
        if seconds:
            asyncio.get_running_loop().call_later(seconds, self.send_wire, wire)
            return
        try:
            self._outbox.put_nowait(wire)
        except asyncio.QueueFull:
            self.cut()

    def forget(self, channel: Channel) -> None:
        if self._channels.get(channel.full_topic) is channel:
            del self._channels[channel.full_topic]

    def _reply(
        self, frame: Frame, status: str, response: dict[str, Any], *, seconds: float = 0.0
    ) -> None:
        wire = encode(
            self.version,
            frame.topic,
            "phx_reply",
            {"status": status, "response": response},
            ref=frame.ref,
            join_ref=frame.join_ref,
        )
        self.send_wire(wire, seconds)

    async def _write_forever(self) -> None:
        while True:
            wire = await self._outbox.get()
            try:
                if isinstance(wire, bytes):
                    await self._websocket.send_bytes(wire)
                else:
                    await self._websocket.send_text(wire)
            except (WebSocketDisconnect, RuntimeError):
                return
