"""One topic joined by one socket: what it may hear and say, for as long as its token lasts."""

import asyncio
from collections.abc import Mapping
from typing import Any, Protocol

import orjson

from local.gateway.realtime import messages, policies
from local.gateway.realtime.frames import Broadcast, Frame, encode_broadcast
from local.gateway.realtime.options import JoinOptions
from local.gateway.realtime.policies import Caller, ReadRights
from local.gateway.realtime.runtime import MAX_PAYLOAD_BYTES, Runtime
from local.gateway.realtime.tokens import Claims, Refused, claims_of, seconds_left

PREFIX = "realtime:"
CONFIRM_SECONDS = 300.0  # a token is looked at again at least this often
READY_SECONDS = 10.0  # how long a join waits for the listening connection before it is closed
NO_READ = "You do not have permissions to read from this Channel topic"


class Connection(Protocol):
    """The socket, as far as one channel cares."""

    version: str
    token: str
    headers: Mapping[str, str]

    def send(self, channel: "Channel", event: str, payload: Any, ref: str | None) -> None: ...
    def send_wire(self, wire: str | bytes, seconds: float = 0.0) -> None: ...
    def forget(self, channel: "Channel") -> None: ...
    def cut(self) -> None: ...


class Channel:
    """Hears nothing before `join`, and nothing after `leave`."""

    def __init__(self, runtime: Runtime, connection: Connection, frame: Frame) -> None:
        self.full_topic = frame.topic
        self.join_ref = frame.join_ref or frame.ref
        self._topic = frame.topic.removeprefix(PREFIX)
        self._runtime = runtime
        self._connection = connection
        self._options = JoinOptions.of(_object(frame.payload))
        self._rights = ReadRights(broadcast=True, presence=True)
        self._may_broadcast: bool | None = None if self._options.private else True
        self._token = ""
        self._claims: Claims = {}
        self._replayed_ids: frozenset[str] = frozenset()
        self._held: list[tuple[Broadcast, str | bytes]] | None = []
        self._confirm: asyncio.TimerHandle | None = None
        self._ready: asyncio.Task[None] | None = None

    @property
    def version(self) -> str:
        return self._connection.version

    @property
    def hears_itself(self) -> bool:
        return self._options.hears_itself

    @property
    def _address(self) -> messages.Address:
        return self._topic, self._options.private

    # Joining

    async def join(self, frame: Frame) -> None:
        """Check, answer, replay, listen. Raises Refused; then nothing is left behind."""
        if not self._topic:
            raise Refused("TopicNameRequired", "You must provide a topic name")
        if self._options.postgres_changes:
            raise Refused(
                "PostgresChangesNotSupported",
                "this gateway has no logical decoding; broadcast from the database instead",
            )
        payload = _object(frame.payload)
        await self._authorize(payload.get("access_token") or payload.get("user_token"))
        self._runtime.hub.add(self._address, self)
        try:
            replayed = await self._replayed()
        except BaseException:
            self.leave()
            raise
        self._send("phx_reply", _ok({"postgres_changes": []}), ref=frame.ref)
        if self._options.presence:
            self._send("presence_state", {})
        self._deliver_held(replayed)
        if self._options.replication_ready:
            self._ready = asyncio.create_task(self._announce_replication())

    async def _authorize(self, token: object) -> None:
        """Take the token's claims and the rights they give on this topic. Raises Refused."""
        usable = isinstance(token, str) and not token.startswith("sb_")
        self._token = str(token) if usable else self._connection.token
        self._claims = claims_of(self._runtime.gateway.keys, self._token)
        if self._options.private:
            self._may_broadcast = None
            rights = await policies.read_rights(
                self._runtime.gateway.admin,
                self._caller,
                self._topic,
                presence=self._options.presence,
            )
            if not (rights.broadcast or rights.presence):
                raise Refused("Unauthorized", f"{NO_READ}: {self._topic}")
            self._rights = rights
        self._plan_confirmation()

    async def _replayed(self) -> list[Broadcast]:
        asked = self._options.replay
        if asked is None:
            return []
        if not self._options.private:
            raise Refused("UnableToReplayMessages", "Replay is not allowed for public channels")
        if not self._rights.broadcast:
            raise Refused("Unauthorized", f"{NO_READ}: {self._topic}")
        since, limit = asked.get("since"), asked.get("limit", messages.REPLAY_LIMIT)
        if not isinstance(since, int) or not isinstance(limit, int):
            raise Refused("UnableToReplayMessages", "Replay params are not valid")
        return await messages.replay(self._runtime.gateway.admin, self._topic, since, limit)

    def _deliver_held(self, replayed: list[Broadcast]) -> None:
        """Stored messages first, then what arrived while they were read."""
        for broadcast in replayed:
            wire = encode_broadcast(self.version, self.full_topic, broadcast)
            if wire is not None:
                self._connection.send_wire(wire)
        self._replayed_ids = frozenset(each.id for each in replayed if each.id)
        held, self._held = self._held or [], None
        for broadcast, wire in held:
            self.deliver(broadcast, wire)

    async def _announce_replication(self) -> None:
        try:
            async with asyncio.timeout(READY_SECONDS):
                await self._runtime.listener.connected.wait()
        except TimeoutError:
            self._shut("Replication connection was not established in time")
        else:
            self._system("ok", "Replication connection established")

    # While joined

    def deliver(self, broadcast: Broadcast, wire: str | bytes) -> None:
        """Send a broadcast of this topic to the client, subject to the faults asked for."""
        if not self._rights.broadcast or broadcast.id in self._replayed_ids:
            return
        if self._held is not None:
            self._held.append((broadcast, wire))
            return
        if self._runtime.faults.kills():
            self._connection.cut()
            return
        for seconds in self._runtime.faults.deliveries():
            self._connection.send_wire(wire, seconds)

    async def handle(self, frame: Frame) -> None:
        match frame.event:
            case "broadcast":
                await self._broadcast(frame)
            case "access_token":
                await self._refresh(frame)
            case "presence":
                self._send("phx_reply", _ok({}), ref=frame.ref)

    async def _broadcast(self, frame: Frame) -> None:
        if self._may_broadcast is None:
            self._may_broadcast = await policies.may_broadcast(
                self._runtime.gateway.admin, self._caller, self._topic
            )
        if not self._may_broadcast:
            return
        broadcast = _broadcast_of(frame)
        fits = len(broadcast.payload) <= MAX_PAYLOAD_BYTES
        if fits:
            self._runtime.hub.publish(self._address, broadcast, sender=self)
        if self._options.acknowledges:
            answer = _ok({}) if fits else _error({"error": "payload_size_exceeded"})
            self._send("phx_reply", answer, ref=frame.ref)

    async def _refresh(self, frame: Frame) -> None:
        """A new token never gets a reply: the channel goes on, or is shut with the reason."""
        token = _object(frame.payload).get("access_token")
        if not isinstance(token, str) or token.startswith("sb_") or token == self._token:
            return
        before = self._rights
        try:
            await self._authorize(token)
        except Refused as refusal:
            self._shut(refusal.message)
            return
        lost_broadcast = before.broadcast and not self._rights.broadcast
        if lost_broadcast or (before.presence and not self._rights.presence):
            self._shut(
                f"You no longer have permission to read from this Channel topic: {self._topic}"
            )

    # Leaving

    def leave(self) -> None:
        """Stop hearing; says nothing to the client."""
        self._runtime.hub.remove(self._address, self)
        if self._confirm:
            self._confirm.cancel()
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

    def _plan_confirmation(self) -> None:
        if self._confirm:
            self._confirm.cancel()
        left = seconds_left(self._claims)
        if left is not None:
            seconds = min(max(left, 0.0), CONFIRM_SECONDS)
            self._confirm = asyncio.get_running_loop().call_later(seconds, self._confirm_token)

    def _confirm_token(self) -> None:
        try:
            self._claims = claims_of(self._runtime.gateway.keys, self._token)
        except Refused as refusal:
            self._shut(refusal.message)
        else:
            self._plan_confirmation()

    # Writing

    @property
    def _caller(self) -> Caller:
        return Caller(self._claims, self._connection.headers)

    def _system(self, status: str, message: str) -> None:
        self._send(
            "system",
            {"channel": self._topic, "extension": "system", "message": message, "status": status},
        )

    def _send(self, event: str, payload: dict[str, Any], *, ref: str | None = None) -> None:
        self._connection.send(self, event, payload, ref)


def _object(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _ok(response: dict[str, Any]) -> dict[str, Any]:
    return {"status": "ok", "response": response}


def _error(response: dict[str, Any]) -> dict[str, Any]:
    return {"status": "error", "response": response}


def _broadcast_of(frame: Frame) -> Broadcast:
    """A binary frame is one already; a text frame wraps its own."""
    if isinstance(frame.payload, Broadcast):
        return frame.payload
    return Broadcast(
        str(frame.payload.get("event", "")), orjson.dumps(frame.payload.get("payload", {}))
    )
