"""Where a name leads is looked at when the connection is made, and that very address is used."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import httpx
import pytest

from functions.core.errors import InvalidRequest
from functions.core.http import HttpClient
from functions.core.open_internet import OpenInternet, is_open, resolved
from functions.messaging.server_address import check_server

OURS = [
    "127.0.0.1", "10.0.0.1", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1",
    "0.0.0.0", "224.0.0.1", "255.255.255.255", "192.0.2.1", "198.18.0.1", "192.0.0.192",
    "::1", "::", "fe80::1", "fe80::1%lo", "fc00::1", "fd00:ec2::254", "ff02::1", "2001:db8::1",
    "::ffff:127.0.0.1", "::ffff:169.254.169.254", "::ffff:0:127.0.0.1", "::127.0.0.1",
    "64:ff9b::127.0.0.1", "64:ff9b::10.0.0.1", "64:ff9b:1::10.0.0.1", "2002:7f00:1::1",
    "2002:a00:1::1", "2001::7f00:1",
]  # fmt: skip
OPEN = ["1.1.1.1", "8.8.8.8", "2606:4700:4700::1111", "::ffff:8.8.8.8", "64:ff9b::8.8.8.8"]


class Server:
    """A server of our own network; `heard` are the requests that reached it."""

    def __init__(self) -> None:
        self.heard: list[str] = []
        self.port = 0
        self.answer = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\nok"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.heard.append((await reader.readuntil(b"\r\n\r\n")).decode())
        writer.write(self.answer)
        await writer.drain()
        writer.close()


@asynccontextmanager
async def listening(address: str) -> AsyncIterator[Server]:
    server = Server()
    running = await asyncio.start_server(server.serve, address, 0)
    server.port = running.sockets[0].getsockname()[1]
    async with running:
        yield server


def names(*answers: list[str]) -> Callable[[str, int], Awaitable[list[str]]]:
    """A resolver that answers each question differently, as a rebinding one does."""
    left = list(answers)

    async def resolve(host: str, port: int) -> list[str]:
        return left.pop(0) if len(left) > 1 else left[0]

    return resolve


@pytest.mark.parametrize("address", OURS)
def test_our_networks_are_not_open_in_any_form(address: str) -> None:
    assert not is_open(address)


@pytest.mark.parametrize("address", OPEN)
def test_the_open_internet_is_open(address: str) -> None:
    assert is_open(address)


async def test_a_name_that_leads_elsewhere_after_the_check_is_not_followed() -> None:
    resolve = names(["8.8.8.8"], ["127.0.0.1"])
    async with listening("127.0.0.1") as server:
        url = f"https://rebinding.example:{server.port}"
        await check_server(url, private_allowed=False, resolve=resolve)
        client = HttpClient(network=OpenInternet(resolve))
        for scheme in ("https", "http"):
            with pytest.raises(httpx.ConnectError, match="open internet"):
                await client.get().get(f"{scheme}://rebinding.example:{server.port}/")
        await client.close()
    assert server.heard == []


async def test_one_address_of_ours_among_others_refuses_the_name() -> None:
    """Which one a client would choose is not for the name's owner to say."""
    client = HttpClient(network=OpenInternet(names(["8.8.8.8", "127.0.0.1"])))
    with pytest.raises(httpx.ConnectError, match="open internet"):
        await client.get().get("http://both.example/")
    await client.close()


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "[::1]", "[::ffff:127.0.0.1]", "localhost", "2130706433"]
)
async def test_the_real_resolver_leads_nowhere_inside(host: str) -> None:
    """Also by the numbers that libc takes for addresses."""
    async with listening("127.0.0.1") as server:
        client = HttpClient(network=OpenInternet())
        with pytest.raises(httpx.ConnectError):
            await client.get().get(f"http://{host}:{server.port}/")
        await client.close()
    assert server.heard == []


async def test_the_address_that_was_looked_at_is_the_one_that_is_called() -> None:
    """Under its own name: for the Host header, and in the handshake of TLS."""
    looked_at: list[str] = []

    def allowed(address: str) -> bool:
        looked_at.append(address)
        return True

    asked = names(["127.0.0.1"], ["10.255.255.1"])
    async with listening("127.0.0.1") as server:
        client = HttpClient(network=OpenInternet(asked, allowed))
        answer = await client.get().get(f"http://named.example:{server.port}/a")
        await client.close()
    assert (answer.text, looked_at) == ("ok", ["127.0.0.1"])
    assert f"Host: named.example:{server.port}".lower() in server.heard[0].lower()
    hello = asyncio.get_running_loop().create_future()

    async def greet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        hello.set_result(await reader.read(2000))
        writer.close()

    running = await asyncio.start_server(greet, "127.0.0.1", 0)
    async with running:
        port = running.sockets[0].getsockname()[1]
        client = HttpClient(network=OpenInternet(names(["127.0.0.1"]), allowed))
        with pytest.raises((httpx.TransportError, ssl.SSLError)):
            await client.get().get(f"https://named.example:{port}/")
        await client.close()
    assert b"named.example" in await hello


async def test_the_next_address_is_tried_where_one_does_not_answer() -> None:
    async with listening("127.0.0.1") as server:
        network = OpenInternet(names(["127.0.0.2", "127.0.0.1"]), lambda _: True)
        client = HttpClient(network=network)
        answer = await client.get().get(f"http://named.example:{server.port}/")
        await client.close()
    assert answer.text == "ok"


async def test_redirects_are_not_followed() -> None:
    async with listening("127.0.0.1") as server:
        server.answer = (
            b"HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:9/\r\ncontent-length: 0\r\n\r\n"
        )
        client = HttpClient(network=OpenInternet(names(["127.0.0.1"]), lambda _: True))
        answer = await client.get().get(f"http://named.example:{server.port}/")
        await client.close()
    assert (answer.status_code, len(server.heard)) == (302, 1)


async def test_what_has_no_address_is_refused_and_said() -> None:
    async def nothing(host: str, port: int) -> list[str]:
        return []

    with pytest.raises(InvalidRequest, match="open internet"):
        await check_server("https://nobody.example", private_allowed=False, resolve=nothing)
    assert await resolved("127.0.0.1", 443) == ["127.0.0.1"]
