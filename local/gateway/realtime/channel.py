"""One topic joined by one socket."""

import asyncio
from collections.abc import Mapping
from typing import Any, Protocol

import orjson

from local.gateway.realtime import messages
from local.gateway.realtime.frames import Broadcast, Frame, Message, Verbatim, encode_replayed
from local.gateway.realtime.grant import NO_READ, Grant
from local.gateway.realtime.hub import Address
from local.gateway.realtime.limits import MAX_PAYLOAD_BYTES
from local.gateway.realtime.options import NOT_ASKED, JoinOptions, mapping, requested_token
from local.gateway.realtime.runtime import Runtime
from local.gateway.realtime.tokens import Refused

PREFIX = "realtime:"
READY_SECONDS = 60.0  # how long a join waits for the listening connection before it is closed


class Connection(Protocol):
    """The socket, as far as one channel cares."""

    version: str
    token: str
    headers: Mapping[str, str]

    def send(self, channel: "Channel", event: str, payload: Any, ref: str | None) -> None: ...
    def send_wire(self, wire: str | bytes) -> None: ...
    def forget(self, channel: "Channel") -> None: ...
    def cut(self) -> None: ...


class Channel:
    """Life: `join`, which answers; `begin`; `handle` and `deliver`; `leave` or `close`."""

    def __init__(self, runtime: Runtime, connection: Connection, frame: Frame) -> None:
        self.full_topic = frame.topic
        self.join_ref = frame.join_ref
        self._topic = frame.topic.removeprefix(PREFIX)
        self._runtime = runtime
        self._connection = connection
        self._options = JoinOptions.of(mapping(frame.payload))
        self._address: Address = (self._topic, self._options.private)
        self._grant = Grant(
            runtime,
            self._address,
            connection.headers,
            presence=self._options.presence,
            lapsed=self._shut,
        )
        self._line = runtime.faults.line(self.full_topic, connection.send_wire, connection.cut)
        self._replayed: list[Broadcast] = []
        self._held: list[tuple[Message, str | bytes]] | None = []  # what came before `begin`
        self._ready: asyncio.Task[None] | None = None

    @property
    def version(self) -> str:
        return self._connection.version

    @property
    def hears_itself(self) -> bool:
        return self._options.hears_itself

    # Joining

    async def join(self, frame: Frame) -> None:
        """Check, listen, answer. Raises Refused; then nothing is left behind."""
        if not self._topic:
            raise Refused("TopicNameRequired", "You must provide a topic name")
        if self._options.postgres_changes:
            raise Refused(
                "PostgresChangesNotSupported",
                "this gateway has no logical decoding; broadcast from the database instead",
            )
        token = requested_token(mapping(frame.payload))
        try:
            await self._grant.take(self._connection.token if token is None else token)
            self._runtime.hub.add(self._address, self)
            self._replayed = await self._stored()
        except BaseException:
            self.leave()
            raise
        self.reply(frame, "ok", {"postgres_changes": []})

    def begin(self) -> None:
        """Stored messages first, then what arrived while they were read."""
        for broadcast in self._replayed:
            wire = encode_replayed(self.version, self.full_topic, broadcast, self.join_ref)
            if wire is not None:
                self._connection.send_wire(wire)
        held, self._held = self._held or [], None
        for message, wire in held:
            self.deliver(message, wire)
        if self._options.replication_ready and self._runtime.listener.connected.is_set():
            self._announce_replication()
        elif self._options.replication_ready:
            self._ready = asyncio.create_task(self._await_replication())
        if self._options.presence and self._grant.rights.presence:
            self._send("presence_state", {})

    async def _stored(self) -> list[Broadcast]:
        asked = self._options.replay
        if asked is NOT_ASKED:
            return []
        if not self._options.private:
            raise Refused("UnableToReplayMessages", "Replay is not allowed for public channels")
        if not self._grant.rights.broadcast:
            raise Refused("Unauthorized", f"{NO_READ}: {self._topic}")
        if not isinstance(asked, dict):
            return []
        since, limit = asked.get("since"), asked.get("limit")
        if limit is None:
            limit = messages.REPLAY_LIMIT
        if type(since) is not int or type(limit) is not int:
            raise Refused("UnableToReplayMessages", "Replay params are not valid")
        return await messages.replay(self._runtime.gateway.admin, self._topic, since, limit)

    async def _await_replication(self) -> None:
        try:
            async with asyncio.timeout(READY_SECONDS):
                await self._runtime.listener.connected.wait()
        except TimeoutError:
            self._shut("Replication connection was not established in time")
        else:
            self._announce_replication()

    def _announce_replication(self) -> None:
        self._system("ok", "Replication connection established")

    # While joined

    def deliver(self, message: Message, wire: str | bytes) -> None:
        """Send a message of this topic to the client, subject to the faults asked for."""
        if not self._grant.rights.broadcast:
            return
        if self._held is not None:
            self._held.append((message, wire))
        elif not (isinstance(message, Broadcast) and self._was_replayed(message)):
            self._line.deliver(wire)

    def _was_replayed(self, message: Broadcast) -> bool:
        id = message.meta.get("id")
        return id is not None and any(each.meta["id"] == id for each in self._replayed)

    async def handle(self, frame: Frame) -> None:
        """A frame of the client other than a join; an event nobody knows is not answered."""
        match frame.event:
            case "phx_leave":
                self._connection.forget(self)
                self.reply(frame, "ok", {})
                self.close()
            case "broadcast":
                await self._broadcast(frame)
            case "access_token":
                await self._refresh(frame)
            case "presence":
                self._presence(frame)

    async def _broadcast(self, frame: Frame) -> None:
        """Without the right to write there is no answer at all, not even with ack."""
        if not await self._grant.may_broadcast():
            return
        message, size = _message(frame)
        fits = size <= MAX_PAYLOAD_BYTES
        if fits:
            self._runtime.hub.publish(self._address, message, sender=self)
        if self._options.acknowledges and fits:
            self.reply(frame, "ok", {})
        elif self._options.acknowledges:
            self.reply(frame, "error", "payload_size_exceeded")

    async def _refresh(self, frame: Frame) -> None:
        """A new token never gets a reply: the channel goes on, or is shut with the reason."""
        token = mapping(frame.payload).get("access_token")
        if not isinstance(token, str) or token.startswith("sb_") or token == self._grant.token:
            return
        try:
            await self._grant.renew(token)
        except Refused as refusal:
            self._shut(refusal.message)

    def _presence(self, frame: Frame) -> None:
        """Answered as if it was noted, but nobody is told."""
        payload = mapping(frame.payload)
        event = str(payload.get("event", "track")).lower()
        tracked = payload.get("payload", {})
        if event not in ("track", "untrack"):
            self.reply(frame, "error", {})
        elif event == "track" and not isinstance(tracked, dict):
            self.reply(frame, "error", {"reason": "Presence track payload must be a map"})
        elif len(orjson.dumps(tracked)) > MAX_PAYLOAD_BYTES:
            self._shut("Track message size exceeded")
        else:
            self.reply(frame, "ok", {})

    # Leaving

    def leave(self) -> None:
        """Stop hearing; says nothing to the client."""
        self._runtime.hub.remove(self._address, self)
        self._grant.end()
        if self._ready:
            self._ready.cancel()

    def close(self) -> None:
        """Leave, and tell the client."""
        self.leave()
        self._send("phx_close", {}, ref=self.join_ref)

    def _shut(self, message: str) -> None:
        self._system("error", message)
        self._connection.forget(self)
        self.close()

    # Writing

    def reply(self, frame: Frame, status: str, response: Any) -> None:
        self._send("phx_reply", {"status": status, "response": response}, ref=frame.ref)

    def _system(self, status: str, message: str) -> None:
        self._send(
            "system",
            {"channel": self._topic, "extension": "system", "message": message, "status": status},
        )

    def _send(self, event: str, payload: dict[str, Any], *, ref: str | None = None) -> None:
        self._connection.send(self, event, payload, ref)


def _message(frame: Frame) -> tuple[Message, int]:
    """What a client broadcasts, and the size of its payload in bytes."""
    if isinstance(frame.payload, Broadcast):
        return frame.payload, len(frame.payload.payload)
    return Verbatim(frame.payload), len(orjson.dumps(frame.payload))
