"""One websocket: reads frames, routes them to its channels, writes through a bounded queue."""

import asyncio
import contextlib
import logging
from collections.abc import Mapping
from typing import Any

from starlette.websockets import WebSocket, WebSocketDisconnect

from local.gateway.realtime.channel import PREFIX, Channel
from local.gateway.realtime.frames import Frame, InvalidFrame, decode, encode
from local.gateway.realtime.limits import MAX_CHANNELS, MAX_FRAME_BYTES
from local.gateway.realtime.outbox import Outbox
from local.gateway.realtime.runtime import Runtime
from local.gateway.realtime.tokens import Refused

IDLE_SECONDS = 60.0  # clients send a heartbeat every 25
TOO_BIG, RESTARTING = 1009, 1012

log = logging.getLogger(__name__)


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
        self._outbox = Outbox()
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
                frame = decode(self.version, data)
            except InvalidFrame as error:
                log.warning("a frame that is none was ignored: %s", error)
            else:
                await self._route(frame)

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
        elif frame.event == "phx_join" and frame.topic.startswith(PREFIX):
            await self._join(frame, channel)
        elif channel is None and frame.event == "phx_leave":
            self._reply(frame, "ok", {}, join_ref=frame.join_ref)
        elif channel is None:
            self._reply(frame, "error", {"reason": "unmatched topic"})
        elif frame.join_ref in (None, channel.join_ref):
            await channel.handle(frame)
        # Anything else is meant for an earlier join of the same topic.

    async def _join(self, frame: Frame, earlier: Channel | None) -> None:
        if earlier is not None:
            self.forget(earlier)
            earlier.leave()
        channel = Channel(self._runtime, self, frame)
        try:
            if len(self._channels) >= MAX_CHANNELS:
                raise Refused("ChannelRateLimitReached", "Too many channels")
            await channel.join(frame)
        except Refused as refusal:
            self._refuse(frame, refusal)
        else:
            self._channels[frame.topic] = channel
        if earlier is not None:
            # After the reply, as Phoenix does. A client of version 1.0.0 takes it for its new join.
            earlier.close()
        if frame.topic in self._channels:
            channel.begin()

    def _refuse(self, frame: Frame, refusal: Refused) -> None:
        def answer() -> None:
            self._reply(frame, "error", {"reason": str(refusal)}, join_ref=frame.join_ref)

        if self._runtime.faults.backoff:
            asyncio.get_running_loop().call_later(self._runtime.faults.backoff, answer)
        else:
            answer()

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

    def send_wire(self, wire: str | bytes) -> None:
        """Queue a frame. A reader that is too far behind is cut."""
        if not self._outbox.put(wire):
            log.warning("a reader that was too far behind was cut")
            self.cut()

    def forget(self, channel: Channel) -> None:
        if self._channels.get(channel.full_topic) is channel:
            del self._channels[channel.full_topic]

    def _reply(
        self, frame: Frame, status: str, response: dict[str, Any], *, join_ref: str | None = None
    ) -> None:
        """The answer where no channel gives one."""
        payload = {"status": status, "response": response}
        self.send_wire(
            encode(
                self.version, frame.topic, "phx_reply", payload, ref=frame.ref, join_ref=join_ref
            )
        )

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
