"""An HTTP proxy before the gateway or the fake WhatsApp that goes wrong at a named call."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, Literal, Self

import httpx
import orjson

Place = Literal["request", "answer"]
"""Before the target has seen the call, or after it is done: committed, or sent."""
_NOT_FORWARDED = {"connection", "content-length", "content-encoding", "transfer-encoding", "host"}


@dataclass(slots=True)
class Fault:
    """What happens to calls of a function, or of an address by its first two parts: the next one
    and its repeats are cut off so many times, or all are held until `lift`."""

    function: str
    place: Place
    cut: bool
    times: int
    only: Callable[[Any], bool]
    hits: int = 0
    victim: Any = None
    lifted: asyncio.Event = field(default_factory=asyncio.Event)

    def lift(self) -> None:
        """Later calls pass, and those that are held go on."""
        self.times = 0
        self.lifted.set()

    def has(self, hits: int) -> Callable[[], Awaitable[bool]]:
        """The condition that it was met so many times."""

        async def reached() -> bool:
            return self.hits >= hits

        return reached

    def takes(self, function: str, place: Place, params: Any) -> bool:
        if (function, place) != (self.function, self.place) or self.hits >= self.times:
            return False
        if self.cut and self.hits and params != self.victim:
            return False
        self.victim = params
        return self.only(params)


class Cut(Exception):
    """The connection is to end here, without a word."""


class Proxy:
    """Forwards to the server at `target`. Use as `async with`."""

    def __init__(self, target: str) -> None:
        self._target = target
        self._http = httpx.AsyncClient(timeout=60.0)
        self._server: asyncio.Server | None = None
        self._faults: list[Fault] = []
        self.calls: list[str] = []
        """The names of all that came so far."""
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def url(self) -> str:
        assert self._server is not None
        return f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    def hold(
        self, function: str, place: Place, only: Callable[[Any], bool] = lambda _: True
    ) -> Fault:
        """Every call of the function stands still at this place until the fault is lifted."""
        return self._add(Fault(function, place, cut=False, times=1_000_000, only=only))

    def cut(self, function: str, place: Place = "answer", times: int = 1) -> Fault:
        """The next call of the function ends in a closed connection, so do its repeats."""
        return self._add(Fault(function, place, cut=True, times=times, only=lambda _: True))

    def _add(self, fault: Fault) -> Fault:
        self._faults.append(fault)
        return fault

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._http.aclose()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            while True:
                await self._exchange(reader, writer)
        except (Cut, asyncio.IncompleteReadError, ConnectionError, httpx.TransportError):
            writer.transport.abort()
        except asyncio.CancelledError:
            writer.transport.abort()  # the proxy closes; nobody waits for this task's end
        finally:
            self._tasks.discard(task)

    async def _exchange(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        method, path, _ = head[0].split(" ", 2)
        pairs = [(name.lower(), value.strip()) for name, _, value in map(_split, head[1:]) if name]
        length = int(dict(pairs).get("content-length", "0"))
        body = await reader.readexactly(length)
        headers = [(name, value) for name, value in pairs if name not in _NOT_FORWARDED]
        function = _name(path)
        self.calls.append(function)
        params = orjson.loads(body) if "/rpc/" in path and body else None
        await self._pass(function, "request", params, reader)
        response = await self._http.request(
            method, self._target + path, headers=headers, content=body
        )
        await self._pass(function, "answer", params, reader)
        writer.write(_answer(response))
        await writer.drain()

    async def _pass(
        self, function: str, place: Place, params: Any, reader: asyncio.StreamReader
    ) -> None:
        """Raises Cut where a fault says so, or where the caller died while it was held."""
        for fault in self._faults:
            if not fault.takes(function, place, params):
                continue
            fault.hits += 1
            if fault.cut:
                raise Cut
            await fault.lifted.wait()
            if reader.at_eof():
                raise Cut


def _name(path: str) -> str:
    """A function's, or of a file or a provider's address what comes before the ids."""
    address, _, function = path.partition("?")[0].partition("/rpc/")
    return function or "/".join(address.strip("/").split("/")[:2])


def _split(line: str) -> tuple[str, str, str]:
    return line.partition(":")


def _answer(response: httpx.Response) -> bytes:
    kept = [
        f"{name}: {value}\r\n"
        for name, value in response.headers.items()
        if name not in _NOT_FORWARDED
    ]
    length = f"content-length: {len(response.content)}\r\n\r\n"
    head = f"HTTP/1.1 {response.status_code} {response.reason_phrase}\r\n{''.join(kept)}{length}"
    return head.encode("latin-1") + response.content
