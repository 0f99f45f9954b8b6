"""Connections to servers that others name: to the open internet only, never into our own network.

A name that is checked and then resolved anew may lead elsewhere the second time. So the check is
where the connection is made: the address that was looked at is the one that is connected to, with
the name for TLS and the Host header unchanged.
"""

import asyncio
import ipaddress
import socket
from collections.abc import Awaitable, Callable, Iterable
from typing import Any

import httpcore

Resolve = Callable[[str, int], Awaitable[list[str]]]

# Networks whose addresses carry one of IPv4 at their end: translators and, of old, tunnels.
# RFC 6052, RFC 8215, RFC 4291.
_CARRIERS = tuple(
    ipaddress.IPv6Network(network)
    for network in ("64:ff9b::/96", "64:ff9b:1::/48", "::ffff:0:0/96", "::ffff:0:0:0/96", "::/96")
)
# Protocols' own (RFC 6890), where one cloud answers for metadata; Python 3.11 knows a part of it.
_PROTOCOLS = ipaddress.IPv4Network("192.0.0.0/24")


class NotOnTheOpenInternet(httpcore.ConnectError):
    """Nothing was sent: the address lies in a network of our own, or of nobody."""


def is_open(address: str) -> bool:
    """Whether an address, as the resolver gives it, lies on the open internet."""
    found = ipaddress.ip_address(address)
    if isinstance(found, ipaddress.IPv6Address):
        carried = found.sixtofour or (
            ipaddress.IPv4Address(int(found) & 0xFFFFFFFF)
            if any(found in network for network in _CARRIERS)
            else None
        )
        if carried is not None:
            return is_open(str(carried))
    return found.is_global and not found.is_multicast and found not in _PROTOCOLS


async def resolved(host: str, port: int) -> list[str]:
    """The addresses of a name, in the order in which they are to be tried. Raises OSError."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(address[4][0]) for address in found))


class OpenInternet(httpcore.AsyncNetworkBackend):
    """TCP for a client of httpx: a name with one address that is not open is refused whole."""

    def __init__(
        self, resolve: Resolve = resolved, is_open: Callable[[str], bool] = is_open
    ) -> None:
        self._resolve = resolve
        self._is_open = is_open
        self._network = httpcore.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        try:
            async with asyncio.timeout(timeout):
                addresses = await self._resolve(host, port)
        except TimeoutError:
            raise httpcore.ConnectTimeout("The name was not resolved in time") from None
        except (OSError, UnicodeError):
            raise httpcore.ConnectError("The name does not resolve") from None
        if not addresses or not all(self._is_open(address) for address in addresses):
            raise NotOnTheOpenInternet("The server is not on the open internet")
        for address in addresses[:-1]:
            try:
                return await self._network.connect_tcp(
                    address, port, timeout, local_address, socket_options
                )
            except (httpcore.ConnectError, httpcore.ConnectTimeout):
                continue
        return await self._network.connect_tcp(
            addresses[-1], port, timeout, local_address, socket_options
        )

    async def connect_unix_socket(
        self, path: str, timeout: float | None = None, socket_options: Iterable[Any] | None = None
    ) -> httpcore.AsyncNetworkStream:
        raise NotOnTheOpenInternet("A socket of this machine is not on the open internet")

    async def sleep(self, seconds: float) -> None:
        await self._network.sleep(seconds)
