"""A connection to Postgres that sends values without types, and many statements in one go.

PostgREST leaves it to Postgres to find out the type of a value from where it stands (`id = $1`).
A driver that encodes values for a type cannot do that, so this speaks the protocol itself: the
extended query flow of https://www.postgresql.org/docs/current/protocol-flow.html.
"""

import asyncio
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

# Values are text, or None for null. `binary`: the first column comes as Postgres' bytes.
Value = str | bytes | None
Row = list[bytes | None]
# Plans kept for a connection; beyond that all are dropped, so that odd queries do not pile up.
REMEMBERED_STATEMENTS = 500
SYNC = b"S\0\0\0\4"
EXECUTE = b"E\0\0\0\x09\0\0\0\0\0"
PROTOCOL = 196608


@dataclass(frozen=True, slots=True)
class Query:
    """One statement with its values."""

    sql: str
    values: Sequence[Value] = ()
    columns: int = 0  # when given: how many there are, the first one to come in binary form


class ServerError(Exception):
    """What Postgres says when it refuses; `fields` by their letter in the protocol."""

    def __init__(self, fields: dict[str, str]) -> None:
        super().__init__(fields.get("M", ""))
        self.sqlstate = fields.get("C", "XX000")
        self.message = fields.get("M", "")
        self.detail = fields.get("D")
        self.hint = fields.get("H")


class ConnectionLost(ConnectionError):
    """The server is away, or went away; what was under way may have happened."""


class Connection(asyncio.Protocol):
    """One session. `idle`: outside a transaction, and usable."""

    def __init__(self) -> None:
        self._transport: asyncio.Transport
        self._buffer = bytearray()
        self._answer: asyncio.Future[None] | None = None
        self._results: list[list[Row]] = []
        self._rows: list[Row] = []
        self._error: ServerError | None = None
        self._prepared: dict[str, bytes] = {}
        self._parsing: list[tuple[str, bytes]] = []
        self._names = 0
        self._status = b""
        self._plans_of: object = None
        self.lost = False

    @classmethod
    async def open(cls, host: str, port: int, user: str, database: str) -> "Connection":
        """A session of `user`, who needs no password. Raises ConnectionLost, ServerError."""
        loop = asyncio.get_running_loop()
        try:
            _, self = await loop.create_connection(cls, host, port)
        except OSError as error:
            raise ConnectionLost(str(error)) from error
        facts = {"user": user, "database": database, "client_encoding": "UTF8"}
        text = b"".join(_text(part) for pair in facts.items() for part in pair) + b"\0"
        await self._exchange(struct.pack("!ii", len(text) + 8, PROTOCOL) + text)
        return self

    @property
    def idle(self) -> bool:
        """Whether the next transaction can begin."""
        return not self.lost and self._status == b"I" and self._answer is None

    async def run(self, queries: Sequence[Query]) -> list[list[Row]]:
        """The rows of each, sent together and answered together.

        When one fails, those after it do not run, and what it raises is raised: ServerError.
        Raises ConnectionLost too.
        """
        if len(self._prepared) > REMEMBERED_STATEMENTS:
            self.forget()
        return await self._exchange(b"".join(map(self._encode, queries)) + SYNC)

    def plan_for(self, schema: object) -> None:
        """Plans made for another schema are dropped: their types may be gone."""
        if schema is not self._plans_of:
            self.forget()
            self._plans_of = schema

    def knows(self, query: Query) -> bool:
        """Whether it runs by a plan made earlier."""
        return query.sql in self._prepared

    def forget(self) -> None:
        """Drops all plans."""
        names = self._prepared.values()
        self._prepared = {}
        self._transport.write(b"".join(_message(b"C", b"S" + name + b"\0") for name in names))

    def close(self) -> None:
        """Ends the session, whatever it does."""
        self.lost = True
        self._transport.abort()

    def _encode(self, query: Query) -> bytes:
        name, parse = self._prepared.get(query.sql), b""
        if name is None:
            self._names += 1
            name = str(self._names).encode()
            self._parsing.append((query.sql, name))
            parse = _message(b"P", name + b"\0" + _text(query.sql) + b"\0\0")
        formats = [1] + [0] * (query.columns - 1) if query.columns else []
        parts = [b"\0", name, b"\0\0\0", struct.pack("!h", len(query.values))]
        for value in query.values:
            raw = value.encode() if isinstance(value, str) else value
            parts.append(b"\xff\xff\xff\xff" if raw is None else struct.pack("!i", len(raw)) + raw)
        parts.append(struct.pack(f"!h{len(formats)}h", len(formats), *formats))
        return parse + _message(b"B", b"".join(parts)) + EXECUTE

    async def _exchange(self, request: bytes) -> list[list[Row]]:
        if self.lost:
            raise ConnectionLost("the connection is closed")
        self._results, self._rows, self._error = [], [], None
        self._answer = asyncio.get_running_loop().create_future()
        self._transport.write(request)
        try:
            await self._answer
        except asyncio.CancelledError:
            self.close()  # nobody reads the answer any more
            raise
        finally:
            self._answer = None
            self._parsing.clear()
        if self._error is not None:
            raise self._error
        return self._results

    # What asyncio tells

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def connection_lost(self, exc: Exception | None) -> None:
        self.lost = True
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(ConnectionLost(str(self._error or "the server hung up")))

    def data_received(self, data: bytes) -> None:
        buffer, start = self._buffer, 0
        buffer += data
        while len(buffer) - start >= 5:
            end = start + 1 + int.from_bytes(buffer[start + 1 : start + 5])
            if len(buffer) < end:
                break
            self._take(buffer[start], bytes(buffer[start + 5 : end]))
            start = end
        del buffer[:start]

    def _take(self, kind: int, payload: bytes) -> None:
        match chr(kind):
            case "D":
                self._rows.append(_columns(payload))
            case "C":
                self._results.append(self._rows)
                self._rows = []
            case "1":
                sql, name = self._parsing.pop(0)
                self._prepared[sql] = name
            case "E":
                self._error = ServerError(_fields(payload))
            case "R" if payload != b"\0\0\0\0":
                self._error = ServerError({"C": "28000", "M": "the server asks for a password"})
                self._transport.abort()
            case "Z":
                self._status = payload
                if self._answer is not None and not self._answer.done():
                    self._answer.set_result(None)


def _text(text: str) -> bytes:
    return text.encode() + b"\0"


def _message(kind: bytes, payload: bytes) -> bytes:
    return kind + struct.pack("!i", len(payload) + 4) + payload


def _columns(payload: bytes) -> Row:
    columns: Row = []
    place = 2
    for _ in range(int.from_bytes(payload[:2])):
        size = int.from_bytes(payload[place : place + 4], signed=True)
        place += 4
        columns.append(None if size < 0 else payload[place : place + size])
        place += max(size, 0)
    return columns


def _fields(payload: bytes) -> dict[str, str]:
    parts = payload.rstrip(b"\0").split(b"\0")
    return {part[:1].decode(): part[1:].decode(errors="replace") for part in parts}
